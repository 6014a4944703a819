#!/bin/sh
# Several runs in one folder, one of them killed; a claim from elsewhere; a cache beside two folders.
. "$SOURCE/tests/flow/common.sh"

experiment '[ 0.125, 0.25, 0.375, 0.5 ]' > e.yaml << 'END'
  reap:      { criterion: reap, strategy: lowest }
  frequency: { criterion: frequency, strategy: lowest }
  mone:      { criterion: mone, strategy: mone }
  random:    { criterion: random, strategy: lowest }
seeds: [ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 ]
END

grep -v 'random:\|seeds:' e.yaml > small.yaml

# once WHAT LOG...: nothing of that kind is said twice to have been made.
once()
{
    what=$1
    shift
    again=$(grep -ho "$what [^ ]*: made" "$@" | sort | uniq -d)
    [ -z "$again" ] || fail "made twice: $again"
}

# ---- four runs, one killed: 60 trials of a grid, and dense ----

for i in 1 2 3 4; do
    "$CULL" run e.yaml -o "$OUT" --verbose 2> "log.$i" &
    eval "run$i=$!"
done
sleep 0.6
kill -KILL "$run2" 2> /dev/null
wait "$run2" 2> /dev/null
for run in $run1 $run3 $run4; do
    wait "$run" || fail "a run beside others ends with status $?: $(cat log.?)"
done
has_trials 61
once trial log.?
once stage log.?
once calibration log.?
no_leftovers
run 0 e.yaml
says '61 trials: 61 were there, 0 done'
table > shared
mv "$OUT" together
run 0 e.yaml
table > alone
same_values alone shared || fail "other numbers of four runs than of one"

# ---- a run on another machine ----

rm -r "$OUT"
run 0 small.yaml
key=$("$CULL" plan small.yaml --json | sed -n 's/.*"id": "\([0-9a-f]*\)".*/\1/p' | head -1)
rm "$OUT"/trials/*dense*
mkdir -p "$OUT/claims"
echo '{"run":"far.1.0.run","host":"far","pid":1,"boot":"another","pids":"another","ticks":1}' > "$OUT/claims/far.1.0.run"
ln "$OUT/claims/far.1.0.run" "$OUT/claims/$key.claim"
"$CULL" run small.yaml -o "$OUT" 2> log &
waiting=$!
sleep 2
kill -0 "$waiting" 2> /dev/null || fail "it did not wait for a living run"
touch -d '10 minutes ago' "$OUT/claims/far.1.0.run"
wait "$waiting" || fail "it did not take over from a dead run"
says ' 1 done'

# ---- a cache: calibrations and cuts of one folder serve the other ----

OUT=$DIR/first
run 0 small.yaml --set "cache=$DIR/cache"
OUT=$DIR/second
CULL_CACHE=$DIR/cache
export CULL_CACHE
run 0 small.yaml --verbose
says '13 trials: 0 were there, 13 done'
grep -q 'stage [^ ]*: made\|calibration [^ ]*: made' log && fail "made again beside a cache"
[ -z "$(find "$OUT/calibration" -type f)" ] || fail "calibrations are beside the cache"
[ "$(find "$OUT/cuts" -type f | wc -l)" -gt 0 ] || fail "no cuts are in the folder"
"$CULL" gc "$DIR/cache" --older 0 > removed || fail "gc of a cache"
[ -z "$(find "$DIR/cache" -name '*.safetensors')" ] || fail "an old cache is not emptied"
trial=$(find "$OUT/trials" -name '*reap*0.25*.h5')
"$CULL" export "$trial" -o exported --layout jsonl 2> log || fail "the cut went with the cache"
