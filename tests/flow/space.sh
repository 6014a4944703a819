#!/bin/sh
# What a folder holds, and what of it goes: names, cuts, trials.
. "$SOURCE/tests/flow/common.sh"

experiment '[ 0.25, 0.5 ]' > e.yaml << 'END'
  owl:
    - { criterion: frequency, strategy: { lowest: { experts: 0.125 } } }
    - { criterion: wanda, strategy: { unstructured: { layers: owl } }, recalibrate: true }
  sparsegpt: { strategy: sparsegpt }
END
shows() { grep -q -- "$1" shown || fail "it does not show: $1: $(cat shown)"; }
show() { "$CULL" "$@" > shown 2> log || fail "cull $*"; }
cuts() { find "$OUT/cuts" -type f | wc -l; }

# ---- the plan before, between and after ----

show plan e.yaml -o "$OUT"
shows 'there: 0 of 5 trials, 0 of 5 evaluations; for the others 0 of 5 cuts and 0 of 2 calibrations'
[ -e "$OUT" ] && fail "a plan made a folder"
run 0 e.yaml --set 'sparsities=[ 0.5 ]'
show plan e.yaml -o "$OUT"
shows 'there: 3 of 5 trials, 3 of 5 evaluations; for the others 1 of 3 cuts'
run 0 e.yaml
show plan e.yaml -o "$OUT"
shows 'nothing to do: all 5 trials are in'
show plan e.yaml -o "$OUT" --json
python3 -c 'import json; p = json.load(open("shown")); assert p["trials"] == {"all": 5, "there": 5, "new": 0}, p' 2> log ||
    command -v python3 > /dev/null && [ ! -s log ] || fail "the plan's JSON"

# ---- everything stands once: each trial's cut is a stage's ----

[ "$(cuts)" -eq 5 ] || fail "$(cuts) cuts where 5 were expected"
for file in "$OUT"/cuts/*; do
    cksum < "$file"
done | sort | uniq -d | grep -q . && fail "a cut stands twice"

# ---- another name computes nothing; the old one is told apart, and goes ----

before=$(cuts)
sed 's/  owl:/  two-stages:/' e.yaml > renamed.yaml
run 0 renamed.yaml --verbose
says '5 trials: 5 were there, 0 done'
grep -q 'forward equivalents' log && fail "a name was computed"
has_trials 7
[ "$(cuts)" -eq "$before" ] || fail "a name made a cut"
show compare "$OUT"
shows two-stages
show ls "$OUT"
shows 'owl-s0.5.*(old name)'
state=$(state_of "$OUT")
show gc "$OUT" --dry-run
shows '2 files would be removed'
[ "$(state_of "$OUT")" = "$state" ] || fail "a dry run removed something"
show gc "$OUT"
has_trials 5
run 0 renamed.yaml
says '5 trials: 5 were there'

# ---- rm, gc ----

show rm "$OUT" '*sparsegpt-s0.5*'
has_trials 4
[ "$(cuts)" -eq $((before - 1)) ] || fail "rm left the trial's cut"
run 0 renamed.yaml
says '5 trials: 4 were there, 1 done'
"$CULL" rm "$OUT" nothing-there 2> log && fail "rm of nothing"
says 'holds nothing named nothing-there'
show gc "$OUT" --stages
[ "$(cuts)" -eq 4 ] || fail "$(cuts) cuts where those of 4 trials were expected"

# ---- keep ----

OUT=$DIR/cuts
run 0 e.yaml --set keep=cuts
[ "$(cuts)" -eq 4 ] || fail "keep: cuts kept $(cuts)"
OUT=$DIR/scores
run 0 e.yaml --set keep=scores
[ "$(cuts)" -eq 0 ] || fail "keep: scores kept $(cuts) cuts"
run 0 e.yaml --set keep=scores
says '5 trials: 5 were there'
run 0 e.yaml
says 'the cut of a finished trial is gone; made again'
[ "$(cuts)" -ge 4 ] || fail "cuts were not made again"
"$CULL" run e.yaml -o "$OUT" --set keep=none 2> log && fail "keep: none"
says 'one of scores, cuts, all'
