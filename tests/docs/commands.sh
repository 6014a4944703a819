#!/bin/sh
# Every command of every page is in commands.txt, with the test that runs it or the reason why none does; and what is
# there stands on its page. The commands of evaluation.md that need nothing but Cull are run here.
#     commands.sh SOURCE BUILD
set -eu
source=$1 cull=$2/cull
here=$source/tests/docs
work=$2/tests/commands
rm -rf "$work"
mkdir -p "$work/bin" "$work/models" "$work/TASKS" "$work/OUT"

fail()
{
    echo "failed: $*" >&2
    exit 1
}

# Lines of indented and of fenced blocks that begin with a program, without their comments.
commands()
{
    awk '
        /^```/ { inside = !inside; next }
        inside || /^    / {
            sub(/^    /, "")
            if ($1 !~ /^(cull|bench\/run|cmake|hf|tools\/[a-z_]+\.py|lm_eval|srun|mpirun|pip|c\+\+|cp|rustc|ctest|export)$/)
                next
            sub(/ +# .*/, "")
            sub(/ +$/, "")
            print
        }' "$source/$1"
}

# ---- the table ----

for page in README.md CONTRIBUTING.md python/README.md $(cd "$source" && ls docs/*.md); do
    commands "$page" >"$work/commands"
    while read -r line; do
        grep -qF "$page: $line: " "$here/commands.txt" ||
            fail "$page: \"$line\" is not in tests/docs/commands.txt"
    done <"$work/commands"
done
while read -r page line; do
    case $page in '' | '#'*) continue ;; esac
    commands "${page%:}" | while read -r command; do
        case $line in "$command: "*) echo found ;; esac
    done | grep -q found || fail "commands.txt: ${page%:} has no \"${line%%: *}\""
done <"$here/commands.txt"

# ---- evaluation.md ----

ln -s "$cull" "$work/bin/cull"
ln -s "$source/models/tinyworld-mixtral" "$work/models/dense"
ln -s "$source/models/tinyworld-olmoe" "$work/models/pruned"
head -n 24 "$source/models/tinyworld/tasks/facts.jsonl" >"$work/TASKS/facts.jsonl"
awk -F': ' '$1 == "docs/evaluation.md" && $NF == "here" { print $2 }' "$here/commands.txt" |
    sed "s| TASKS| 'TASKS/*.jsonl'|; s| MODEL| models/dense|; s| …| 'TASKS/*.jsonl'|" >"$work/commands"
[ "$(wc -l <"$work/commands")" -ge 6 ] || fail 'the commands of evaluation.md are lost'
while read -r line; do
    trial=$(find "$work/results/eval-dense/trials" -name '*.h5' 2>/dev/null | head -n 1)
    line=$(echo "$line" | sed "s|TRIAL.h5|$trial|")
    (cd "$work" && PATH="$work/bin:$PATH" sh -c "$line") >"$work/out" 2>&1 </dev/null || fail "$line: $(cat "$work/out")"
done <"$work/commands"
