# What the tests of several ranks share: sourced with SOURCE set. Skipped (77) where there is no mpirun.
set -u
command -v mpirun > /dev/null || { echo "skipped: no mpirun here"; exit 77; }
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
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
