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

# The alternative is what it would be alone.
run 0 e.yaml --set "$(cat named)"
says '7 trials: 7 were there, 0 done'
OUT=$DIR/alone
run 0 e.yaml --set "calibrate={text: {files: $texts/code.calibration.txt, length: 128, rows: 4}}" --set 'layers={only: [2, 3]}'
alone=$("$CULL" compare "$OUT" -f csv | grep '^tiny,reap,' | cut -d, -f10)
axis=$("$CULL" compare "$DIR/out" -f csv | grep '^tiny,reap,.*,code,late$' | cut -d, -f10)
echo "$alone $axis" | awk '{ exit !($1 - $2 < 1e-6 * $2 && $2 - $1 < 1e-6 * $2) }' || fail "$axis as an axis, $alone alone"
