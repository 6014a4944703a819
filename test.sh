#!/bin/sh
# Installs what is missing, builds Cull, and runs its tests.
set -eu
cd "$(dirname "$0")"
. .ci/packages

cull_packages="$cull_packages openmpi-bin libopenmpi-dev" # runs of several processes, and their tests
cull_install_packages
cull_build dev
cull_ctest dev
