#!/bin/sh
# Installs what is missing, builds Cull, runs a first experiment on two small embedded models, and shows what came out.
set -eu
cd "$(dirname "$0")"
. .ci/packages

cull_install_packages
cull_build release
./build/release/cull run experiments/quickstart.yaml -o results/quickstart "$@"
./build/release/cull compare results/quickstart
echo
echo "One HDF5 file a trial is in results/quickstart/trials; results/README.md says how to open them."
