#!/bin/sh
# more_architectures.sh TEST SCRIPT: make checkpoints with SCRIPT, hold TEST to them. 77: no transformers.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
"${CULL_TEST_PYTHON:-python3}" "$2" "$folder" >"$folder/log" 2>&1
status=$?
if [ $status -ne 0 ]; then
    tail -n 5 "$folder/log"
    exit $status
fi
CULL_TEST_CHECKPOINTS=$folder "$1"
