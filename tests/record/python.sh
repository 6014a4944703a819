#!/bin/sh
# Run a script with the Python of CULL_TEST_PYTHON, or else python3; 77 (skipped) where there is none.
python=${CULL_TEST_PYTHON:-python3}
command -v "$python" >/dev/null || { echo "no Python"; exit 77; }
exec "$python" "$@"
