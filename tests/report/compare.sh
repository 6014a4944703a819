#!/bin/sh
# compare.sh CULL FOLDER: every form of `cull compare`.
cull=$1 folder=$2
fail() { echo "$*" >&2; exit 1; }

table=$("$cull" compare "$folder") || fail "compare fails"
echo "$table" | grep -q '^ .* dense ' || fail "dense is no row"
echo "$table" | grep -q ' random .* 3 ' || fail "three seeds are no cell"
echo "$table" | grep -Eq ' 0\.5 +reap .*\*' || fail "reap is not marked as the best at 0.5"

"$cull" compare "$folder" --width 80 | LC_ALL=C sed -n '/^ /s/[^ -~]//gp' | grep -Eq '.{81}' &&
    fail "a line is wider than the screen"
"$cull" compare "$folder" --by-task | grep -q 'facts' || fail "--by-task shows no tasks"
pairs=$("$cull" compare "$folder" --pairs --metric acc) || fail "--pairs fails"
echo "$pairs" | grep -Eq '^facts .* reap 0\.5.* [+-]0\.[0-9]+ \[' || fail "--pairs shows no paired difference"
echo "$pairs" | grep -q 'Holm' || fail "--pairs adjusts nothing"
"$cull" compare "$folder" --sort acc | awk '/^ /{ print $2 }' | grep -q . || fail "--sort fails"

head=model,method,sparsity,achieved,allocation,seed,task,metric,filter,value,stderr,n
csv=$("$cull" compare "$folder" --format csv) || fail "csv fails"
echo "$csv" | head -1 | grep -q "^$head," || fail "the csv has other columns"
test "$(echo "$csv" | wc -l)" = 45 || fail "11 trials with 4 values are not 44 rows"
csv=$("$cull" compare "$folder" --format csv --metric acc) || fail "csv of a metric fails"
echo "$csv" | sed 1d | grep -v ',acc,' && fail "csv of a metric has others"
"$cull" compare "$folder" --format csv --metric none 2>/dev/null && fail "csv of an unknown metric"
"$cull" compare "$folder" --format latex --by-task | grep -q '^% .*: acc$' || fail "latex tables have no names"
"$cull" compare "$folder" --format md | sed -n 2p | grep -Eq '^(\|-+:?)+\|$' || fail "md is no table"
"$cull" compare "$folder" --format lm-eval | grep -q 'n-shot' || fail "lm-eval's tables are none"
for way in --pairs --each-other --recovery; do
    for format in csv json md latex; do
        "$cull" compare "$folder" $way --format $format >/dev/null || fail "$way does not come as $format"
    done
done
for useless in "--recovery --pairs" "--pairs --sort method" "--format csv --by-task" "--format md --width 80"; do
    "$cull" compare "$folder" $useless >/dev/null 2>&1 && fail "a word without effect is taken: $useless"
done
"$cull" compare "$folder" --baseline nobody 2>&1 >/dev/null | grep -q 'no method "nobody"' || fail "baseline of nobody"
"$cull" compare "$folder" --format latex | grep -q '\\label{tab:' || fail "latex has no label"
labels=$(for way in "" --pairs --each-other --recovery; do "$cull" compare "$folder" $way --format latex; done | grep '\\label')
test -z "$(echo "$labels" | sort | uniq -d)" || fail "two forms of latex have one label: $labels"
"$cull" compare "$folder" --format latex | grep -q '\\bottomrule' || fail "latex has no rules"
"$cull" compare "$folder" --format json | grep -q '"metric": "acc"' || fail "json fails"

only=$("$cull" compare "$folder" --where method=reap --where sparsity=0.5) || fail "--where fails"
echo "$only" | grep -q ' reap ' || fail "--where leaves out what meets it"
echo "$only" | grep -q ' random ' && fail "--where keeps what does not meet it"
echo "$only" | grep -q ' dense ' || fail "--where method=… leaves out dense"
"$cull" compare "$folder" --where method=nonsense >/dev/null 2>&1 && fail "--where finds a method that is not there"
"$cull" compare "$folder" --where mehtod=reap 2>&1 | grep -q 'mehtod' || fail "--where takes an unknown key"

said=$("$cull" compare "$folder" --sort nonsense 2>/dev/null) && fail "a metric that is not there is accepted"
test -z "$said" || fail "something is printed before the metric is known not to be there"
"$cull" compare "$folder" --by-task --sort acc | grep -q '^perplexity' || fail "--by-task --sort acc shows acc alone"
"$cull" compare /nowhere/at/all >/dev/null 2>&1
test $? = 2 || fail "a missing folder is no usage error"

# A folder whose only trial is damaged is named, beside one that is whole.
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
mkdir "$work/damaged"
for trial in "$folder"/trials/*-reap-*.h5; do cp "$trial" "$work/damaged/one.h5"; done
printf 'wrong' | dd of="$work/damaged/one.h5" bs=1 seek=3000 conv=notrunc 2>/dev/null
said=$("$cull" compare "$work/damaged" "$folder" 2>&1 >/dev/null)
test $? = 2 || fail "a folder without a whole trial is no usage error"
echo "$said" | grep -q 'left out: .*/one.h5: is damaged: its checksum does not match' || fail "the damage is not told: $said"
echo "$said" | grep -q "$work/damaged: holds no finished trials that can be read" || fail "the folder is not named: $said"

"$cull" report "$folder" -o "$work/page.html" >"$work/name" || fail "report fails"
test "$(cat "$work/name")" = "$work/page.html" || fail "report does not say what it wrote"
# What is left of dense is there as `--recovery` has it: the first interval of the table.
left=$("$cull" compare "$folder" --recovery --metric acc --format md | grep -o '[0-9.]* \[[0-9., ]*\]' | head -1)
test -n "$left" && grep -Fq ">$left<" "$work/page.html" || fail "the page lacks the interval $left of what is left"
grep -Eq '[−+]0(\.0+)?[^0-9.]' "$work/page.html" && fail "a zero on the page has a sign"
# /dev/stdout leads there.
"$cull" report "$folder" -o /proc/self/fd/1 >"$work/printed" || fail "report to standard output fails"
cmp -s "$work/page.html" "$work/printed" || fail "report to standard output prints another page"
"$cull" report "$folder" -o /proc/self/fd/1 | cmp -s - "$work/page.html" || fail "report to standard output fails in a pipe"
"$cull" report "$folder" -o "$work/no/page.html" 2>&1 >/dev/null | grep -q "$work/no/page.html: cannot be created: " ||
    fail "the file that cannot be made is not named"
exit 0
