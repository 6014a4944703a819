#!/bin/sh
# The second quarter of each calibration text, by whole lines, into results/quarters: what candidates are told apart
# on. Cull's readers take rows from a file's head, so that calibration stays within the first quarter.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p results/quarters
for text in models/tinyworld/text/*.calibration.txt; do
  split -n l/2/4 "$text" > "results/quarters/$(basename "$text" .calibration.txt).choosing.txt"
done
