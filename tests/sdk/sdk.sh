#!/bin/sh
# Installs Cull into the build folder, builds the template against that, and uses it.
#     sdk.sh SOURCE BUILD
set -eu
source=$1 build=$2
work=$build/tests/sdk
rm -rf "$work"
mkdir -p "$work"
unset CULL_PLUGIN_PATH

expect() { # expect TEXT COMMAND...: the command succeeds and says TEXT
    text=$1
    shift
    if ! "$@" >"$work/out" 2>&1 || { [ -n "$text" ] && ! grep -qF -- "$text" "$work/out"; }; then
        echo "FAILED: $*: wanted \"$text\", got:" >&2
        cat "$work/out" >&2
        exit 1
    fi
    echo "ok: $*"
}

cmake --install "$build" --prefix "$work/prefix" >/dev/null
cull=$work/prefix/bin/cull
plugin=$work/build/criterion-influence.so

# The CMake package
mkdir "$work/template"
cp "$source"/plugins/template/* "$work/template"
expect "Configuring done" cmake -S "$work/template" -B "$work/build" -G Ninja \
    -DCMAKE_PREFIX_PATH="$work/prefix" \
    -DCMAKE_C_FLAGS="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
expect "criterion-influence.so" cmake --build "$work/build"

# One exported symbol
symbols=$(nm -D --defined-only "$plugin" | awk '{ print $3 }')
[ "$symbols" = cull_module_v1 ] || { echo "exports: $symbols" >&2; exit 1; }

# The pkg-config file
PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name cull.pc)")
export PKG_CONFIG_PATH
expect "" cc -std=c17 -shared -fPIC $(pkg-config --cflags cull) -o "$work/by-hand.so" \
    "$work/template/influence.c" -lm

# The installed program finds its own plugins, and takes ours
expect "reap" "$cull" list criterion
expect "influence" "$cull" list criterion --plugin "$plugin"
expect "weight of an expert's use" "$cull" describe criterion influence --plugin "$plugin"
expect "No faults." "$cull" check "$plugin"
expect "No faults." "$cull" check "$work/by-hand.so"
cp "$plugin" "$(pkg-config --variable=pluginsdir cull)"
expect "influence" "$cull" list criterion

# An experiment with it
expect "4 done, 0 failed" "$cull" run "$source/plugins/template/experiment.yaml" -o "$work/results"
expect "influence" "$cull" compare "$work/results"

# The build's own plugins keep their contracts
for file in "$build"/plugins/*.so; do
    expect "No faults" "$build/cull" check "$file"
done
