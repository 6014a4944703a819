#!/bin/sh
# Every STEP-th allocation of a small run fails, one run each, be it the program's own or a library's: the run does
# its work all the same, or ends with status 3 and a sentence, and the next one goes on from what is there.
#     allocations.sh CULL FAILING_MALLOC.so SOURCE [STEP [FIRST]]
set -u
cull=$1 failing=$2 source=$3 step=${4:-50} first=${5:-1}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
cat > e.yaml << END
models:     { tiny: { hf: { path: $source/models/tinyworld-mixtral } } }
calibrate:  { text: { files: $source/models/tinyworld/text/facts.calibration.txt, length: 64, rows: 2 } }
sparsities: 0.25
metrics:    { perplexity: { files: $source/models/tinyworld/text/facts.heldout.txt, length: 64, rows_per_file: 1 } }
methods:    { r: { criterion: reap, strategy: lowest } }
END
fail() { echo "allocation $at: $*" >&2; cat log >&2; exit 1; }

at=none
LD_PRELOAD=$failing COUNT_TO=$dir/count "$cull" run e.yaml -o whole --threads 2 --quiet 2> log || fail "the plain run"
all=$(od -An -tu8 count | tr -d ' ') runs=0 ended=0
[ "${all:-0}" -gt 1000 ] || fail "only ${all:-0} allocations were counted"
at=$first
while [ "$at" -le "$all" ]; do
    rm -rf out
    FAIL_AT=$at LD_PRELOAD=$failing timeout 120 "$cull" run e.yaml -o out --threads 2 --quiet 2> log
    status=$?
    runs=$((runs + 1))
    case $status in
    0)
        [ "$(find out/trials -name '*.h5' | wc -l)" -eq 2 ] || fail "status 0 without the work done"
        ;;
    3)
        ended=$((ended + 1))
        grep -Eq '^([^ ]+: )?error: .' log || fail "status 3 without a sentence"
        ;;
    *) fail "status $status" ;;
    esac
    at=$((at + step))
done
"$cull" run e.yaml -o out --threads 2 --quiet 2> log || fail "the run that goes on"

# What is printed is what it is without a failure, or there is a status.
asked=0
says_all()
{
    LD_PRELOAD=$failing COUNT_TO=$dir/count "$cull" "$@" > shown 2> log || fail "the plain $1"
    of=$(od -An -tu8 count | tr -d ' ') at=$first
    asked=$((asked + of))
    while [ "$at" -le "$of" ]; do
        FAIL_AT=$at LD_PRELOAD=$failing timeout 120 "$cull" "$@" > other 2> log
        status=$?
        runs=$((runs + 1))
        case $status in
        0) cmp -s shown other || { diff shown other >> log; fail "$1 shows something else with status 0"; } ;;
        3) ended=$((ended + 1)) && grep -Eq 'error: .' log || fail "status 3 of $1 without a sentence" ;;
        *) fail "status $status of $1" ;;
        esac
        at=$((at + step))
    done
}
says_all inspect "$source/models/tinyworld-mixtral"
says_all ls out
says_all compare out --format csv
says_all compare out --format json
says_all ls out --json
rm out/index.h5 # so that every trial is read
says_all compare out --format csv
says_all report out -o /dev/stdout

[ $runs -gt 0 ] && [ $ended -gt 0 ] || fail "$runs runs, $ended of them ended early"
echo "$runs of $((all + asked)) allocations failed, $ended runs ended with a sentence"
