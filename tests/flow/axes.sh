#!/bin/sh
# Named calibrations and layers are axes: trials, columns and conditions of their own, and nothing that is the same is
# computed twice.
. "$SOURCE/tests/flow/common.sh"

texts=$SOURCE/models/tinyworld/text
experiment '[ 0.5 ]' > e.yaml << END
  reap:   { criterion: reap, strategy: lowest }
  random: { criterion: random, strategy: lowest }
layers:   { all: {}, late: { only: [ 2, 3 ] } }
END
cat > named << END
calibrate={facts: {text: {files: $texts/facts.calibration.txt, length: 128, rows: 4}}, code: {text: {files: $texts/code.calibration.txt, length: 128, rows: 4}}}
END
run 0 e.yaml --set "$(cat named)"
says '7 trials: 0 were there, 7 done'
[ "$(find "$OUT/calibration" -name '*.safetensors' | wc -l)" -eq 2 ] || fail "not one calibration for each text"
"$CULL" compare "$OUT" > table || fail compare
head -2 table | grep -q 'method calibration layers' || fail "the axes are no columns: $(head -2 table)"
grep -Eq ' 0.5 reap +code +late +25.0 %' table || fail "no row of reap on code in late layers"
grep -Eq ' 0.5 random +all +50.0 %' table || fail "no row of random, which is calibrated on nothing"
[ "$("$CULL" compare "$OUT" -f csv --where calibration=code,layers=late | grep -c '^tiny,reap,.*,code,late$')" -eq 1 ] ||
    fail "--where finds something else"
"$CULL" compare "$OUT" -f json --recovery 2> log | grep -q '"calibration": "facts"' || {
    "$CULL" compare "$OUT" -f json | grep -q '"calibration": "facts"' || fail "json has no calibration"
}

# What is asked for alone: the same words as --where's.
"$CULL" plan e.yaml --set "$(cat named)" --only 'calibration=c*,layers!=late' > log || fail "plan --only"
says '^3 of them are asked for'
OUT=$DIR/part
run 0 e.yaml --set "$(cat named)" --only 'criterion=reap' --only 'calibrate.length=100..200,layers=late'
says '7 trials: 0 were there, 3 done, 0 failed, 4 left'
run 2 e.yaml --set "$(cat named)" --only 'criterion!=raep'
says 'nothing in the experiment has criterion=raep'
run 2 e.yaml --set "$(cat named)" --only 'sparsities=0.5'
says 'nothing in the experiment has the key sparsities; did you mean "sparsity"?'
OUT=$DIR/out
"$CULL" export "$OUT" --where 'calibration=code,layers=late,method=reap' -o kept.jsonl --layout jsonl || fail "export --where"
[ "$(wc -l < kept.jsonl)" -eq 4 ] || fail "export --where wrote no lists"
"$CULL" export "$OUT" --where 'calibration=code,criterion=reap' -o none.jsonl --layout jsonl 2> log && fail "export took one of two trials"
says '2 trials meet it'

# Folders whose settings differ are told apart by what differs.
OUT=$DIR/longer
run 0 e.yaml --set calibrate.text.length=64
OUT=$DIR/shorter
run 0 e.yaml --set calibrate.text.length=32
"$CULL" compare "$DIR/longer" "$DIR/shorter" --where layers=late > table 2> log || fail "compare of two folders"
grep -Eq 'sparsity method length ' table || fail "the setting that differs is no column: $(head -3 table)"
grep -Eq '0.5 reap +32 ' table && grep -Eq '0.5 reap +64 ' table || fail "its values are no cells"
"$CULL" compare "$DIR/longer" "$DIR/shorter" -f json --where layers=late | grep -q '"length": "32"' || fail "json lacks it"
"$CULL" compare "$DIR/longer" "$DIR/shorter" -f latex --where layers=late | grep -q '& length &' || fail "latex lacks it"
"$CULL" compare "$DIR/longer" "$DIR/shorter" --where 'calibrate.length=32..50' -f csv | grep -c '^tiny,reap,' | grep -q '^2$' ||
    fail "a range of a setting finds something else"
# A key of several places: the one that has such a value, as in --only.
for length in 64 128; do
    "$CULL" compare "$DIR/longer" --where length=$length,layers=late -f csv > table 2> log || fail "length=$length is not found"
    grep -q '^tiny,reap,' table || fail "length=$length leaves nothing of reap"
done
"$CULL" compare "$DIR/longer" --where length=65 > table 2> log && fail "a value that is nothing's is taken"
"$CULL" plan e.yaml --set calibrate.text.length=64 --only length=64 > log || fail "plan --only length"
OUT=$DIR/out

# The alternative is what it would be alone.
run 0 e.yaml --set "$(cat named)"
says '7 trials: 7 were there, 0 done'
OUT=$DIR/alone
run 0 e.yaml --set "calibrate={text: {files: $texts/code.calibration.txt, length: 128, rows: 4}}" --set 'layers={only: [2, 3]}'
alone=$("$CULL" compare "$OUT" -f csv | grep '^tiny,reap,' | cut -d, -f10)
axis=$("$CULL" compare "$DIR/out" -f csv | grep '^tiny,reap,.*,code,late$' | cut -d, -f10)
echo "$alone $axis" | awk '{ exit !($1 - $2 < 1e-6 * $2 && $2 - $1 < 1e-6 * $2) }' || fail "$axis as an axis, $alone alone"

# A value of an axis as the baseline: every method beside itself with it.
"$CULL" compare "$DIR/out" --baseline calibration=facts > table || fail "a baseline of calibrations"
grep -q 'to calibration=facts' table || fail "the heading does not name the baseline"
grep -E ' reap +code +late ' table | grep -Eq '[+-][0-9.]+ % \[' || fail "reap on code is not beside reap on facts"
grep -E ' random +late ' table | grep -q '%.*%.*\[' && fail "random, which has no calibration, has a baseline"
"$CULL" compare "$DIR/out" -f csv --baseline layers=all | grep -q '^tiny,random,.*,layers=all,' || fail "no baseline in csv"
"$CULL" compare "$DIR/out" --baseline calibration=fcats 2> log && fail "a baseline that is not there"
says 'the results have no calibration "fcats"; did you mean "facts"?'
exit 0
