#!/bin/sh
# config.json alone can be inspected and planned for, and nothing else.
. "$SOURCE/tests/flow/common.sh"

mkdir alone && cp "$SOURCE/models/tinyworld-mixtral/config.json" alone || exit 1
"$CULL" inspect "$SOURCE/models/tinyworld-mixtral" > full 2> log || fail inspect
"$CULL" inspect alone > bare 2> log || fail "inspect of config.json alone"
for what in parameters active 'routed experts'; do
    grep "^$what " full > was
    grep "^$what " bare | cmp -s - was || fail "$what differ"
done
grep -q 'there are no weights in the folder' bare || fail "inspect does not say that there are none"
grep -q '^time needed ' bare || fail "no time"

echo '  reap: { criterion: reap, strategy: lowest }' | experiment '[ 0.25 ]' > e.yaml
"$CULL" plan e.yaml --set "models.tiny.hf.path=$DIR/alone" > plan 2> log || fail "plan of config.json alone"
says 'the tokens of texts are guessed at'
grep -q 'model tiny: .* parameters, .* active, .* routed; there are no weights' plan || fail "plan does not count"
grep -q 'evaluate .* 508 tokens' plan || fail "plan does not count two windows of two variants"
echo "[1, 2, 3]" > ids.jsonl
for command in "run e.yaml -o $OUT --set models.tiny.hf.path=$DIR/alone" "trace alone --ids ids.jsonl -o other.h5"; do
    "$CULL" $command > log 2>&1 && fail "$command ends well without weights"
    says 'neither model.safetensors nor model.safetensors.index.json'
done
