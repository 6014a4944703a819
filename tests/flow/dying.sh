#!/bin/sh
# Killed at each moment in which it makes, names or removes a file, a command run again does what it was to do, and
# nothing of the dead one stays: not in the results, nor beside an export or a page, nor in the folders of the user.
#     CULL, SOURCE, DYING: the program, the source tree, dying_calls.c. CULL_TEST_ALL: every moment of the runs, too.
. "$SOURCE/tests/flow/common.sh"
MODEL=$SOURCE/models/tinyworld-mixtral
mkdir home tmp
export HOME="$DIR/home" XDG_CACHE_HOME="$DIR/home/cache" TMPDIR="$DIR/tmp"

cat > e.yaml << END
models:     { tiny: { hf: { path: $MODEL } } }
calibrate:  { text: { files: $SOURCE/models/tinyworld/text/facts.calibration.txt, length: 64, rows: 2 } }
sparsities: 0.25
metrics:    { perplexity: { files: $SOURCE/models/tinyworld/text/facts.heldout.txt, length: 64, rows_per_file: 1 } }
methods:
  r: { criterion: reap, strategy: lowest }
  m: { criterion: similarity, strategy: merge }
END

results() { "$CULL" compare o --format csv; }
exported() { (cd o && find . -type f -exec cksum {} + | sort -k 3); }
names() { (cd o && find . -type f | sort); }
nothing() { rm -rf o cache; }
folder() { rm -rf o && mkdir o; }
finished() { rm -rf o && cp -r whole o; }
orphaned() { finished && rm o/trials/*-r-*; }
unmeasured() { folder && rm -rf home/cache; }

# dies STEP BEFORE PROOF ARGUMENT…: at every STEP-th moment, from what BEFORE makes, PROOF shows the same as without a
# death; DONE is what the second says where the first had done everything.
dies()
{
    step=$1 before=$2 proof=$3
    shift 3
    $before
    COUNT_TO=$DIR/count LD_PRELOAD=$DYING "$CULL" "$@" > printed 2> log || fail "the plain $*"
    all=$(od -An -tu8 count | tr -d ' ') at=1 deaths=0
    [ "$all" -ge 2 ] || fail "$all moments of $*"
    $proof > plain || fail "nothing of the plain $*"
    find o home tmp cache/claims -type f 2> /dev/null | sort > plain.left
    while [ "$at" -le "$all" ]; do
        $before
        DIE_AT=$at LD_PRELOAD=$DYING "$CULL" "$@" > printed 2> log && break # fewer, the second time
        deaths=$((deaths + 1))
        "$CULL" "$@" > printed 2> log || grep -q -- "${DONE:-^$}" log || fail "moment $at of $all, and again: $*"
        $proof > again || fail "nothing after moment $at: $*"
        cmp -s plain again || { diff plain again >> log; fail "something else after moment $at of $all: $*"; }
        ${TIDY:-:} > printed 2>> log || fail "tidying up"
        find o home tmp cache/claims -type f 2> /dev/null | sort > left
        cmp -s plain.left left || { diff plain.left left >> log; fail "left by moment $at of $all: $*"; }
        at=$((at + step))
    done
    [ $deaths -ge 2 ] || fail "$deaths deaths of $*"
}

"$CULL" run e.yaml -o whole --threads 1 2> log || fail "the run"
runs=5
[ "${CULL_TEST_ALL:-0}" = 1 ] && runs=1
dies $runs nothing results run e.yaml -o o --threads 1
CULL_CACHE=$DIR/cache dies $runs nothing results run e.yaml -o o --threads 1
DONE='is there already' dies 1 folder exported export "$DIR"/whole/trials/*-m-*.h5 -o o/x --threads 1
dies 1 folder names report whole -o o/r.html
dies 1 folder names report whole -o o/r.html --figures o/figures
dies 1 unmeasured names plan e.yaml
# What rm was about is in part gone, and gc finds the rest.
tidy() { "$CULL" gc o --stages; }
DONE='holds nothing named' TIDY=tidy dies 1 finished results rm o '*-r-*'
dies 1 orphaned names gc o --calibrations
