#!/bin/sh
# Installs Cull into the build folder, builds the templates against that (and against the headers of 1.0), and uses them.
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
mine="criterion-influence strategy-sparing metric-surprise"

# The CMake package
mkdir "$work/template"
cp "$source"/plugins/template/* "$work/template"
expect "Configuring done" cmake -S "$work/template" -B "$work/build" -G Ninja \
    -DCMAKE_PREFIX_PATH="$work/prefix" \
    -DCMAKE_C_FLAGS="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
expect "criterion-influence.so" cmake --build "$work/build"

# One exported symbol each
for module in $mine; do
    symbols=$(nm -D --defined-only "$work/build/$module.so" | awk '{ print $3 }')
    [ "$symbols" = cull_module_v1 ] || { echo "$module exports: $symbols" >&2; exit 1; }
done

# docs/write-a-criterion.md as it is written, in a tree of its own; what it builds and installs first stands already
mkdir -p "$work/tree/plugins" "$work/home"
cp -r "$source/plugins/template" "$work/tree/plugins"
ln -s "$source/models" "$work/tree/models"
ln -s "$work/prefix" "$work/home/cull"
awk '/^```/ { inside = !inside } /^    [^ ]/ && !inside' "$source/docs/write-a-criterion.md" |
    grep -v '^    cmake --preset\|^    cmake --install' >"$work/page.sh"
expect "influence" env HOME="$work/home" PATH="$work/prefix/bin:$PATH" \
    sh -e -c "cd '$work/tree'; . '$work/page.sh'"

# What was installed beside: experiments that run where they are, manual pages, completions
expect "8 trials" "$cull" plan "$work/prefix/share/cull/experiments/quickstart.yaml" --set 'seeds=[1]' --set 'sparsities=[0.5]' \
    --set 'methods={reap: {criterion: reap, strategy: lowest}, random: {criterion: random, strategy: lowest}, mone: {criterion: mone, strategy: mone}}'
for file in share/man/man1/cull-run.1 share/bash-completion/completions/cull share/zsh/site-functions/_cull; do
    [ -s "$work/prefix/$file" ] || { echo "FAILED: no $file" >&2; exit 1; }
done

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
for module in $mine; do
    expect "No faults" "$cull" check "$work/build/$module.so"
    cp "$work/build/$module.so" "$(pkg-config --variable=pluginsdir cull)"
done
expect "influence" "$cull" list criterion

# An experiment with them
expect "5 done, 0 failed" "$cull" run "$source/plugins/template/experiment.yaml" -o "$work/results"
expect "influence" "$cull" compare "$work/results"
"$cull" compare "$work/results" --format csv | cut -d, -f1-15 >"$work/today.csv"

# Plugins that were built with the headers of 1.0 do the same in this Cull
mkdir "$work/frozen"
for module in $mine; do
    expect "" cc -std=c17 -Wall -Wextra -Wpedantic -Werror -shared -fPIC -fvisibility=hidden \
        -I "$source/tests/abi/1.0" -o "$work/frozen/$module.so" "$work/template/${module#*-}.c" -lm
    expect "No faults" "$cull" check "$work/frozen/$module.so"
    rm "$(pkg-config --variable=pluginsdir cull)/$module.so"
done
expect "5 done, 0 failed" env CULL_PLUGIN_PATH="$work/frozen" "$cull" run \
    "$source/plugins/template/experiment.yaml" -o "$work/frozen-results"
"$cull" compare "$work/frozen-results" --format csv | cut -d, -f1-15 >"$work/frozen.csv"
cmp "$work/today.csv" "$work/frozen.csv" || { echo "FAILED: the frozen headers" >&2; exit 1; }

# A plugin in C++20
if echo 'int x;' | c++ -x c++ -std=c++20 -fsyntax-only - 2>/dev/null; then
    # (missing initialisers: g++ warns of members that a designated initialiser leaves out)
    expect "" c++ -std=c++20 -Wall -Wextra -Wpedantic -Wno-missing-field-initializers -Werror \
        -shared -fPIC -fvisibility=hidden -I "$work/prefix/include" -o "$work/plus.so" \
        "$source/tests/sdk/plus.cpp"
    expect "No faults." "$cull" check "$work/plus.so"
else
    echo "no C++ compiler: C only"
fi

# A plugin in Rust, as docs/other-languages.md has it: it yields what a shipped criterion yields
if rustc --version >/dev/null 2>&1; then
    awk '/^```rust/ { inside = 1; next } /^```/ { inside = 0 } inside' "$source/docs/other-languages.md" >"$work/my.rs"
    expect "" rustc --edition 2021 --crate-type cdylib -C panic=abort -D warnings -o "$work/criterion-gates.so" "$work/my.rs"
    expect "No faults." "$cull" check "$work/criterion-gates.so"
    cat >"$work/rust.yaml" <<END
models:    { tiny: { hf: { path: $source/models/tinyworld-mixtral } } }
calibrate: { text: { files: $source/models/tinyworld/text/*.calibration.txt, length: 128, rows_per_file: 4 } }
methods:
  rust:    [ { criterion: gates, strategy: lowest } ]
  shipped: [ { criterion: { frequency: { of: gate-sum } }, strategy: lowest } ]
sparsities: [ 0.5 ]
metrics:   [ { perplexity: { files: $source/models/tinyworld/text/*.heldout.txt, length: 128, rows_per_file: 4 } } ]
END
    expect "3 done, 0 failed" "$cull" run "$work/rust.yaml" --plugin "$work/criterion-gates.so" -o "$work/rust-results"
    for method in rust shipped; do
        "$cull" compare "$work/rust-results" --format csv | grep ",$method," | cut -d, -f7-13 >"$work/$method.csv"
    done
    [ -s "$work/rust.csv" ] && cmp "$work/rust.csv" "$work/shipped.csv" || { echo "FAILED: other scores in Rust" >&2; exit 1; }
else
    echo "no Rust compiler: C and C++ only"
fi

# The build's own plugins keep their contracts
for file in "$build"/plugins/*.so; do
    expect "No faults" "$build/cull" check "$file"
done
