#!/bin/sh
# What `cull plan --ranks` says that ranks tell each other is what a run of theirs hands over; it may be up to twice as
# much, since experts that a rank's tokens do not reach have no sums to tell.
#     CULL: the program
. "$SOURCE/tests/ranks/common.sh"
TEXT=$SOURCE/models/tinyworld/text
cat > e.yaml << END
models:     { tiny: { hf: { path: $SOURCE/models/tinyworld-mixtral } } }
calibrate:  { text: { files: $TEXT/facts.calibration.txt, length: 128, rows: 32 } }
sparsities: [ 0.5 ]
metrics:    [ { perplexity: { files: $TEXT/facts.heldout.txt, length: 128, rows_per_file: 8 } } ]
methods:
  moments:   { criterion: mone, strategy: lowest }
  wanda:     { criterion: wanda, strategy: unstructured }
  subsets:   { criterion: enumeration, strategy: combinatorial }
  sparsegpt: { strategy: sparsegpt }
END
LAYERS=4

# Megabytes told on so many ranks: a layer of calibrations, four times, and of the evaluation.
planned()
{
    awk -v layers=$LAYERS '
        function megabytes(i) { return $i in unit ? $(i - 1) * unit[$i] : $i / 1e6 } # "4.4 MB", or "576B"
        BEGIN { unit["kB"] = 1e-3; unit["MB"] = 1; unit["GB"] = 1e3 }
        { for (i = 2; i < NF; i++) if ($i == "told") sum += megabytes(i - 1) * ($(i + 2) ~ /layer/ ? layers : 1) }
        END { print sum }' "$1"
}

# agrees RANKS ARGUMENT...
agrees()
{
    n=$1
    shift
    rm -rf out
    "$CULL" plan e.yaml -o out --ranks "$n" "$@" > plan 2> log || fail "plan"
    ranks "$n" "$CULL" run e.yaml -o out --threads 1 --verbose "$@" > log 2>&1 || fail "run"
    moved=$(sed -n 's/.* handed over \([0-9.]*\) MB in.*/\1/p' log)
    echo "$n ranks, $*: $(planned plan) MB planned, $moved MB handed over"
    awk -v a="$(planned plan)" -v b="$moved" 'BEGIN { exit !(a > 0.95 * b && a < 2 * b) }' || fail "$(cat plan)"
}
agrees 2 --only method=sparsegpt
agrees 2 --only method=subsets
agrees 3 --only method=wanda
agrees 2
