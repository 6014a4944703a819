#!/bin/sh
# Exports: a checkpoint of a trial evaluates to what the trial recorded; what cannot be said is refused.
. "$SOURCE/tests/flow/common.sh"

echo '
  reap:  { criterion: reap, strategy: lowest }
  wanda: { criterion: wanda, strategy: unstructured }
  merge: { criterion: logit-similarity, strategy: merge }
  mone:  { criterion: mone, strategy: mone }
output: { store: model }' | experiment '[ 0.5 ]' > e.yaml
run 0 e.yaml
has_trials 5
"$CULL" compare "$OUT" --format csv > recorded || fail "compare"

export_of() { find "$OUT/trials" -name "tiny-$1-*.h5"; }
# The value of the perplexity in the rows of a table on standard input that match.
perplexity_of() { grep "$1" | cut -d, -f10; }

for method in reap wanda merge; do
    "$CULL" export "$(export_of $method)" -o "exported-$method" 2> log || fail "export of $method"
    [ -f "exported-$method/tokenizer.json" ] || fail "no tokenizer"
    "$CULL" inspect "exported-$method" > inspected 2> log || fail "inspect"
    (
        OUT=$DIR/out-$method
        run 0 e.yaml --set "models.tiny.hf.path=$DIR/exported-$method" --set 'methods={random: {criterion: random, strategy: lowest}}'
        "$CULL" compare "$OUT" --format csv | perplexity_of ,dense, > is
        perplexity_of ",$method," < recorded > was
        paste is was | awk '{ d = $1 / $2 - 1; exit !($2 > 1 && d < 1e-6 && d > -1e-6) }' || fail "$method: $(cat is) where $(cat was) was recorded"
    ) || exit 1
done
grep -q '"num_local_experts": 8' exported-reap/config.json || fail "config.json has the old number of experts"
[ "$(wc -l < exported-reap/cull-kept.jsonl)" -eq 4 ] || fail "not a line a layer"

refused() { # STATUS, what it says, the arguments
    expected=$1 words=$2
    shift 2
    "$CULL" export "$@" 2> log
    [ $? -eq "$expected" ] || fail "export $*: not exit status $expected"
    says "$words"
}
refused 3 'no bias that a constant could be stored in' "$(export_of mone)" -o nothing
refused 2 'is there already' "$(export_of reap)" -o exported-reap
refused 2 'it is the model as it is' "$(export_of dense)" -o nothing
refused 2 'give --model' "$OUT"/cuts/*reap*.safetensors -o nothing
refused 2 'made for a model with the fingerprint' "$(export_of reap)" --model "$SOURCE/models/tinyworld-olmoe" -o nothing
refused 2 'neither a trial' e.yaml -o nothing
refused 2 'two things are needed' -o nothing
[ ! -e nothing ] && [ -z "$(find . -name '.tmp*')" ] || fail "leftovers"

"$CULL" export "$(export_of merge)" --layout jsonl -o lists.jsonl || fail "lists"
[ "$(wc -l < lists.jsonl)" -eq 4 ] || fail "not a line a layer in lists.jsonl"
