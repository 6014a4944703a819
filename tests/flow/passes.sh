#!/bin/sh
# Calibrations that wait for nothing share a pass over the weights, whatever they are gathered on.
. "$SOURCE/tests/flow/common.sh"

methods='
  stun:
    - { criterion: similarity, strategy: { greedy-latent: { experts: 0.25 } } }
    - { criterion: wanda, strategy: unstructured, recalibrate: true }
  reap:
    - { criterion: reap, strategy: { lowest: { experts: 0.25 } } }
    - { criterion: wanda, strategy: unstructured, recalibrate: true }
  naee:   [ { criterion: enumeration, strategy: { combinatorial: { inputs: progressive } } } ]
  pruned: [ { criterion: wanda, strategy: unstructured, propagate: pruned } ]'
echo "$methods" | experiment '[ 0.5 ]' > e.yaml
"$CULL" plan e.yaml -o "$OUT" > plan || fail "plan"

# First what both first stages need, with the sets that are searched layer by layer; then the masks that
# ask for all layers first; then what both first stages left.
run 0 e.yaml --verbose
says '5 trials: 0 were there, 5 done, 0 failed, 0 left'
made_passes()
{
    grep -o 'a pass over the weights for .*' log > passes
    printf 'a pass over the weights for %s\n' "$@" | diff - passes || fail "other passes"
}
made_passes '2 calibrations' '1 calibration' '2 calibrations'

# The plan had counted how often rows go through a layer: again as it was decided, and as it was before.
planned=$(sed -n 's/.*(\([0-9.]*\) forward equivalents).*/\1/p' plan | awk '{ n += $1 } END { print n }')
computed=$(sed -n 's/^\([0-9.]*\) forward equivalents were computed.*/\1/p' log)
awk -v p="$planned" -v c="$computed" 'BEGIN { exit !(p > 0.95 * c && p < 1.05 * c) }' ||
    fail "$planned forward equivalents were planned and $computed computed"

# Statistics and what was decided in a pass are there the next time.
rm -r "$OUT/trials"
run 0 e.yaml --verbose
says '5 trials: 0 were there, 5 done, 0 failed, 0 left'
grep -q 'a pass over the weights' log && fail "what was there is gathered again"

# What runs under rules is counted together, and gathers nothing; a rule that rests on statistics is counted
# after them, as is what a later stage leaves.
planned() { "$CULL" plan "$@" -o "$OUT" 2> log | sed -n 's/^  calibrate  *\([0-9]*\) pass.*/\1/p'; }
rules='
  half: { strategy: { top-p: { p: 0.5 } } }
  most: { strategy: { top-p: { p: 0.8 } } }'
rm -r "$OUT"
echo "$rules" | experiment '[ 0.5 ]' > rules.yaml
"$CULL" plan rules.yaml > plan || fail "plan"
grep -q '^calibration 1: model tiny, what runs under 2 cuts is counted$' plan || fail "other sets: $(cat plan)"
[ "$(planned rules.yaml)" = 1 ] || fail "other passes are planned"
run 0 rules.yaml --verbose
made_passes '2 calibrations'
rules="$rules
  reap: { criterion: reap, strategy: { lowest: { experts: 0.25 } } }
  skip: { strategy: skip }
  then: [ { strategy: { top-p: { p: 0.9 } } }, { criterion: wanda, strategy: unstructured } ]"
echo "$rules" | experiment '[ 0.5 ]' > rules.yaml
[ "$(planned rules.yaml)" = 3 ] || fail "other passes are planned"
run 0 rules.yaml --verbose
made_passes '2 calibrations' '1 calibration' '1 calibration'
exit 0
