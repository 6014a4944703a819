#!/bin/sh
# Layers that stand apart are decided about by all ranks, a round of layers after the other: with the same bits, also
# after earlier cuts, with kept experts and where some layers may not be cut; what ranks say is said in the layers' order;
# who fails costs its own trial, with the sentence of a single rank.
#     CULL, SAME: the program, and same_tensors.c; ROUNDS: plugins/rounds.c
. "$SOURCE/tests/ranks/common.sh"
TEXT=$SOURCE/models/tinyworld/text

cat > head << END
models:     { tiny: { hf: { path: $SOURCE/models/tinyworld-mixtral } } }
calibrate:  { text: { files: $TEXT/facts.calibration.txt, length: 64, rows: 12, dense_rows: 7 } }
metrics:    [ { perplexity: { files: $TEXT/facts.heldout.txt, length: 64, rows_per_file: 3 } } ]
sparsities: [ 0.5 ]
methods:
END

# Layers 1 to 3 may be cut: a round of three ranks has a rank without a layer.
sed 's/^methods:/layers: { all: {}, later: { except: [0] } }\nmethods:/' head > layers.yaml
cat >> layers.yaml << 'END'
  subsets: { criterion: { enumeration: { objective: rel } }, strategy: { combinatorial: { limit: 2000 } } }
  kept:    { criterion: enumeration, strategy: { combinatorial: { limit: 10 } }, keep: [[0, 1], [0, 9], [2, 15]] }
  staged:
    - { criterion: frequency, strategy: { lowest: { experts: 0.25 } } }
    - { criterion: enumeration, strategy: combinatorial, recalibrate: true }
  merged:  { criterion: output-distance, strategy: { merge: { groups: average, align: activations } } }
END
more=
[ -z "${CULL_TEST_ALL:-}" ] || more="2 4"
compare_ranks layers 3 $more
"$CULL" compare one --format csv | grep -c . > trials
[ "$(cat trials)" -ge 8 ] || fail "too few trials: $(cat trials)"

# The run waits for the slowest of those that decide at the same time, and all of them took more.
"${CULL_TEST_PYTHON:-python3}" - one many << 'END' || [ $? -eq 77 ] || fail "timings"
import glob, sys
try:
    import h5py
except ImportError:
    sys.exit(77)
def took(trial):
    with h5py.File(trial) as f:
        at = f["timing/phase"].asstr()[()] == "select"
        return f["timing/wall_s"][()][at].sum(), f["timing/cpu_s"][()][at].sum()
for alone in glob.glob(sys.argv[1] + "/trials/*-subsets-*.h5"):
    together = alone.replace(sys.argv[1], sys.argv[2], 1)
    (wall, cpu), (waited, all_took) = took(alone), took(together)
    print(alone, wall, cpu, waited, all_took)
    if not (0 < wall == cpu and 0 < waited < all_took):
        sys.exit(1)
END

# What only rank 0 has statistics for is decided there, and so is what wants the same sample.
cat head - > alone.yaml << 'END'
  shared: { strategy: rounds }
  alone:  { strategy: { rounds: { channels: true } } }
END
compare_runs alone 3 "$DIR/alone.yaml" --plugin "$ROUNDS"
# Hessians, which go to the owners of their experts where experts are shared out, are all there, too.
sed 's/channels: true/hessians: true/' alone.yaml > sums.yaml
compare_runs sums 3 "$DIR/sums.yaml" --plugin "$ROUNDS"

# ---- what ranks say, and their failures ----

cat head - > faults.yaml << 'END'
  fine:    { strategy: rounds }
  fails:   { strategy: { rounds: { fault: fails, layer: 2 } } }
  crashes: { strategy: { rounds: { fault: crashes, layer: 1 } } }
  first:   { strategy: { rounds: { fault: no-number, layer: 0 } } }
  middle:  { strategy: { rounds: { fault: no-number, layer: 1 } } }
  last:    { strategy: { rounds: { fault: fails, layer: 3 } } }
  meddles: { strategy: { rounds: { fault: meddles, layer: 1 } } }
END
FAULTS='layer [0-9] will not be pruned|rounds, selecting layer [0-9]+: crashed .*|a rewritten matrix of layer [01] is not finite|layer 2 was changed while layer 1 was decided'
"$CULL" run "$DIR/faults.yaml" --plugin "$ROUNDS" -o one --threads 2 > log 2>&1
[ $? -eq 1 ] || fail "faults of one rank"
grep -oE "$FAULTS" log | sort > faults.one
ranks 3 "$CULL" run "$DIR/faults.yaml" --plugin "$ROUNDS" -o many --threads 1 > log 2>&1
[ $? -eq 1 ] || fail "faults of three ranks"
grep -oE "$FAULTS" log | sort > faults.many
[ "$(sort -u faults.one | wc -l)" -ge 6 ] && cmp -s faults.one faults.many || fail "other faults: $(diff faults.one faults.many)"
same faults 3
for run in one many; do
    grep -o 'rounds: layer [0-9]*: [^"]*' $run/log.jsonl > said.$run
    sort -u said.$run > all.$run
done
[ "$(wc -l < all.one)" -eq 4 ] || fail "too little was said: $(cat all.one)"
cmp -s all.one all.many || fail "ranks say other things: $(diff all.one all.many)"
[ "$(head -n 3 said.many)" = "$(head -n 3 all.one)" ] || fail "not in the layers' order: $(head -n 3 said.many)"
no_process "$CULL run "
