#!/bin/sh
# Exports: a checkpoint of a trial evaluates to what the trial recorded; what cannot be said is refused.
. "$SOURCE/tests/flow/common.sh"

echo '
  reap:  { criterion: reap, strategy: lowest }
  wanda: { criterion: wanda, strategy: unstructured }
  merge: { criterion: logit-similarity, strategy: merge }
  mone:  { criterion: mone, strategy: mone }
  skip:  { strategy: { skip: { ratio: 0.3 } } }
allocations: [ layer, global ]
output: { store: model }' | experiment '[ 0.5 ]' > e.yaml
run 0 e.yaml
has_trials 9
"$CULL" compare "$OUT" --format csv > recorded || fail "compare"

export_of() { find "$OUT/trials" -name "tiny-$1-*.h5"; }
# The value of the perplexity in the rows of a table on standard input that match.
perplexity_of() { grep "$1" | cut -d, -f10; }

# Bytes of the weights of a checkpoint of one file: all behind the header.
weights_of() { echo $(($(wc -c < "$1/model.safetensors") - 8 - $(od -An -tu8 -N8 "$1/model.safetensors"))); }
# What trials recorded that an export would take: "method,allocation,bytes".
"$CULL" compare "$OUT" --recovery --format csv | awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
    NR > 1 { print $at["method"] "," $at["allocation"] "," $at["checkpoint_bytes"] }' | sort -u > bytes

for trial in reap-s0.5-layer reap-s0.5-global wanda merge-s0.5-layer mone-s0.5-layer mone-s0.5-global; do
    "$CULL" export "$(export_of $trial)" -o "exported-$trial" 2> log || fail "export of $trial"
    [ -f "exported-$trial/tokenizer.json" ] || fail "no tokenizer"
    stored=${trial%%-*},${trial##*-}
    [ "$trial" = wanda ] && stored=wanda,
    grep -qx "$stored,$(weights_of "exported-$trial")" bytes ||
        fail "$trial: $(weights_of "exported-$trial") bytes were written; recorded: $(cat bytes)"
    "$CULL" inspect "exported-$trial" > inspected 2> log || fail "inspect"
    (
        OUT=$DIR/out-$trial method=${trial%%-*} allocation=${trial##*-}
        methods='{random: {criterion: random, strategy: {lowest: {action: zero}}}}'
        if [ $method = mone ]; then
            run 2 e.yaml --set "models.tiny.hf.path=$DIR/exported-$trial" --set "methods=$methods" --set 'allocations=[layer]'
            says 'has constants in the place of experts: it can be evaluated, but not pruned again'
            grep -q 'can be pruned *no: there are constants' inspected || fail "inspect does not say so"
            methods='{skip: {strategy: {skip: {ratio: 0.3}}}}'
        fi
        run 0 e.yaml --set "models.tiny.hf.path=$DIR/exported-$trial" --set "methods=$methods" --set 'allocations=[layer]'
        "$CULL" compare "$OUT" --format csv | perplexity_of ,dense, > is
        [ "$trial" = wanda ] && allocation= # which makes no difference to it
        grep ",$allocation," recorded | perplexity_of ",$method," > was
        paste is was | awk '{ d = $1 / $2 - 1; exit !($2 > 1 && d < 1e-6 && d > -1e-6) }' || fail "$trial: $(cat is) where $(cat was) was recorded"
    ) || exit 1
done

# What lies beside: folders are kept, other programs' weights are not; a merge that saves nothing says so.
cp -r "$SOURCE/models/tinyworld-mixtral" rich && chmod -R u+w rich && mkdir -p rich/additional_chat_templates/deep rich/onnx
echo 'a template' > rich/additional_chat_templates/tools.jinja
echo 'another' > rich/additional_chat_templates/deep/rag.jinja
echo 'weights' | tee rich/onnx/model.onnx rich/pytorch_model.bin rich/model.Q4_K.gguf > rich/consolidated.safetensors
echo '{ "peft_type": "LORA" }' | tee rich/adapter_config.json > rich/adapter_model.safetensors
ln -s additional_chat_templates/tools.jinja rich/linked.jinja
"$CULL" export "$(export_of reap-s0.5-layer)" --model rich -o rich-exported --verify 2> log || fail "export of a rich folder"
says '6 files of other weights are not copied'
says 'adapter_config.json: the adapter beside the model is left out'
says 'verified: logits differ by'
[ "$(cat rich-exported/additional_chat_templates/deep/rag.jinja)" = another ] || fail "a sub-folder is lost"
[ "$(cat rich-exported/linked.jinja)" = 'a template' ] || fail "a linked file is lost"
for left in adapter_config.json onnx pytorch_model.bin model.Q4_K.gguf consolidated.safetensors; do
    [ ! -e "rich-exported/$left" ] || fail "$left was copied"
done
"$CULL" export "$(export_of reap-s0.5-layer)" -o needless --dequantise --drop-bias 2> log || fail "needless options"
says 'warning: .*dequantise changes nothing'
says 'warning: .*drop-bias changes nothing'
"$CULL" export "$(export_of merge-s0.5-layer)" -o copies --verify 2> log || fail "export of a merge"
says 'stored as copies of them: their router is as it was, and this saves no byte'
for trial in wanda mone-s0.5-global; do
    "$CULL" export "$(export_of $trial)" -o "verified-$trial" --verify 2> log || fail "--verify of $trial"
    says 'verified: logits differ by'
done

grep -q '"num_local_experts": 8' exported-reap-s0.5-layer/config.json || fail "config.json has the old number of experts"
[ "$(wc -l < exported-reap-s0.5-layer/cull-kept.jsonl)" -eq 4 ] || fail "not a line a layer"

refused() { # STATUS, what it says, the arguments
    expected=$1 words=$2
    shift 2
    "$CULL" export "$@" 2> log
    [ $? -eq "$expected" ] || fail "export $*: not exit status $expected"
    says "$words"
}
refused 3 'experts with small gates are skipped' "$(export_of skip)" -o nothing
refused 2 'two things are needed' "$(export_of reap-s0.5-layer)" -o ''
refused 2 'is there already' "$(export_of reap-s0.5-layer)" -o exported-reap-s0.5-layer
refused 2 'it is the model as it is' "$(export_of dense)" -o nothing
refused 2 'give --model' "$(find "$OUT/cuts" -name '*.safetensors' | head -n 1)" -o nothing
refused 2 'made for a model with the fingerprint' "$(export_of reap-s0.5-layer)" --model "$SOURCE/models/tinyworld-olmoe" -o nothing
refused 2 'neither a trial' e.yaml -o nothing
refused 2 'two things are needed' -o nothing
[ ! -e nothing ] && [ -z "$(find . -name '.tmp*')" ] || fail "leftovers"

"$CULL" export "$(export_of merge-s0.5-layer)" --layout jsonl -o lists.jsonl || fail "lists"
[ "$(wc -l < lists.jsonl)" -eq 4 ] || fail "not a line a layer in lists.jsonl"

"$CULL" export "$(export_of reap-s0.5-layer)" --layout ranking -o ranking.jsonl || fail "ranking"
[ "$(wc -l < ranking.jsonl)" -eq 4 ] || fail "not a line a layer in ranking.jsonl"
"$CULL" export "$(export_of reap-s0.5-layer)" --layout mask -o mask.json || fail "mask"
# The eight that go last are those that are kept, and none of them is masked.
for l in 0 1 2 3; do
    sed -n "$((l + 1))p" ranking.jsonl | sed 's/.*"experts": \[\([^]]*\)\].*/\1/' | tr -d ' ' | tr , '\n' | head -8 | sort -n > first
    sed -n "$((l + 1))p" exported-reap-s0.5-layer/cull-kept.jsonl | sed 's/.*\[\(.*\)\].*/\1/' | tr -d ' ' | tr , '\n' > kept
    cmp -s first kept || fail "the ranking of layer $l: $(cat first) where $(cat kept) is kept"
    tr "{" "\n" < mask.json | grep "\"layer\": $l," | sed 's/.*"masked": \[\(.*\)\].*/\1/' | tr -d ' ' | tr , '\n' > masked
    [ "$(sort -n kept masked | uniq | wc -l)" -eq 16 ] || fail "the mask of layer $l"
done
refused 3 'a mask says which experts are dropped' "$(export_of mone-s0.5-layer)" --layout mask -o no.json
refused 2 'no criterion of this trial scored experts' "$(export_of wanda)" --layout ranking -o no.jsonl
