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

# First what both first stages need, with the sets that are searched layer by layer; then the masks that
# ask for all layers first; then what both first stages left.
run 0 e.yaml --verbose
says '5 trials: 0 were there, 5 done, 0 failed, 0 left'
grep -o 'a pass over the weights for .*' log > passes
printf 'a pass over the weights for %s\n' '2 calibrations' '1 calibration' '2 calibrations' | diff - passes ||
    fail "other passes"

# Statistics and what was decided in a pass are there the next time.
rm -r "$OUT/trials"
run 0 e.yaml --verbose
says '5 trials: 0 were there, 5 done, 0 failed, 0 left'
grep -q 'a pass over the weights' log && fail "what was there is gathered again"
exit 0
