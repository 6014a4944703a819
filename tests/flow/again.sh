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

# An experiment that is edited and then as it was: what it says now is in the table, though it was made first.
rm -r "$OUT"
echo '  one: { criterion: frequency, strategy: lowest }' | experiment '[ 0.5 ]' > edited.yaml
run 0 edited.yaml
table > first
run 0 edited.yaml --set methods.one.criterion=gate
table > second
! diff first second > /dev/null || fail "another criterion gives the same"
run 0 edited.yaml
says '2 trials: 2 were there'
"$CULL" compare "$OUT" > log 2>&1 || fail "compare of what was taken back"
says 'left out: 1 trial with the name of a later one'
table > third
diff first third || fail "the table has the numbers of an edit that was taken back"
state_of "$OUT" > before
run 0 edited.yaml
state_of "$OUT" | diff before - || fail "a run that finds everything changed files"

# Answers that are generated rest on how the tokenizer makes text of ids, and on nothing else of it anew.
rm -r "$OUT"
cp -r "$SOURCE/models/tinyworld-mixtral" model
echo '{"context": "a tale of", "until": ["."], "target": "a"}' > questions.jsonl
cat > answers.yaml << END
models:  { tiny: { hf: { path: model } } }
metrics:
  - generation: { tasks: questions.jsonl, max_new: 4 }
  - perplexity: { files: $SOURCE/models/tinyworld/text/facts.heldout.txt, length: 128, rows_per_file: 2 }
END
run 0 answers.yaml
run 0 answers.yaml
says '1 trials: 1 were there'
mv model moved
run 0 answers.yaml --set models.tiny.hf.path=moved
says '1 trials: 1 were there'
"$CULL" plan answers.yaml --set models.tiny.hf.path=moved -o "$OUT" > log 2>&1 || fail "plan"
says 'nothing to do'
bytes='{ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true }'
replaced='{ "type": "Replace", "pattern": { "String": "a" }, "content": "x" }'
sed -i "/^  \"decoder\": {/,/^  },/c\\  \"decoder\": { \"type\": \"Sequence\", \"decoders\": [ $bytes, $replaced ] }," moved/tokenizer.json
"$CULL" plan answers.yaml --set models.tiny.hf.path=moved -o "$OUT" > log 2>&1 || fail "plan of another decoder"
says '1 of 2 evaluations'

# A backend from elsewhere that was built anew may make other numbers of the same files.
mkdir bin plugins
cp "$CULL" bin/cull
cp "$BINARY/plugins/backend-hf.so" "$BINARY/plugins/metric-perplexity.so" "$BINARY/plugins/metric-generation.so" plugins
elsewhere()
{
    CULL_PLUGIN_PATH=$DIR/plugins bin/cull run answers.yaml --set models.tiny.hf.path=moved -o "$OUT" > log 2>&1
}
if elsewhere; then
    elsewhere || fail "a run with plugins from elsewhere"
    says '1 trials: 1 were there'
    echo >> plugins/backend-hf.so
    elsewhere || fail "a run with a backend built anew"
    says '1 trials: 0 were there, 1 done'
else
    says 'is both in' # as this Cull is installed
fi
