#!/bin/sh
# A second run computes nothing; an added metric, sparsity or method only what is new.
. "$SOURCE/tests/flow/common.sh"

methods='
  reap: { criterion: reap, strategy: lowest }
  stun:
    - { criterion: similarity, strategy: { greedy-latent: { experts: 0.25 } } }
    - { criterion: wanda, strategy: unstructured, recalibrate: true }'
echo "$methods" | experiment '[ 0.5 ]' > e.yaml

run 0 e.yaml
says '3 trials: 0 were there, 3 done, 0 failed, 0 left'
has_trials 3
no_leftovers
state_of "$OUT" > before

run 0 e.yaml
says '3 trials: 3 were there, 0 done'
state_of "$OUT" > after
diff before after || fail "the second run changed files"

run 0 e.yaml --set 'sparsities=[0.5, 0.75]'
says '5 trials: 3 were there, 2 done'
has_trials 5
find "$OUT/calibration" -name '*.safetensors' | sort > calibrations

run 0 e.yaml --set "metrics=[{perplexity: {files: $SOURCE/models/tinyworld/text/facts.heldout.txt, length: 128, rows_per_file: 2}}, {choices: {tasks: $SOURCE/models/tinyworld/tasks/facts.jsonl, limit: 4}}]"
says '3 trials: 0 were there, 3 done'
find "$OUT/calibration" -name '*.safetensors' | sort | diff calibrations - || fail "an added metric calibrated"
[ "$(find "$OUT/trials" -name '*.eval-*.h5' | wc -l)" -eq 3 ] || fail "no sibling files of the added metric"
"$CULL" compare "$OUT" --format csv > table || fail "compare"
grep -q ',acc,' table || fail "the added metric is not in the table"

# Without its trials a folder is computed again, to the same numbers.
"$CULL" compare "$OUT" --format csv | sort > first
rm -r "$OUT/trials" "$OUT/cuts"
run 0 e.yaml --set "metrics=[{perplexity: {files: $SOURCE/models/tinyworld/text/facts.heldout.txt, length: 128, rows_per_file: 2}}, {choices: {tasks: $SOURCE/models/tinyworld/tasks/facts.jsonl, limit: 4}}]" --threads 1
run 0 e.yaml --set 'sparsities=[0.5, 0.75]' --threads 1
"$CULL" compare "$OUT" --format csv | sort | diff first - || fail "other numbers the second time"
