#!/bin/sh
# A second run computes nothing; an added metric, sparsity or method only what is new.
. "$SOURCE/tests/flow/common.sh"

methods='
  reap: { criterion: reap, strategy: lowest }
  stun:
    - { criterion: similarity, strategy: { greedy-latent: { experts: 0.25 } } }
    - { criterion: wanda, strategy: unstructured, recalibrate: true }'
more="metrics=[{perplexity: {files: $SOURCE/models/tinyworld/text/facts.heldout.txt, length: 128, rows_per_file: 2}}, {choices: {tasks: $SOURCE/models/tinyworld/tasks/facts.jsonl, limit: 4}}]"
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

run 0 e.yaml --set "$more"
says '3 trials: 0 were there, 3 done'
find "$OUT/calibration" -name '*.safetensors' | sort | diff calibrations - || fail "an added metric calibrated"
[ "$(find "$OUT/trials" -name '*.eval-*.h5' | wc -l)" -eq 3 ] || fail "no sibling files of the added metric"
table > first
grep -q ',acc,' first || fail "the added metric is not in the table"

# Without its trials a folder is computed again: to the same bits where the runs are the same, whatever the
# threads, and to 1e-6 where other rows stand side by side.
rm -r "$OUT/trials" "$OUT/cuts"
run 0 e.yaml --threads 1
run 0 e.yaml --set 'sparsities=[0.5, 0.75]' --threads 1
run 0 e.yaml --set "$more" --threads 1
table | diff first - || fail "other numbers the second time"

rm -r "$OUT/trials" "$OUT/cuts"
run 0 e.yaml --set "$more"
run 0 e.yaml --set 'sparsities=[0.5, 0.75]'
table > reordered
same_values first reordered || fail "other numbers in another order"

# A metric that one seed alone was asked is blank over seeds, and that is said.
rm -r "$OUT"
echo '  random: { criterion: random, strategy: lowest }' | experiment '[ 0.5 ]' > seeds.yaml
run 0 seeds.yaml --set 'seeds=[1, 2]'
"$CULL" compare "$OUT" > table 2> log || fail "compare of two seeds"
[ ! -s log ] || fail "compare of two seeds warns"
run 0 seeds.yaml --set 'seeds=[1]' --set "$more"
"$CULL" compare "$OUT" > table 2> log || fail "compare of a gap"
says 'left blank over seeds: .* random 0.5, which 1 of 2 seeds have'
