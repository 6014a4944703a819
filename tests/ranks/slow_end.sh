#!/bin/sh
# A run whose work is done is done, however long MPI takes to end, and where the process that speaks it is stopped there.
#     CULL, SLOW_END: the program, and slow_end.c
. "$SOURCE/tests/ranks/common.sh"
cat > e.yaml << END
models:     { tiny: { hf: { path: $SOURCE/models/tinyworld-mixtral } } }
sparsities: [ 0.5 ]
metrics:    [ { perplexity: { files: $SOURCE/models/tinyworld/text/facts.heldout.txt, length: 64, rows_per_file: 2 } } ]
methods:    { random: { criterion: random, strategy: lowest } }
END
begun=$(date +%s)
ranks 2 env LD_PRELOAD="$SLOW_END" "$CULL" run e.yaml -o out --threads 1 > log 2>&1 || fail "a run whose MPI ends slowly"
[ $(($(date +%s) - begun)) -ge 5 ] || fail "its MPI did not end slowly"
says_once '2 trials: 0 were there, 2 done, 0 failed, 0 left'
no_process "$CULL run "

rm -r out
ranks 2 env LD_PRELOAD="$SLOW_END" STOPS_AT_ITS_END=1 "$CULL" run e.yaml -o out --threads 1 > log 2>&1 ||
    fail "a run with a messenger that is stopped in MPI's end"
says_once '2 trials: 0 were there, 2 done, 0 failed, 0 left'
no_process "$CULL run "
