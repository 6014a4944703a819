#!/bin/sh
# Ranks meet, fail, stop and die: what they tell each other is right, and nobody waits for ever.
#     MEET: the program (meet.c)
. "$SOURCE/tests/ranks/common.sh"

# ends RANKS SCENARIO STATUS SECONDS [PATIENCE]: in about so many seconds, which are shown; a machine that has other
# things to do may take several times as many, and what takes longer hangs.
ends()
{
    begun=$(date +%s)
    ranks "$1" "$MEET" "$2" ${5:+"$5"} > log 2>&1
    status=$?
    took=$(($(date +%s) - begun))
    [ "$status" -eq "$3" ] || fail "$2 with $1 ranks: exit status $status where $3 was expected"
    echo "$2 with $1 ranks: $took s of $4"
    [ "$took" -le $((12 * $4 + start)) ] || fail "$2 with $1 ranks took $took s where $4 are allowed"
    no_process "$MEET"
}

start=60
ends 3 agree 0 0
start=$((2 * took)) # what launching takes, on a machine that may have other things to do

ends 1 values 0 20
for n in 2 3 4; do
    ends $n values 0 60
done
[ -z "${CULL_TEST_ALL:-}" ] || ends 2 large 0 120

ends 3 fails 3 10
says_once 'error: rank 2 (.*): the tape is torn'
ends 3 computes 3 10
says_once 'error: rank 2 (.*): the tape is torn'
ends 2 interrupted 3 10
says_once 'error: interrupted'
ends 2 deaf 3 10
says_once 'error: rank 1 (.*): the tape is torn'
ends 3 last-stops 3 12 3
says_once 'error: rank 2 (.*): no sign of life for 3 seconds'
ends 3 first-stops 3 12 3
says_once 'error: rank 0 (.*): no sign of life for 3 seconds'
ends 3 last-never 3 40 3
says_once 'error: MPI has not started after 30 seconds: a rank is stopped or cannot be reached'
if [ -n "${CULL_TEST_ALL:-}" ]; then
    ends 3 first-never 3 45 3
    says_once 'error: MPI has not started after 30 seconds: a rank is stopped or cannot be reached'
fi
begun=$(date +%s)
ranks 3 "$MEET" dies > log 2>&1 && fail "a rank was killed, and the run ended well"
[ $(($(date +%s) - begun)) -le $((120 + start)) ] || fail "the others outlived a killed rank for long"
no_process "$MEET"

# Started by Slurm without what MPI needs, or by mpirun of another MPI.
SLURM_NTASKS=4 "$MEET" values > log 2>&1 && fail "it ran alone as one of 4"
says_once 'error: SLURM_NTASKS says there are 4 processes, but this one sees itself alone: .*--mpi=pmix'
