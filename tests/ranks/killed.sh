#!/bin/sh
# Ranks and their messengers are killed, stopped or asked to end at random moments: the run ends, nothing is left, nothing
# is lost, and the next run goes on.
#     CULL: the program. CULL_TEST_ALL: 30 moments instead of a few.
. "$SOURCE/tests/ranks/common.sh"
MODEL=$SOURCE/models/tinyworld-mixtral
TEXT=$SOURCE/models/tinyworld/text

cat > e.yaml << END
models:     { tiny: { hf: { path: $MODEL } } }
calibrate:  { text: { files: $TEXT/facts.calibration.txt, length: 128, rows: 32 } }
sparsities: [ 0.25, 0.5 ]
metrics:    [ { perplexity: { files: $TEXT/facts.heldout.txt, length: 128, rows_per_file: 20 } } ]
methods:
  reap:      { criterion: reap, strategy: lowest }
  sparsegpt: { strategy: sparsegpt }
  subsets:   { criterion: enumeration, strategy: { combinatorial: { limit: 1000 } } }
END
"$CULL" run "$DIR/e.yaml" -o whole --threads 1 > log 2>&1 || fail "an undisturbed run alone"
"$CULL" compare whole --format csv > whole.csv || fail "compare"

random() { awk -v seed="$1" -v n="$2" 'BEGIN { srand(seed); for (i = 0; i < 3; i++) r = rand(); print int(n * r) }'; }
processes() { pgrep -f "^$CULL run $DIR/"; }

# await_end WHAT: of the run, of all ranks within 300 s. Open MPI's own mpirun has been seen to hang in the end of its PMIx
# server when all its ranks had ended: after a minute alone it is stopped, and counted.
await_end()
{
    begun=$(date +%s) alone=0
    while ps -o stat= -p $run | grep -qv Z; do
        [ $(($(date +%s) - begun)) -le 300 ] || fail "$1: the run did not end"
        alone=$((alone + 1))
        [ -z "$(processes)" ] || alone=0
        [ $alone -le 600 ] || { pkill -KILL -f "^mpirun .*$CULL " && hung=$((hung + 1)); }
        sleep 0.1
    done
    wait $run
}

# disturb SEED SIGNAL: one process of a run of three ranks gets the signal after up to two seconds.
disturb()
{
    ranks 3 "$CULL" run "$DIR/e.yaml" -o out --threads 1 --rank-timeout 3 > log 2>&1 &
    run=$!
    sleep "$(random "$1" 180 | awk '{ print $1 / 100 }')"
    victim=$(processes | awk -v skip="$(random "$1" 6)" 'NR == skip + 1')
    [ -n "$victim" ] && kill -"$2" "$victim" 2> /dev/null && hits=$((hits + 1))
    await_end "seed $1, $2"
    no_process "$CULL run $DIR/"
}

hits=0 hung=0
moments=3
[ -z "${CULL_TEST_ALL:-}" ] || moments=30
for seed in $(seq "$moments"); do
    [ $((seed % 4)) -ne 1 ] || rm -rf out
    disturb "$seed" KILL
    disturb $((seed + 1000)) STOP
    disturb $((seed + 2000)) TERM
done
echo "$hits of $((3 * moments)) signals met a process; mpirun hung $hung times when all ranks had ended"
ranks 3 "$CULL" run "$DIR/e.yaml" -o out --threads 1 > log 2>&1 || fail "the next run"
grep -q ' 0 failed, 0 left' log || fail "the next run leaves something"
[ -z "$(find out -name '*tmp*')" ] || fail "leftovers: $(find out -name '*tmp*')"
"$CULL" compare out --format csv > out.csv || fail "compare"
cmp -s whole.csv out.csv || fail "other numbers after all this: $(diff whole.csv out.csv)"

# Asked to stop, the run ends in order; the next one goes on.
rm -rf out
ranks 2 "$CULL" run "$DIR/e.yaml" -o out --threads 1 > log 2>&1 &
run=$!
sleep 1.5
kill -TERM "$(processes | tail -n 1)" 2> /dev/null
wait $run
no_process "$CULL run $DIR/"
ranks 2 "$CULL" run "$DIR/e.yaml" -o out --threads 1 > log 2>&1 || fail "the run after one that was asked to stop"
"$CULL" compare out --format csv > out.csv || fail "compare"
cmp -s whole.csv out.csv || fail "other numbers after a run that was asked to stop"

# A rank that is not like the others is named, and nothing is computed.
cat > unlike.sh << END
[ "\$OMPI_COMM_WORLD_RANK" = 1 ] && set -- "\$@" --precision bf16
exec "$CULL" run "$DIR/e.yaml" -o unlike --threads 1 "\$@"
END
ranks 2 sh unlike.sh > log 2>&1 && fail "ranks of two precisions"
says_once 'error: the ranks are not alike: the precision is f32 on rank 0 (.*), and bf16 on rank 1'
[ ! -d unlike/trials ] || fail "something was computed"

# Unlike kernels are refused, with what to say instead, and run then: where this processor has two.
kernels() { "$CULL" --version --verbose | grep '^kernels'; }
if [ "$(kernels)" != "$(ONEDNN_MAX_CPU_ISA=SSE41; export ONEDNN_MAX_CPU_ISA; kernels)" ]; then
    cat > kernels.sh << END
[ "\$OMPI_COMM_WORLD_RANK" = 1 ] && export ONEDNN_MAX_CPU_ISA=SSE41
exec "$CULL" run "$DIR/e.yaml" -o mixed --threads 1 "\$@"
END
    ranks 2 sh kernels.sh > log 2>&1 && fail "ranks of two kernels"
    says_once 'error: the ranks are not alike: the kernels is .* on rank 1 (.*); --mixed allows unlike processors'
    ranks 2 sh kernels.sh --mixed > log 2>&1 || fail "ranks of two kernels that may be mixed"
    [ "$(find mixed/trials -name '*.h5' | wc -l)" -eq "$(find whole/trials -name '*.h5' | wc -l)" ] || fail "mixed ranks lack trials"
fi

# What one rank cannot open ends all, with that rank's sentence.
cat > missing.sh << END
[ "\$OMPI_COMM_WORLD_RANK" = 1 ] && set -- "\$@" --set "models={tiny: {hf: {path: nowhere}}}"
exec "$CULL" run "$DIR/e.yaml" -o missing --threads 1 "\$@"
END
ranks 2 sh missing.sh > log 2>&1 && fail "a rank without a model"
says_once 'error: rank 1 (.*):'

# Threads that outnumber the processors their ranks may use are a warning, with what to say instead.
OMPI_MCA_hwloc_base_binding_policy=core ranks 2 "$CULL" run "$DIR/e.yaml" -o out --threads 2 > log 2>&1 || fail "bound ranks"
says_once 'warning: host .*: 4 threads share [1-3] processors; .*--bind-to core'

# Alone however it was started.
OMPI_COMM_WORLD_SIZE=3 OMPI_COMM_WORLD_RANK=0 "$CULL" run "$DIR/e.yaml" -o out --ranks none > log 2>&1 || fail "--ranks none"
