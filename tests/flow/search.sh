#!/bin/sh
# Searches for counts per layer: better than an equal share on their own data, the same after an interruption, taken
# by other methods, never on a metric's data.
. "$SOURCE/tests/flow/common.sh"

on="{ divergence: { files: $SOURCE/models/tinyworld/text/facts.calibration.txt, length: 64, rows_per_file: 4 } }"
{
    experiment '[ 0.25, 0.5 ]'
    cat << END
  reap: { criterion: reap, strategy: lowest }
  mone: { criterion: mone, strategy: mone }
  stun:
    - { criterion: similarity, strategy: { greedy-latent: { experts: 0.25 } } }
    - { criterion: wanda, strategy: unstructured, recalibrate: true }
seeds: [ 1, 2 ]
allocations:
  - layer
  - search: { population: 6, generations: 3, survivors: 2, on: $on }
  - { like: reap, search: { by: greedy, name: hill, population: 6, generations: 3, on: $on } }
END
} > e.yaml < /dev/null

# The plan says what it costs: of each of the two sparsities (stun's first stage is one) and seeds.
"$CULL" plan e.yaml > plan 2> log || fail "plan"
grep -q '^  search  *42 passes' plan || { cat plan; fail "no such cost of the searches"; }
grep -q 'like:reap:search:hill' plan || fail "no such label"

run 0 e.yaml
has_trials 31
cp -r "$OUT" whole
table > undisturbed

# All is there.
run 0 e.yaml
says '31 were there, 0 done'
grep -q 'search: generation' log && fail "a search is made again"

# A generation that is lost is made again, and comes to the same; those before it are not.
cat > forget.py << 'END'
import glob, json, struct, sys
for path in glob.glob(sys.argv[1] + "/calibration/*.search.safetensors"):
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    head, data = json.loads(raw[8:8 + n]), raw[8 + n:]
    head.pop("__metadata__")
    piece = lambda k: data[slice(*head[k]["data_offsets"])]
    L = head["gone"]["shape"][1]
    generation = struct.unpack("<%dq" % head["generation"]["shape"][0], piece("generation"))
    m = sum(g < 2 for g in generation)
    assert max(generation) >= 2, generation
    tensors = {"fitness": ("F64", [m], piece("fitness")[:8 * m]), "generation": ("I64", [m], piece("generation")[:8 * m]),
               "gone": ("I64", [m, L], piece("gone")[:8 * m * L])}
    out, body, head = b"", b"", {}
    for name, (dtype, shape, b) in tensors.items():
        head[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(b)]}
        body += b
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    open(path, "wb").write(struct.pack("<Q", len(text)) + text + body)
END
if command -v python3 > /dev/null; then
    python3 forget.py "$OUT" || fail "the histories cannot be shortened"
    rm -r "$OUT/trials" "$OUT/cuts" "$OUT/steps"
    run 0 e.yaml
    [ "$(grep -c 'search: generation 3 of 3' log)" -gt 0 ] || fail "the last generation is not made again"
    grep -q 'search: generation [12] of 3' log && fail "generations that were there are made again"
    table > resumed
    same_values undisturbed resumed || fail "other numbers after an interruption"
    for name in "$OUT"/calibration/*.search.safetensors; do
        cmp "$name" "whole/calibration/$(basename "$name")" || fail "another history after an interruption"
    done
fi

# On the data that it is made for, what is found is no worse than an equal share, and the history has its overlap.
cat > check.py << 'END'
import sys, glob, h5py, numpy as np
equal = {}
for path in glob.glob(sys.argv[1] + "/trials/*.h5"):
    with h5py.File(path) as f:
        if f.attrs["method"] != "dense" and "search" not in f.attrs["allocation"] and "metrics" in f:
            m = f["metrics"]
            for name, value in zip(m["metric"].asstr()[()], m["value"][()]):
                if name == "overlap":
                    equal[f.attrs["method"], round(float(f.attrs["sparsity"]), 6)] = float(value)
assert len(equal) == 4, equal
seen = 0
for path in glob.glob(sys.argv[2] + "/trials/*.h5"):
    with h5py.File(path) as f:
        if "search" not in f.attrs["allocation"]:
            continue
        s = f["search"]
        gone, fitness, generation = s["gone"][()], s["fitness"][()], s["generation"][()]
        assert s.attrs["fitness_of"] == "overlap" and '"on":{"divergence"' in s.attrs["settings"]
        assert (np.diff(generation) >= 0).all() and len(np.unique(gone, axis=0)) == len(gone)
        assert (gone.sum(axis=1) == gone.sum(axis=1)[0]).all() and (gone <= 16).all()
        best = gone[np.argmax(fitness)]
        if f.attrs["method"] != "stun":
            kept = f["layers/n_kept"][()]
            assert ((16 - kept) == best).all(), (path, kept, best)
        key = (f.attrs["method"], round(float(f.attrs["sparsity"]), 6))
        if "like" not in f.attrs["allocation"] and key in equal:
            assert abs(fitness[0] - equal[key]) < 1e-6, (path, fitness[0], equal[key])
            seen += 1
        assert fitness.max() >= fitness[0]
assert seen == 8, seen
END
python=${CULL_TEST_PYTHON:-python3}
if $python -c 'import h5py, numpy' 2> /dev/null; then
    sed "s|- perplexity: .*|- $on|; /^seeds/d; /^allocations/,\$d; /stun:/,/recalibrate/d" e.yaml > equal.yaml
    OUT=$DIR/equal run 0 equal.yaml
    $python check.py "$DIR/equal" "$OUT" || fail "the history is not what was found"
fi

# A value that the metric does not report costs the search's trials alone, and says which there are.
sed 's/population: 6, generations: 3, survivors/fitness: overlaps, population: 6, generations: 1, survivors/' e.yaml > wrong.yaml
OUT=$DIR/wrong
run 1 wrong.yaml
says 'metric divergence reports no "overlaps", but kl, top1_agreement, overlap'
says ' 12 failed'

# A sensitivity cuts one layer alone, which is as much as was to go of it.
echo '  mone: { criterion: mone, strategy: mone }' | experiment '[ 0.5 ]' > alone.yaml
OUT=$DIR/alone
run 0 alone.yaml --set "allocations=[ search: { by: sensitivity, on: $on } ]"
has_trials 2
grep 'of the parameters that there were' log && fail "a warning of a cut that is as it was asked for"
exit 0
