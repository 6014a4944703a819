#!/bin/sh
# Weights that are no numbers: every command that reads them names the place, fails, and writes nothing.
. "$SOURCE/tests/flow/common.sh"
command -v python3 > /dev/null || exit 77

# spoil TENSOR ROW COLUMN BITS: a copy of the model with one bfloat16 number replaced.
spoil()
{
    rm -rf model && cp -r "$SOURCE/models/tinyworld-mixtral" model && chmod u+w model/* || exit 1
    python3 - "$@" << 'END' || fail "spoil $*"
import json, struct, sys
name, row, column, bits = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4], 16)
with open("model/model.safetensors", "r+b") as f:
    n, = struct.unpack("<Q", f.read(8))
    t = json.loads(f.read(n))[name]
    assert t["dtype"] == "BF16", t
    width = t["shape"][-1] if len(t["shape"]) > 1 else 1
    f.seek(8 + n + t["data_offsets"][0] + 2 * (row * width + column))
    f.write(struct.pack("<H", bits))
END
}

echo '[5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]' > ids.jsonl
printf '{"context": "a tale of the %s", "choices": [" a", " the"], "gold": 0}\n' king cat sea > tasks.jsonl
printf '{"context": "a tale of the %s", "until": ["."], "target": "a"}\n' king cat sea > questions.jsonl
printf '  %s\n' 'reap: { criterion: reap, strategy: lowest }' 'size: { criterion: magnitude, strategy: unstructured }' |
    experiment '[ 0.25 ]' | sed "s|$SOURCE/models/tinyworld-mixtral|$DIR/model|" > e.yaml

everywhere()
{
    said 3 "$1" trace model --ids ids.jsonl -o trace.h5
    [ ! -e trace.h5 ] || fail "a trace was written"
    said 3 "$1" eval model --tasks tasks.jsonl -o choices
    said 3 "$1" eval model --metric 'generation: { tasks: questions.jsonl, max_new: 4 }' -o answers
    said 3 "$1" run e.yaml -o "$OUT"
    has_trials 0
    rm -rf "$OUT" choices answers
}

spoil model.layers.1.self_attn.q_proj.weight 3 7 7fc0
everywhere "layer 1, q: the checkpoint's weight in row 3, column 7 is no number: NaN"
spoil model.layers.0.block_sparse_moe.gate.weight 2 5 7f80
everywhere "layer 0, router: the checkpoint's weight in row 2, column 5 is no number: infinity"
spoil lm_head.weight 9 1 ff80
everywhere "head: the checkpoint's weight in row 9, column 1 is no number: minus infinity"

# An expert that no token of these texts meets is read by the criterion that wants its weights.
for expert in 1 6 11 12; do
    spoil "model.layers.2.block_sparse_moe.experts.$expert.w2.weight" 4 6 7fc0
    "$CULL" run e.yaml -o "$OUT" > log 2>&1 && fail "a run with a spoilt expert $expert ends well"
    says "layer 2, expert $expert, down: the checkpoint's weight in row 4, column 6 is no number: NaN"
    rm -rf "$OUT"
done

spoil model.layers.3.input_layernorm.weight 5 0 7fc0
for command in "inspect model" "plan e.yaml" "trace model --ids ids.jsonl -o trace.h5"; do
    said 3 'tensor "model.layers.3.input_layernorm.weight" holds at place 5 no number' $command
done
