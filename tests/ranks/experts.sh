#!/bin/sh
# A layer's experts are decided about by all ranks: with the same bits, also for cuts of cuts, kept experts and decisions
# that later layers see; what ranks say is said; who fails costs its own trials, with the sentence of a single rank.
#     CULL, SAME: the program, and same_tensors.c; PORTIONS: plugins/portions.c
. "$SOURCE/tests/ranks/common.sh"
TEXT=$SOURCE/models/tinyworld/text

cat > head << END
models:     { tiny: { hf: { path: $SOURCE/models/tinyworld-mixtral } } }
calibrate:  { text: { files: $TEXT/facts.calibration.txt, length: 128, rows: 32 } }
metrics:    [ { perplexity: { files: $TEXT/facts.heldout.txt, length: 128, rows_per_file: 5 } } ]
sparsities: [ 0.5 ]
methods:
END

cat head - > experts.yaml << 'END'
  whole:   { strategy: sparsegpt }
  pruned:  { strategy: { sparsegpt: { propagate: pruned } } }
  kept:    { strategy: sparsegpt, keep: [[0, 1], [0, 9], [2, 15]] }
  staged:
    - { criterion: frequency, strategy: { lowest: { experts: 0.25 } } }
    - { strategy: sparsegpt, recalibrate: true }
  masked:
    - { criterion: magnitude, strategy: { unstructured: { experts: 0.25 } } }
    - { strategy: { sparsegpt: { m: 4 } } }
END
more=
[ -z "${CULL_TEST_ALL:-}" ] || more="2 4"
compare_ranks experts 3 $more

# ---- what ranks say, and their failures ----

cat head - > faults.yaml << 'END'
  fine:    { strategy: portions }
  fails:   { strategy: { portions: { fault: fails, layer: 2, expert: 11 } } }
  crashes: { strategy: { portions: { fault: crashes, layer: 1, expert: 14 } } }
  first:   { strategy: { portions: { fault: no-number, layer: 1, expert: 2 } } }
  middle:  { strategy: { portions: { fault: no-number, layer: 2, expert: 7 } } }
  meddles: { strategy: { portions: { fault: meddles, layer: 0, expert: 1 } } }
END
FAULTS='expert 11 will not be pruned|portions, selecting layer [0-9]+: crashed .*|a rewritten matrix of layer [12] is not finite'
"$CULL" run "$DIR/faults.yaml" --set '~methods.meddles' --plugin "$PORTIONS" -o one --threads 2 > log 2>&1
[ $? -eq 1 ] || fail "faults of one rank"
grep -oE "$FAULTS" log | sort > faults.one
ranks 3 "$CULL" run "$DIR/faults.yaml" --set '~methods.meddles' --plugin "$PORTIONS" -o many --threads 1 > log 2>&1
[ $? -eq 1 ] || fail "faults of three ranks"
grep -oE "$FAULTS" log | sort > faults.many
[ "$(sort -u faults.one | wc -l)" -ge 4 ] && cmp -s faults.one faults.many || fail "other faults: $(diff faults.one faults.many)"
same faults 3
for run in one many; do # by trial, layer and expert, as the log has them
    grep -o 'portions: layer [0-9]*, expert [0-9]*: [^"]*' $run/log.jsonl | sort > said.$run
done
[ "$(wc -l < said.one)" -ge 128 ] || fail "too little was said"
sort -u said.one > some.one
sort -u said.many > some.many
cmp -s some.one some.many || fail "ranks say other things: $(diff some.one some.many | head)"

ranks 2 "$CULL" run "$DIR/faults.yaml" --only method=meddles --plugin "$PORTIONS" -o meddled --threads 1 > log 2>&1
[ $? -eq 1 ] || fail "a strategy that decides about what it was not asked"
says_once 'error: .*strategy portions changed layer 0, expert 9, about which it was not asked'
no_process "$CULL run "
