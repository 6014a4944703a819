#!/bin/sh
# What is left out of a checkpoint is said once by every command, and recorded; what may not be left out is refused.
. "$SOURCE/tests/flow/common.sh"

cp -r "$SOURCE/models/tinyworld-mixtral" model || exit 1
sed -i 's/"vocab_size"/"my_key": 3, "vocab_size"/' model/config.json
echo '{"metadata": {}, "weight_map": {"lm_head.weight": "model-00001-of-00002.safetensors"}}' > model/model.safetensors.index.json
echo '  reap: { criterion: reap, strategy: lowest }' | experiment '[ 0.25 ]' |
    sed "s|$SOURCE/models/tinyworld-mixtral|$DIR/model|" > e.yaml
echo '[1, 2, 3, 4]' > ids.jsonl
echo '{"context": "a tale of", "choices": [" a", " the"], "gold": 0}' > tasks.jsonl
echo '{"context": "a tale of", "until": ["."], "target": "a"}' > questions.jsonl

# once TEXT: exactly one line of ./log has it.
once() { [ "$(grep -c -- "$1" log)" -eq 1 ] || fail "not said once: $1"; }

# warns COMMAND...: it succeeds, and says both warnings once.
warns()
{
    "$CULL" "$@" > log 2>&1 || fail "$*"
    once 'my_key has no meaning for mixtral'
    once 'the index beside it, which names "model-00001-of-00002.safetensors", is left out'
}

warns plan e.yaml
warns run e.yaml -o "$OUT"
[ "$(grep -c my_key "$OUT/log.jsonl")" -eq 1 ] || fail "the log of the run does not say it once"
trial=$(find "$OUT/trials" -name '*reap*.h5')
grep -q 'my_key has no meaning' "$trial" || fail "the trial does not record it"
warns run e.yaml -o "$OUT"
warns eval model --tasks tasks.jsonl -o evaluated
warns eval model --metric 'generation: { tasks: questions.jsonl, max_new: 4 }' -o answered
warns trace model --ids ids.jsonl -o trace.h5
warns inspect model
warns export "$trial" -o exported

# Weights that config.json calls quantised, and that are not.
cp -r "$SOURCE/models/tinyworld-mixtral" plain
sed -i 's/"vocab_size"/"quantization_config": {"quant_method": "fp8"}, "vocab_size"/' plain/config.json
"$CULL" inspect plain > log 2>&1 || fail "inspect of plain weights that are called FP8"
once 'quantization_config is left out: it says fp8, but no weight is stored so'

# refused TEXT: no command opens the model, and all say why.
refused()
{
    for command in "plan e.yaml" "run e.yaml -o other" "inspect model" "trace model --ids ids.jsonl -o other.h5" \
        "eval model --tasks tasks.jsonl -o other" "export $trial -o other"; do
        "$CULL" $command > log 2>&1
        [ $? -eq 3 ] || fail "$command: no exit status 3"
        says "$1"
    done
}

sed -i 's/"my_key": 3/"is_causal": false/' model/config.json
refused 'is_causal false is not supported (supported: true)'
sed -i 's/"is_causal": false/"is_causal": null/' model/config.json
refused 'is_causal null is not supported (supported: true)'
