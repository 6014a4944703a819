#!/bin/sh
# An experiment as a change of another one, and changes from the command line.
. "$SOURCE/tests/flow/common.sh"

mkdir -p shared/texts
cp "$SOURCE/models/tinyworld/text/facts.calibration.txt" "$SOURCE/models/tinyworld/text/facts.heldout.txt" shared/texts
cat > shared/all.yaml << END
question:   of all?
models:     { tiny: { hf: { path: $SOURCE/models/tinyworld-mixtral } } }
calibrate:  { text: { files: texts/facts.calibration.txt, length: 64, rows: 4 } }
sparsities: [ 0.25, 0.5 ]
metrics:    [ { perplexity: { files: texts/facts.heldout.txt, length: 64, rows_per_file: 2 } } ]
methods:
  reap:     { criterion: reap, strategy: { lowest: { action: drop } } }
  random:   { criterion: random, strategy: lowest }
END
cat > own.yaml << END
base:       shared/all.yaml
question:   of half?
sparsities: 0.5
methods:
  random:   ~
  reap:     { strategy: { merge: {} } }
  wanda:    { criterion: wanda, strategy: unstructured }
END
cells() { "$CULL" plan "$@" 2> log > plan || fail "plan $*"; sed -n '/^tiny /p' plan | tr -s ' ' | cut -d' ' -f2,3; }

# Maps are merged, the rest is replaced; paths stay relative to their own file; a plugin replaces another one.
"$CULL" plan own.yaml 2> log && fail "merge takes scores of reap"
says 'own.yaml:6:27: error: strategy merge needs\|own.yaml:6.*merge\|all.yaml:7.*reap'
sed -i '/strategy: { merge/d' own.yaml
[ "$(cells own.yaml | tr '\n' ' ')" = "dense - reap 0.5 wanda 0.5 " ] || fail "other cells: $(cells own.yaml)"
head -1 plan | grep -q 'of half?' || fail "the base's question won"
run 0 own.yaml
"$CULL" report "$OUT" -o page.html > log || fail report
grep -q 'base: shared/all.yaml' page.html || fail "the base is not recorded"

# What is wrong is told where it stands.
"$CULL" plan own.yaml --set methods.wanda.criterion=wadna 2> log && fail "a misspelt criterion"
says '^--set methods.wanda.criterion: error: there is no criterion "wadna"; did you mean "wanda"?'
sed -i 's/criterion: reap/criterion: raep/' shared/all.yaml
"$CULL" plan own.yaml 2> log && fail "a misspelt criterion of the base"
says '^shared/all.yaml:7:26: error: there is no criterion "raep"; did you mean "reap"?'
sed -i 's/criterion: raep/criterion: reap/' shared/all.yaml
echo 'base: own.yaml' > third.yaml
"$CULL" plan third.yaml 2> log && fail "a base of a base"
says '^own.yaml:1:1: error: a base has no base of its own'
echo 'base: nowhere.yaml' > third.yaml
"$CULL" plan third.yaml 2> log && fail "a base that is not there"
says '^third.yaml:1:7: error: base: nowhere.yaml: '

# --set appends and deletes, too.
[ "$(cells own.yaml --set sparsities+=0.75 --set '~methods.reap' | tr '\n' ' ')" = "dense - wanda 0.5 wanda 0.75 " ] ||
    fail "append and delete: $(cells own.yaml --set sparsities+=0.75 --set '~methods.reap')"
[ "$(cells shared/all.yaml --set 'sparsities+=[0.6, 0.7]' --set '~sparsities.0' --set '~methods.random' | tr '\n' ' ')" = \
    "dense - reap 0.5 reap 0.6 reap 0.7 " ] || fail "append a list"
"$CULL" plan own.yaml --set '~methods.nobody' 2> log && fail "what is not there is deleted"
says '^--set methods.nobody: error: there is no "nobody" that could go'
"$CULL" plan own.yaml --set '~methods.reap=1' 2> log && fail "a value is deleted"
says 'is not of the form key.path=value, key.path+=value or ~key.path'
exit 0
