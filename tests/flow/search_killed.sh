#!/bin/sh
# Killed at any moment, a search goes on with the generation that was not kept: what it finds, and the history, are those of
# an undisturbed one, and no generation is scored twice.
. "$SOURCE/tests/flow/common.sh"

on="{ divergence: { files: $SOURCE/models/tinyworld/text/facts.calibration.txt, length: 64, rows_per_file: 2 } }"
{
    experiment '[ 0.25, 0.5 ]'
    cat << END
  reap: { criterion: reap, strategy: lowest }
allocations:
  - search: { population: 4, generations: 6, survivors: 2, on: $on }
  - search: { by: greedy, name: hill, population: 4, generations: 5, on: $on }
END
} > e.yaml < /dev/null

run 0 e.yaml
cp -r "$OUT" whole
table > undisturbed
scored=$(grep -c 'search: generation' log)
rm -r "$OUT"

# Moments by chance, later ones as it goes
seed=${CULL_TEST_SEED:-1}
for i in 1 2 3 4 5 6 7 8; do
    "$CULL" run e.yaml -o "$OUT" 2>> killed &
    run=$!
    sleep "$(awk -v s="$seed" -v i=$i 'BEGIN { srand(s * 100 + i); print rand() * i / 4 }')"
    kill -KILL $run 2> /dev/null
    wait $run 2> /dev/null
done
run 0 e.yaml
no_leftovers
[ "$(cat killed log | grep -c 'search: generation')" -le "$scored" ] || fail "generations are scored twice"
table > resumed
same_values undisturbed resumed || fail "other numbers after kills"
for name in whole/calibration/*.search.safetensors; do
    cmp "$name" "$OUT/calibration/$(basename "$name")" || fail "another history after kills"
done
