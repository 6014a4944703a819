#!/bin/sh
# Killed at any moment, or asked to stop, a run is completed by the next one; nothing of the dead one stays.
. "$SOURCE/tests/flow/common.sh"

experiment '[ 0.25, 0.5 ]' > e.yaml << 'END'
  reap:      { criterion: reap, strategy: lowest }
  mone:      { criterion: mone, strategy: mone }
  sparsegpt: { strategy: sparsegpt }
  owl:
    - { criterion: frequency, strategy: { lowest: { experts: 0.25 } } }
    - { criterion: wanda, strategy: { unstructured: { layers: owl } }, recalibrate: true }
END
for delay in 0.05 0.15 0.3 0.5 0.8 1.3; do
    "$CULL" run e.yaml -o "$OUT" 2> log &
    run=$!
    sleep $delay
    kill -KILL $run 2> /dev/null
    wait $run 2> /dev/null
done
run 0 e.yaml
says ' 0 failed, 0 left'
has_trials 9
no_leftovers
table > killed

rm -r "$OUT"
"$CULL" run e.yaml -o "$OUT" 2> log &
run=$!
sleep 0.3
kill -INT $run
wait $run
status=$?
[ $status -eq 130 ] || [ $status -eq 0 ] || fail "exit status $status after an interrupt"
run 0 e.yaml
has_trials 9
no_leftovers
table > interrupted

# What a dead run had finished is not evaluated beside the rest, so that fewer rows stood side by side there.
rm -r "$OUT"
run 0 e.yaml
table > undisturbed
same_values undisturbed killed || fail "other numbers after kills than of an undisturbed run"
same_values undisturbed interrupted || fail "other numbers after an interrupt than of an undisturbed run"

# A limit on the size of files is a write that fails, with its sentence, and not the end by a signal.
for size in 0 8 64; do
    OUT=$DIR/limited-$size
    (ulimit -f $size && "$CULL" run e.yaml -o "$OUT" 2>&1; echo "status $?") | cat > log
    says '^error: .*File too large' && says '^status 3'
done
run 0 e.yaml
has_trials 9
no_leftovers
