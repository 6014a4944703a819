#!/bin/sh
# check.sh CULL CASE: `cull plan CASE.yaml` refuses the experiment, with status 2 and exactly the text of CASE.error
# (paths told from the folder of the cases). CASE.set, where it is there, holds an override. With CULL_TEST_WRITE set,
# the text is written instead.
cd "$(dirname "$0")/cases" || exit 1
set -- "$1" "$2" "$(mktemp)"
trap 'rm -f "$3"' EXIT
if [ -f "$2.set" ]; then
    "$1" plan "$2.yaml" --quiet --set "$(cat "$2.set")" 2> "$3"
else
    "$1" plan "$2.yaml" --quiet 2> "$3"
fi
status=$?
sed -i "s|$PWD/||g" "$3"
if [ -n "$CULL_TEST_WRITE" ]; then
    cp "$3" "$2.error"
fi
if [ $status -ne 2 ]; then
    echo "exit status $status"
    cat "$3"
    exit 1
fi
diff "$2.error" "$3"
