#!/bin/sh
# Results that an earlier Cull wrote are compared and reported as they were then. Each folder beside this file has
# one of results, what `cull compare` of that version printed, and the numbers on its report's page.
#     older.sh CULL VERSION WORK
set -u
cull=$1 folder=$(dirname "$0")/$2 work=$3
failed=0
mkdir -p "$work"

same() { # same WANTED ARGUMENT...: `cull compare` prints what is in the file
    wanted=$1
    shift
    if ! "$cull" compare "$folder/folder" "$@" >"$work/out" 2>"$work/err" || ! diff "$wanted" "$work/out"; then
        echo "FAILED: cull compare $*" >&2
        cat "$work/err" >&2
        failed=1
    fi
}

same "$folder/compare.txt" --width 120
same "$folder/compare-pairs.txt" --width 120 --pairs
same "$folder/compare-by-task.txt" --width 120 --by-task
same "$folder/compare-csv.txt" --format csv

# A later page may say more, and has minus signs where hyphens were, but what stood there stays
"$cull" report "$folder/folder" -o "$work/page.html" >"$work/out" 2>&1 || { cat "$work/out" >&2; exit 1; }
sed 's/<[^>]*>/ /g; s/−/-/g' "$work/page.html" | tr -s ' ' '\n' | grep -xE '[^a-z0-9]*[0-9][0-9.,%]*[])]*' | LC_ALL=C sort -u >"$work/numbers"
lost=$(sed 's/−/-/g' "$folder/report-numbers.txt" | LC_ALL=C sort -u | LC_ALL=C comm -23 - "$work/numbers")
if [ -n "$lost" ]; then
    echo "FAILED: the page no longer has:" >&2
    echo "$lost" >&2
    failed=1
fi
exit $failed
