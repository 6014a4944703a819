#!/bin/sh
# bench/study in small: SOURCE PROGRAM. It comes to its end, the killed run gives the undisturbed one's csv, and what is
# exported evaluates as it was recorded.
python=${CULL_TEST_PYTHON:-python3}
"$python" -c 'import h5py' 2> /dev/null || { echo "no h5py"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" "$1/bench/study" --small --layers 2 --length 64 --calibration-rows 2 --documents 1 --cull "$2" --work "$work" \
    --parts run,kill,exports > "$work/table" 2> "$work/log" || { cat "$work/table" "$work/log"; exit 1; }
cat "$work/table"
grep -q 'same csv' "$work/table" || exit 1
grep 'perplexity off by' "$work/table" | awk '{ n++; if ($(NF - 1) + 0 > 1e-4) bad = 1 } END { exit bad || n < 4 }'
