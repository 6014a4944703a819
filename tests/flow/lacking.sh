#!/bin/sh
# File systems that lack something: without links or locks a run does its work, and another goes on from it; where files
# cannot be renamed or created exclusively it is refused with the reason, before anything is computed.
#     CULL, SOURCE, LACKING: the program, the source tree, lacking_calls.c
. "$SOURCE/tests/flow/common.sh"

echo '  r: { criterion: reap, strategy: lowest }' | experiment 0.25 > e.yaml

# without WHAT: a run where it lacks.
without() { LACKS=$1 LD_PRELOAD=$LACKING "$CULL" run e.yaml -o "$1" --threads 1 > log 2>&1; }

"$CULL" run e.yaml -o whole --threads 1 > log 2>&1 || fail "the plain run"
"$CULL" compare whole --format csv > whole.csv || fail "compare"
for what in link lock; do
    without $what || fail "a run without any $what"
    "$CULL" compare $what --format csv > $what.csv || fail "compare"
    cmp -s whole.csv $what.csv || fail "other numbers without any $what"
    [ -z "$(ls $what/claims)" ] || fail "claims are left: $(ls $what/claims)"
    without $what || fail "a second run without any $what"
    grep -q '2 were there, 0 done' log || fail "without any $what it is computed again"
done

# refused WHAT REASON
refused()
{
    without "$1"
    [ $? -eq 3 ] || fail "status other than 3 where the file system lacks $1"
    [ "$(grep -c "^error: .*$2" log)" -eq 1 ] || fail "it does not say once: $2"
    [ -z "$(find "$1" -name '*.h5' -o -name '*.safetensors')" ] || fail "something was computed"
    [ -z "$(find "$1/claims" -type f)" ] || fail "files are left: $(find "$1/claims" -type f)"
}
refused rename 'cannot be renamed: Operation not permitted'
refused exclusive 'cannot be created: Operation not supported'
refused exclusion 'lets two processes create the same file'
