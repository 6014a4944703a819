#!/bin/sh
# Several runs in one folder, one of them killed; a claim from elsewhere; a cache beside folders, also at work at once.
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

# ---- a cache: calibrations, cuts and evaluations of one folder serve the other ----

# nothing_made: no calibration, no stage, no trial.
nothing_made() { ! grep '\(stage\|calibration\|trial\) [^ ]*: made' log || fail "made again beside a cache"; }

OUT=$DIR/first
run 0 small.yaml --set "cache=$DIR/ca[c]he *"
table > first.csv
OUT=$DIR/second
CULL_CACHE="$DIR/ca[c]he *"
export CULL_CACHE
"$CULL" plan small.yaml -o "$OUT" > log || fail "plan beside a cache"
says 'nothing to compute: all 13 trials are there, 13 of them in the cache'
run 0 small.yaml --verbose
says '13 trials taken from the cache'
says '13 trials: 13 were there, 0 done'
nothing_made
table | cmp -s - first.csv || fail "other values from the cache"
[ -z "$(find "$OUT/calibration" -type f)" ] || fail "calibrations are beside the cache"
[ "$(find "$OUT/cuts" -type f | wc -l)" -gt 0 ] || fail "no cuts are in the folder"

# Under other names, and with one metric more: that alone is computed, and serves the others in turn.
sed 's/^  reap: /  mine: /' small.yaml > more.yaml
sed -i "s|^methods:|  - choices: { tasks: $SOURCE/models/tinyworld/tasks/facts.jsonl }\\n&|" more.yaml
OUT=$DIR/third
run 0 more.yaml
says '13 trials taken from the cache'
says '13 trials: 0 were there, 13 done'
table > third.csv
OUT=$DIR/fourth
run 0 more.yaml --verbose
says '13 trials: 13 were there, 0 done'
nothing_made
[ -n "$(ls "$OUT/questions")" ] || fail "what the added metric asks did not come"
table | cmp -s - third.csv || fail "other values of added metrics from the cache"
OUT=$DIR/second
run 0 more.yaml --verbose
says '13 trials: 13 were there, 0 done'
nothing_made
OUT=$DIR/fifth
run 0 small.yaml --verbose
says '13 trials: 13 were there, 0 done'
[ -z "$(find "$OUT/trials" -name '*.eval-*')" ] || fail "an evaluation came that nobody asked for"

# Two folders at the same moment, the second under other names: nothing is made twice. One is killed in the midst of
# it, and a third takes what it left.
unset CULL_CACHE
sed 's/^  reap: /  mine: /' e.yaml > other.yaml
beside() { exec "$CULL" run "$1" -o "$DIR/$2" --set "cache=$DIR/at once" --verbose 2> "log.$2"; }
beside e.yaml left &
left=$!
beside other.yaml right &
wait "$!" || fail "a run beside another folder's ends with status $?: $(cat log.right)"
wait "$left" || fail "a run beside another folder's ends with status $?: $(cat log.left)"
once stage log.left log.right
once calibration log.left log.right
[ "$(cat log.left log.right | grep -c 'trial [^ ]*: made')" -eq 61 ] || fail 'not each trial was made once'
for OUT in "$DIR/left" "$DIR/right"; do
    has_trials 61
    no_leftovers
    table > at-once
    sed 's/,mine,/,reap,/' at-once | sort > named-alike
    same_values alone named-alike || fail 'other numbers beside another folder'
done
rm -r "$DIR/at once" "$DIR/left" "$DIR/right"
beside e.yaml left &
left=$!
beside e.yaml right &
right=$!
sleep 0.6
kill -KILL "$left" 2> /dev/null
wait "$left" 2> /dev/null
wait "$right" || fail "a run beside a killed one ends with status $?: $(cat log.right)"
OUT=$DIR/right
has_trials 61
no_leftovers
export CULL_CACHE

# A trial with a metric that nobody asked for is left, and so is one whose cut is gone; results are no cache.
OUT=$DIR/second
"$CULL" gc "$DIR/ca[c]he *" --older 0 > removed || fail "gc of a cache"
[ -z "$(find "$DIR/ca[c]he *" -name '*.safetensors' -o -name '*.h5')" ] || fail "an old cache is not emptied"
[ "$(trials)" -gt 0 ] || fail "trials went with the cache"
OUT=$DIR/sixth
run 0 more.yaml
says '13 trials: 0 were there, 13 done'
OUT=$DIR/seventh
run 0 small.yaml
says '13 trials: 0 were there, 13 done'
OUT=$DIR/eighth
run 0 small.yaml --set "cache=$DIR/seventh"
OUT=$DIR/seventh
[ "$(trials)" -eq 13 ] || fail "trials of another folder are in a folder of results"
[ ! -e "$OUT/CACHEDIR.TAG" ] || fail "a folder of results is marked as a cache"
OUT=$DIR/second
trial=$(find "$OUT/trials" -name '*reap*0.25*.h5')
"$CULL" export "$trial" -o exported --layout jsonl 2> log || fail "the cut went with the cache"

# ---- what is put into a cache serves as a whole, or not at all ----

# A metric that is added where there is no cache yet: the trials go into it with cuts that only their folder has.
sed "s|^methods:|  - choices: { tasks: $SOURCE/models/tinyworld/tasks/facts.jsonl }\\n&|" small.yaml > asked.yaml
unset CULL_CACHE
OUT=$DIR/ninth
run 0 small.yaml
CULL_CACHE=$DIR/late
export CULL_CACHE
run 0 asked.yaml
says '13 trials: 0 were there, 13 done'
table > ninth.csv
OUT=$DIR/tenth
run 0 asked.yaml --verbose
says '13 trials taken from the cache'
nothing_made

# goes_on CACHE WARNINGS: what cannot be taken is computed, with so many warnings of the cache.
goes_on()
{
    run 0 asked.yaml --set "cache=$1"
    says '13 trials: 0 were there, 13 done'
    [ "$(grep -c '^warning: cache: .*; goes on without it' log)" -eq "$2" ] || fail "not $2 warnings of the cache"
    table > again.csv
    same_values again.csv ninth.csv || fail "other values beside a cache that does not serve"
}
cp -r late faulty
for asked in faulty/questions/*.h5; do
    rm "$asked"
    mkdir "$asked"
done
OUT=$DIR/eleventh
goes_on "$DIR/faulty" 1

# Nor do trials serve without what they ask; and what cannot be put is left.
rm -r late/questions
OUT=$DIR/twelfth
goes_on "$DIR/late" 0
mkdir full
cp late/CACHEDIR.TAG full
: > full/trials
OUT=$DIR/thirteenth
goes_on "$DIR/full" 1

# ---- a cache that takes no calibrations, steps or cuts costs its use, not the run ----

# warned: one line about the cache, and the values that there are without one.
warned()
{
    [ "$(grep -c '^warning: cache: .*; goes on without it' log)" -eq 1 ] || fail 'not one warning of the cache'
    has_trials 5
    table | cmp -s - without.csv || fail 'other values beside a cache that fails'
    no_leftovers
}

grep -v 'frequency:\|mone:\|random:\|seeds:' e.yaml |
    sed 's/sparsities: .*/sparsities: [ 0.25, 0.5 ]/' > few.yaml
echo '  wanda: { criterion: wanda, strategy: unstructured }' >> few.yaml
unset CULL_CACHE
OUT=$DIR/without
run 0 few.yaml
[ "$(trials)" -eq 5 ] || fail "$(trials) trials"
table > without.csv
for room in calibration steps cuts claims whole; do
    OUT=$DIR/lacks-$room
    if [ $room = whole ]; then
        : > "$DIR/no-$room"
    else
        mkdir "$DIR/no-$room"
        : > "$DIR/no-$room/$room"
    fi
    "$CULL" plan few.yaml -o "$OUT" --set "cache=$DIR/no-$room" > log 2>&1 || fail "plan beside a cache without $room"
    run 0 few.yaml --set "cache=$DIR/no-$room"
    warned
    run 0 few.yaml --set "cache=$DIR/no-$room"
    says '5 trials: 5 were there, 0 done'
done

# Nor does one that disappears while it is in use: before calibrations go into it, and between cuts and trials.
CULL_CACHE=$DIR/short
export CULL_CACHE
sed 's/criterion: reap/criterion: { border: { in: add_rows, how: remove } }/' few.yaml > gone.yaml
OUT=$DIR/uncalibrated
run 0 gone.yaml --plugin "$BINARY/tests/flow/metric-border.so"
says '5 trials: 0 were there, 5 done'
[ "$(grep -c '^warning: cache: ' log)" -eq 1 ] || fail 'not one warning of the cache'
sed 's/^methods:/  - border: { in: score, how: remove }\n&/' few.yaml > gone.yaml
OUT=$DIR/uncut
run 0 gone.yaml --plugin "$BINARY/tests/flow/metric-border.so"
says '5 trials: 0 were there, 5 done'
[ "$(grep -c '^warning: cache: ' log)" -eq 1 ] || fail 'not one warning of the cache'
for trial in "$OUT"/trials/*-s*.h5; do
    "$CULL" export "$trial" -o one.jsonl --layout jsonl 2> log || fail "no cut of $trial"
    rm -r one.jsonl
done
unset CULL_CACHE

# A trial whose cut is damaged is left where it is, and made.
OUT=$DIR/whole
run 0 few.yaml --set "cache=$DIR/hurt"
for cut in hurt/cuts/*; do
    cp "$cut" hurt/copy
    printf x | dd of=hurt/copy bs=1 seek=$(($(stat -c %s "$cut") - 9)) conv=notrunc 2> /dev/null
    mv hurt/copy "$cut"
done
OUT=$DIR/mended
run 0 few.yaml --set "cache=$DIR/hurt"
says '^warning: cache: .*/cuts/.* is damaged: .*; goes on without it'
says '5 trials: 1 were there, 4 done'
table | cmp -s - without.csv || fail 'other values beside damaged cuts'
"$CULL" export "$(find "$OUT/trials" -name '*wanda-s0.5*')" -o one.jsonl --layout jsonl 2> log || fail 'a damaged cut came'

# Plan and run agree where a trial is there under another name: what the cache could give to who has nothing of it.
echo '  reap: { criterion: reap, strategy: lowest }' | experiment '[ 0.25 ]' > one.yaml
sed "s|^methods:|  - choices: { tasks: $SOURCE/models/tinyworld/tasks/facts.jsonl }\\n&|" one.yaml > both.yaml
sed 's/^  reap:/  mine:/' both.yaml > mine.yaml
OUT=$DIR/has-both
run 0 both.yaml --set "cache=$DIR/both"
OUT=$DIR/has-one
run 0 one.yaml
"$CULL" plan mine.yaml -o "$OUT" --set "cache=$DIR/both" > log || fail 'plan beside a cache'
says '^there: 0 of 2 trials, 2 of 4 evaluations'
run 0 mine.yaml --set "cache=$DIR/both"
says '2 trials: 0 were there, 2 done'
