#!/bin/sh
# `precision: auto` is found once for a folder, kept in it, and read from there: whatever processor the next run meets.
# A trace has the precision that it is asked for.
. "$SOURCE/tests/flow/common.sh"

echo '  reap: { criterion: reap, strategy: lowest }' | experiment '[ 0.5 ]' > e.yaml
note() { sed -n 's/.*"auto_precision": "\(.*\)".*/\1/p' "$OUT/experiment.json"; }

run 0 e.yaml
[ -z "$(note)" ] || fail "a folder that nobody asked for auto says $(note)"

run 0 e.yaml --precision auto
here=$(note)
case $here in
f32) has_trials 2 ;;
bf16x2) has_trials 4 ;;
*) fail "auto came to \"$here\"" ;;
esac

# As another processor would have found it.
rm -r "$OUT"
mkdir "$OUT"
echo '{ "question": "", "auto_precision": "bf16" }' > "$OUT/experiment.json"
"$CULL" plan e.yaml --precision auto -o "$OUT" > plan 2> log || fail "plan"
run 0 e.yaml --precision auto
says '2 trials: 0 were there, 2 done'
[ "$(note)" = bf16 ] || fail "the folder's bf16 became \"$(note)\""
run 0 e.yaml --precision bf16
says '2 trials: 2 were there, 0 done'
run 0 e.yaml --precision f32
says '2 trials: 0 were there, 2 done'
[ "$(note)" = bf16 ] || fail "a run in f32 made the folder's bf16 \"$(note)\""
run 0 e.yaml --precision auto
says '2 trials: 2 were there, 0 done'
"$CULL" plan e.yaml --precision auto -o "$OUT" > plan 2> log || fail "plan of what is there"
grep -q 'nothing to do: all 2 trials' plan || fail "plan takes auto for something else"

# The default is f32; bf16 moves a trace, and bf16x2 less than that.
model=$SOURCE/models/tinyworld-mixtral
echo '[1, 17, 42, 99, 7, 256, 12, 300]' > ids.jsonl
for how in '' f32 bf16 bf16x2; do
    "$CULL" trace "$model" --ids ids.jsonl -o "trace$how.h5" ${how:+--precision $how} 2> log || fail "trace $how"
done
"$CULL" trace "$model" --ids ids.jsonl -o other.h5 --precision f64 2> log && fail "f64 is no precision"
says 'f64.* is none of auto, f32, bf16, bf16x2'
cmp -s trace.h5 tracef32.h5 || fail "f32 is not the default"
cmp -s trace.h5 tracebf16.h5 && fail "--precision bf16 moves nothing"
cmp -s tracebf16x2.h5 tracebf16.h5 && fail "--precision bf16x2 is bf16"
exit 0
