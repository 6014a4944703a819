#!/bin/sh
# `precision: auto` is found once for a folder, kept in it, and read from there: whatever processor the next run meets.
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
