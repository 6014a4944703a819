#!/bin/sh
# docs/cluster.md on a real Slurm: munged, slurmctld and slurmd on this machine, the page's jobs submitted, and their
# results beside those of one process. Skipped (77) where Debian's slurm-wlm is not installed, or without root.
#     CULL, SOURCE: the program, the source tree
set -u
for program in munged slurmctld slurmd sbatch srun; do
    PATH=$PATH:/usr/sbin command -v $program > /dev/null || { echo "skipped: no $program here"; exit 77; }
done
PATH=$PATH:/usr/sbin
[ "$(id -u)" = 0 ] || { echo "skipped: Slurm's daemons want root"; exit 77; }
DIR=$(mktemp -d)
DAEMONS=
# A step that ends says so to slurmctld, for ever where that has gone, and slurmd waits for it.
finish()
{
    for i in $(seq 40); do
        squeue -h 2> /dev/null | grep -q . || break
        sleep 0.5
    done
    for pid in $DAEMONS; do kill "$pid" 2> /dev/null; done
    for i in $(seq 20); do
        left=
        for pid in $DAEMONS; do grep -qs ') [^Z]' "/proc/$pid/stat" && left=1; done
        [ -n "$left" ] || break
        sleep 0.5
    done
    for pid in $DAEMONS; do kill -KILL "$pid" 2> /dev/null; done
    wait 2> /dev/null
    rm -rf "$DIR"
}
trap finish EXIT
cd "$DIR" || exit 1
chmod 755 "$DIR"

fail()
{
    echo "failed: $*" >&2
    for file in job.out slurmctld.log slurmd.log munged.log; do
        [ -f $file ] && { echo "--- $file"; tail -n 20 $file; } >&2
    done
    exit 1
}

# A key, a socket and a configuration of its own: what this machine may have of Slurm is left alone.
HOST=$(hostname -s)
export SLURM_CONF=$DIR/slurm.conf
mkdir state spool munge
head -c 1024 /dev/urandom > munge/key
chmod 400 munge/key
chmod 700 munge
cat > slurm.conf << END
ClusterName=cull
SlurmctldHost=$HOST
SlurmUser=root
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
AuthInfo=socket=$DIR/munge/socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/builtin
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
StateSaveLocation=$DIR/state
SlurmdSpoolDir=$DIR/spool
SlurmctldPidFile=$DIR/slurmctld.pid
SlurmdPidFile=$DIR/slurmd.pid
SlurmctldLogFile=$DIR/slurmctld.log
SlurmdLogFile=$DIR/slurmd.log
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName=$HOST CPUs=2 State=UNKNOWN
PartitionName=all Nodes=$HOST Default=YES State=UP
END

munged --foreground --force --key-file="$DIR/munge/key" --socket="$DIR/munge/socket" \
    --pid-file="$DIR/munge/pid" --log-file="$DIR/munged.log" --seed-file="$DIR/munge/seed" > munged.out 2>&1 &
DAEMONS="$!"
for i in 1 2 3 4 5 6 7 8 9 10; do [ -S munge/socket ] || sleep 0.5; done
[ -S munge/socket ] || { cat munged.out; fail "munged does not start"; }
slurmctld -D > slurmctld.out 2>&1 &
DAEMONS="$! $DAEMONS"
slurmd -D -N "$HOST" > slurmd.out 2>&1 &
DAEMONS="$! $DAEMONS"
for i in $(seq 60); do
    sinfo -h -o %T 2> /dev/null | grep -q idle && break
    sleep 0.5
done
sinfo -h -o %T 2> /dev/null | grep -q idle || { cat slurmctld.out slurmd.out; fail "the node is not idle: $(sinfo 2>&1)"; }

cat > experiment.yaml << END
models:     { tiny: { hf: { path: $SOURCE/models/tinyworld-mixtral } } }
calibrate:  { text: { files: $SOURCE/models/tinyworld/text/facts.calibration.txt, length: 64, rows: 6 } }
sparsities: [ 0.5 ]
metrics:    [ { perplexity: { files: $SOURCE/models/tinyworld/text/facts.heldout.txt, length: 64, rows_per_file: 3 } } ]
methods:
  reap:  { criterion: reap, strategy: lowest }
  wanda: { criterion: wanda, strategy: unstructured }
END

# job MARK: the page's own lines behind the mark.
job() { sed -n "/tests\/cluster\/slurm.sh submits $1/,/^\`\`\`\$/p" "$SOURCE/docs/cluster.md" | sed '1,2d;$d'; }

# Only where cull lies, and what a small machine as root wants, is put before them.
job 'the lines between these marks' > job.sh
grep -q 'srun --mpi=pmix' job.sh || fail "docs/cluster.md has no job to submit"
PATH=$(dirname "$CULL"):$PATH
export PATH OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl_vader_single_copy_mechanism=none
sbatch --wait --output=job.out job.sh > submitted 2>&1 || fail "the job failed: $(cat submitted)"

cull run experiment.yaml -o alone --threads 1 > alone.out 2>&1 || fail "alone"
cull compare results/experiment --format csv > many.csv || fail "compare"
cull compare alone --format csv > one.csv || fail "compare"
cmp -s one.csv many.csv || fail "other numbers under Slurm: $(diff one.csv many.csv)"
grep -q 'cull run experiment.yaml' job.sh && grep -q '2 done\|3 done' job.out || fail "the job did not do it"

# An array of models, a folder each; only the models, where they lie and what the machine has are other ones.
models='tinyworld-mixtral tinyworld-olmoe'
job 'these lines with other models' | sed "s|^models=.*|models=($models)|; s|/data/|$SOURCE/models/|" > array.sh
grep -q 'SLURM_ARRAY_TASK_ID' array.sh || fail "docs/cluster.md has no array of jobs"
rm -r results
sbatch --wait --array=0-1 --cpus-per-task=1 --output=job.out --open-mode=append \
    array.sh > submitted 2>&1 || fail "the array failed: $(cat submitted)"
for model in $models; do
    cull run experiment.yaml --set "models={$model: {hf: {path: $SOURCE/models/$model}}}" -o "alone-$model" \
        --threads 1 > alone.out 2>&1 || fail "$model alone"
    cull compare "results/$model" --format csv > many.csv || fail "compare"
    cull compare "alone-$model" --format csv > one.csv || fail "compare"
    cmp -s one.csv many.csv || fail "other numbers in the array: $(diff one.csv many.csv)"
done
cull compare results/* --format csv > together.csv || fail "the folders of an array compared"
for model in $models; do grep -q "$model" together.csv || fail "$model is not in the comparison"; done

# Without PMIx each process would compute everything: refused, with what to say instead.
srun -n 2 --mpi=none "$CULL" run experiment.yaml -o refused > refused.out 2>&1 && fail "two processes ran alone"
grep -q 'start it with srun --mpi=pmix' refused.out || { cat refused.out; fail "no word of --mpi=pmix"; }
[ ! -d refused ] || fail "something was computed"
