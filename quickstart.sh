#!/bin/sh
# Installs what is missing, builds Cull, and runs a first experiment on a small embedded model.
set -eu
cd "$(dirname "$0")"
. .ci/packages

cull_install_packages
cull_build release
./build/release/cull run experiments/quickstart.yaml "$@"
