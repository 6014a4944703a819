#!/bin/sh
# --memory is a node's: what a refusal says the ranks need is enough for so many, and they keep to it together.
#     CULL, SANITIZED: the program, and whether it is built with sanitizers, which have memory of their own
. "$SOURCE/tests/ranks/common.sh"
TEXT=$SOURCE/models/tinyworld/text
cat > e.yaml << END
models:     { tiny: { hf: { path: $SOURCE/models/tinyworld-mixtral } } }
calibrate:  { text: { files: $TEXT/facts.calibration.txt, length: 128, rows: 16 } }
sparsities: [ 0.5 ]
metrics:    [ { perplexity: { files: $TEXT/facts.heldout.txt, length: 128, rows_per_file: 4 } } ]
methods:
  reap:      { criterion: reap, strategy: lowest }
  merge:     { criterion: similarity, strategy: merge }
  sparsegpt: { strategy: sparsegpt }
END

needed() { sed -n 's/^error: --memory of 1 MB is too little .*: it needs \([0-9]*\) MB.*/\1/p' log; }

"$CULL" run e.yaml -o one --memory 1M > log 2>&1
alone=$(needed)
for n in 2 3; do
    ranks "$n" "$CULL" run e.yaml -o many --threads 1 --memory 1M > log 2>&1 && fail "$n ranks within 1 MB"
    says_once 'for the ranks of a node'
    all=$(needed)
    [ "$all" -gt "$alone" ] && [ "$all" -lt $((n * alone)) ] || fail "$all MB of $n ranks, $alone MB of one"
    rm -rf many peak.*
    if /usr/bin/time -f %M true 2> peak && [ "${SANITIZED:-0}" = 0 ]; then
        # shellcheck disable=SC2016 # each rank's own process
        ranks "$n" sh -c '/usr/bin/time -f %M -o "peak.$$" "$@"' rank "$CULL" run e.yaml -o many --threads 1 \
            --memory "${all}000000" > log 2>&1 || fail "$n ranks within $all MB"
        [ "$(cat peak.* | awk '{ sum += $1 } END { print int(sum * 1.024) }')" -le "${all}000" ] ||
            fail "$(cat peak.*) kB of $n ranks where $all MB are allowed"
    else
        ranks "$n" "$CULL" run e.yaml -o many --threads 1 --memory "${all}000000" > log 2>&1 ||
            fail "$n ranks within $all MB"
    fi
    echo "$n ranks: $all MB, where one needs $alone"
done
