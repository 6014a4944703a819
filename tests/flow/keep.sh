#!/bin/sh
# Kept experts are left alone by every strategy, and the others still meet the budget; budgets in experts and bytes
# are met by exports.
. "$SOURCE/tests/flow/common.sh"

echo '[[0, 0], [0, 3], [1, 10], [3, 15]]' > kept.json
echo '
  frequency: { criterion: frequency, strategy: lowest, keep: kept.json }
  reap:      { criterion: reap, strategy: lowest, keep: [[0, 0], [0, 3], [1, 10], [3, 15]] }
  mone:      { criterion: mone, strategy: mone, keep: kept.json }
  stun:      { criterion: similarity, strategy: { greedy-latent: { reconstruct: mean } }, keep: kept.json }
  merge:     { criterion: logit-similarity, strategy: { merge: { groups: average } }, keep: kept.json }
  ream:      { criterion: ream, strategy: { merge: { groups: centroids, usage: reap, capacity: 8, router: drop, align: both } }, propagate: pruned, keep: kept.json }
  subsets:   { criterion: enumeration, strategy: { combinatorial: { limit: 1 } }, keep: kept.json }
  channels:  { criterion: camera, strategy: channels, keep: kept.json }
  equal:     { criterion: { wanda: { by: channel } }, strategy: { channels: { widths: equal } }, keep: kept.json }
  wanda:     { criterion: wanda, strategy: unstructured, keep: kept.json }
  sparsegpt: { strategy: { sparsegpt: { propagate: pruned } }, keep: kept.json }
  super:     { criterion: random, strategy: lowest, keep: super }
  plain:     { criterion: frequency, strategy: lowest }
allocations: [ layer ]' | experiment '[ 0.5 ]' > e.yaml
run 0 e.yaml --verbose
has_trials 14
says 'kept super experts (layer/expert):'

for method in frequency reap mone stun merge ream subsets channels equal wanda sparsegpt; do
    # The header names what is changed: nothing of the kept.
    head -c 400000 "$(cut_of "tiny-$method-s0.5-*.h5")" | tr ',{}"' '\n\n\n\n' > names
    grep -E '^layer\.(0\.expert\.(0|3)|1\.expert\.10|3\.expert\.15)\.' names && fail "$method changes a kept expert"
    grep -q '^layer\.[0-3]\.action' names || fail "$method: no actions"
done
for method in frequency reap; do
    "$CULL" export "$(find "$OUT/trials" -name "tiny-$method-s0.5-*.h5")" --layout mask -o mask.json || fail "mask"
    for kept in '0 0' '0 3' '1 10' '3 15'; do
        tr "{" "\n" < mask.json | grep "\"layer\": ${kept% *}," | sed 's/.*"masked": \[\(.*\)\].*/,\1,/' | tr -d ' ' | grep -q ",${kept#* }," &&
            fail "$method drops expert $kept"
    done
done
"$CULL" compare "$OUT" > table 2> log || fail "compare"
# Experts go by halves of a layer; channels and weights within one unit.
awk '$1 == "0.5" { n++; if ($3 > 50 || $3 < 49) exit 1 } END { exit n != 13 }' table || fail "budgets: $(cat table)"

# Budgets: of experts that stay, and of bytes, which no export exceeds by a byte and one expert more would.
(
    OUT=$DIR/out-budgets
    # Bytes of a checkpoint's tensors: without the header, whose length its first eight bytes are.
    weights_of() { echo $(($(stat -c %s "$1") - 8 - $(od -An -t u8 -N 8 "$1"))); }
    most=$(($(weights_of "$SOURCE/models/tinyworld-mixtral/model.safetensors") * 7 / 10))
    echo '
  reap:  { criterion: reap, strategy: lowest }
  equal: { criterion: { wanda: { by: channel } }, strategy: { channels: { widths: equal } } }
allocations: [ layer ]
output: { store: model }' | experiment "[ { bytes: $most }, { experts: 12 } ]" > b.yaml
    run 0 b.yaml
    has_trials 5
    "$CULL" compare "$OUT" > table || fail "compare"
    [ "$(grep -c '25.0 %' table)" -eq 2 ] || fail "12 of 16 experts are not a quarter: $(cat table)"
    # One expert a layer, or one channel of each expert, from 128 x 3 x 128 numbers in bfloat16.
    for method in reap equal; do
        trial=$(find "$OUT/trials" -name "tiny-$method-*.h5" | grep -v s0.25)
        "$CULL" export "$trial" -o "exported-$method" 2> log || fail "export of $method"
        size=$(weights_of "exported-$method/model.safetensors")
        unit=$((4 * 3 * 128 * 128 * 2))
        [ $method = equal ] && unit=$((4 * 16 * 3 * 128 * 2))
        [ "$size" -le "$most" ] && [ $((size + unit)) -gt $((most - 5000)) ] || fail "$method: $size bytes where $most were allowed"
    done
    echo '
  equal: { criterion: { wanda: { by: channel } }, strategy: { channels: { widths: equal } } }
  wanda: { criterion: wanda, strategy: unstructured }
allocations: [ layer ]' | experiment "[ { active: 0.8 } ]" > a.yaml
    OUT=$DIR/out-active
    run 0 a.yaml
    "$CULL" compare "$OUT" > table || fail "compare"
    awk '$2 == "equal" || $2 == "wanda" { n++; if ($5 < 20 || $5 > 21) exit 1 } END { exit n != 2 }' table || fail "active: $(cat table)"
) || exit 1
