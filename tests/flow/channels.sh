#!/bin/sh
# Channels from the experiment's file to a checkpoint: budgets are met, cuts can be taken from their files, exports
# evaluate to what was recorded, and what cannot be is refused.
. "$SOURCE/tests/flow/common.sh"

echo '
  equal:  { criterion: { wanda: { by: channel } }, strategy: { channels: { widths: equal } } }
  free:   { criterion: camera, strategy: channels, propagate: pruned }
  flap:   { criterion: flap, strategy: flap }
  staged:
    - { criterion: reap, strategy: { lowest: { experts: 0.25 } } }
    - { criterion: { wanda: { by: channel } }, strategy: { channels: { widths: equal } } }
  masked:
    - { criterion: { wanda: { by: channel } }, strategy: { channels: { widths: equal, experts: 0.25 } } }
    - { criterion: { wanda: { gated: true } }, strategy: unstructured, recalibrate: true }
allocations: [ layer ]
output: { store: model }' | experiment '[ 0.5 ]' > e.yaml
run 0 e.yaml
"$CULL" compare "$OUT" --format csv > recorded || fail "compare"

trial_of() { find "$OUT/trials" -name "tiny-$1-s0.5-layer-*.h5"; }
perplexity_of() { grep "$1" | cut -d, -f10; }

# In one stage or two a half of the parameters goes, and never more.
"$CULL" compare "$OUT" > table 2> log || fail "compare"
awk '$1 == "0.5" { n++; if ($3 > 50 || $3 < 49) exit 1 } END { exit n != 5 }' table || fail "budgets: $(cat table)"
# What runs for a token is less only where experts are narrower.
awk '$2 == "free" || $2 == "flap" { if ($5 > 0 || $5 < -1) exit 1 } $2 == "equal" { if ($5 < 20) exit 1 }' table || fail "active parameters: $(cat table)"

for trial in equal free staged masked; do
    "$CULL" export "$(trial_of $trial)" -o "exported-$trial" 2> log || fail "export of $trial"
    (
        OUT=$DIR/out-$trial
        methods='{random: {criterion: random, strategy: {lowest: {action: zero}}}}'
        run 0 e.yaml --set "models.tiny.hf.path=$DIR/exported-$trial" --set "methods=$methods" --set 'allocations=[layer]'
        "$CULL" compare "$OUT" --format csv | perplexity_of ,dense, > is
        cat recorded | perplexity_of ",$trial," > was
        paste is was | awk '{ d = $1 / $2 - 1; exit !($2 > 1 && d < 1e-5 && d > -1e-5) }' || fail "$trial: $(cat is) where $(cat was) was recorded"
    ) || exit 1
done
grep -q '"intermediate_size": 64,' exported-equal/config.json || fail "equal widths do not make experts narrower"
grep -q '"intermediate_size": 128,' exported-free/config.json || fail "zeros do not leave the width alone"

# A stored cut is evaluated as the trial that it is of.
(
    cut=$(cut_of 'tiny-flap-s0.5-layer-*.h5')
    OUT=$DIR/out-from
    run 0 e.yaml --set "methods={again: {strategy: {from: {path: $cut}}}}" --set 'allocations=[layer]'
    "$CULL" compare "$OUT" --format csv | perplexity_of ,again, > is
    cat recorded | perplexity_of ",flap," > was
    cmp -s is was || fail "from: $(cat is) where $(cat was) was recorded"
) || exit 1

if "$CULL" export "$(trial_of flap)" -o nothing 2> log; then fail "an output bias was exported"; fi
says 'its experts have no output bias'
python=${CULL_TEST_PYTHON:-python3}
if $python -c 'import h5py' 2> /dev/null; then # trials know which of them are exported
    for trial in equal free flap; do
        $python -c 'import sys, h5py; print(h5py.File(sys.argv[1])["cut"].attrs["exportable"])' "$(trial_of $trial)"
    done > exportable
    [ "$(tr '\n' ' ' < exportable)" = '1 1 0 ' ] || fail "exportable are $(cat exportable), not 1 1 0"
fi
"$CULL" export "$(trial_of flap)" --drop-bias -o dropped 2> log || fail "export without biases"
says 'output biases are left out'
