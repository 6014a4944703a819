# What the tests of several ranks share: sourced with SOURCE set. Skipped (77) where there is no mpirun.
set -u
command -v mpirun > /dev/null || { echo "skipped: no mpirun here"; exit 77; }
DIR=$(mktemp -d)
# What is left would keep the test's output open.
trap 'pkill -KILL -f "$DIR/"; [ -z "${MEET:-}" ] || pkill -KILL -f "$MEET "; rm -rf "$DIR"' EXIT
cd "$DIR" || exit 1
# Under a name of this test's own, so that no other test's processes are taken for its.
if [ -n "${CULL:-}" ]; then
    ln -s "$CULL" "$DIR/cull"
    CULL=$DIR/cull
fi
# A small machine, perhaps a container, perhaps root.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl_vader_single_copy_mechanism=none
export OMPI_MCA_btl=self,vader,tcp OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
unset SLURM_NTASKS SLURM_STEP_NUM_TASKS 2> /dev/null

fail()
{
    echo "failed: $*" >&2
    [ -f log ] && cat log >&2
    exit 1
}

# ranks N PROGRAM ARGUMENT...: the program as N ranks.
ranks()
{
    n=$1
    shift
    mpirun -n "$n" "$@"
}

says_once() { [ "$(grep -c -- "$1" log)" -eq 1 ] || fail "it does not say once: $1"; }

# Processes end a moment after their launcher.
no_process()
{
    for i in 1 2 3 4 5 6 7 8 9 10; do
        [ -n "$(pgrep -f "^$1" || :)" ] || return 0
        sleep 0.5
    done
    fail "processes are left: $(pgrep -af "^$1")"
}

# same NAME RANKS: what so many ranks made, in many/, is what one made, in one/: csv, trials' arrays, cuts, statistics.
#     SAME: same_tensors.c
same()
{
    for what in trials cuts calibration; do
        (cd one && find $what -type f ! -name '.*' | sort) > files.one
        (cd many && find $what -type f ! -name '.*' | sort) > files.many
        cmp -s files.one files.many || fail "$1, $2 ranks: other files: $(diff files.one files.many)"
    done
    for file in $(cd one && find cuts calibration -type f ! -name '.*'); do
        cmp -s "one/$file" "many/$file" || fail "$1, $2 ranks: $file is not the same"
    done
    for file in $(cd one && find trials -name '*.h5'); do
        "$SAME" "one/$file" "many/$file" >> log 2>&1 || fail "$1, $2 ranks: $file is not the same"
    done
    for folder in one many; do
        "$CULL" compare $folder --format csv > $folder.csv 2>> log || fail "compare $folder"
    done
    cmp -s one.csv many.csv || fail "$1, $2 ranks: other tables"
}

# compare_ranks NAME RANKS...: NAME.yaml by one rank of two threads, and by so many of one thread.
compare_ranks()
{
    name=$1
    shift
    compare_runs "$name" "$*" "$DIR/$name.yaml"
}

# compare_runs NAME "RANKS..." ARGUMENT...: the same of `cull run ARGUMENT...`.
compare_runs()
{
    name=$1 numbers=$2
    shift 2
    rm -rf one
    "$CULL" run "$@" -o one --threads 2 > log 2>&1 || fail "$name alone"
    for n in $numbers; do
        rm -rf many
        ranks "$n" "$CULL" run "$@" -o many --threads 1 > log 2>&1 || fail "$name, $n ranks"
        same "$name" "$n"
        no_process "$CULL run "
    done
}
