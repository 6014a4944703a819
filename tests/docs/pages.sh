#!/bin/sh
# The programs on the docs' pages compile and do what the page says; manual pages and completions know every command.
#     pages.sh SOURCE BUILD
set -eu
source=$1 build=$2 cull=$2/cull
work=$build/tests/pages
rm -rf "$work"
mkdir -p "$work"
unset CULL_PLUGIN_PATH

fail()
{
    echo "failed: $*" >&2
    exit 1
}

# block PAGE LANGUAGE WORD: the program in that language which holds the word.
block()
{
    awk -v language="\`\`\`$2" -v word="$3" '
        $0 == language { inside = 1; text = ""; next }
        $0 == "```" && inside { inside = 0; if (index(text, word)) printf "%s", text; next }
        inside { text = text $0 "\n" }' "$source/docs/$1"
}

check()
{
    "$cull" check "$1" >"$work/out" 2>&1 || fail "cull check $1: $(cat "$work/out")"
    grep -q 'No faults' "$work/out" || fail "cull check $1: $(cat "$work/out")"
}

block write-a-criterion.md c 'cull_observer observer' >"$work/loudest.c"
cc -std=c17 -Wall -Wextra -Wconversion -Wpedantic -Werror -shared -fPIC -I "$source/include" \
    -o "$work/criterion-loudest.so" "$work/loudest.c" -lm
check "$work/criterion-loudest.so"

# The observer in a run: its statistic is stored, and found again.
cat >"$work/e.yaml" <<END
models:     { tiny: { hf: { path: $source/models/tinyworld-mixtral } } }
calibrate:  { text: { files: $source/models/tinyworld/text/facts.calibration.txt, length: 128, rows: 4 } }
methods:    { loudest: { criterion: loudest, strategy: lowest } }
sparsities: [ 0.25 ]
metrics:    [ { perplexity: { files: $source/models/tinyworld/text/facts.heldout.txt, length: 128, rows_per_file: 2 } } ]
END
"$cull" run "$work/e.yaml" -o "$work/results" --plugin "$work/criterion-loudest.so" 2>"$work/out" ||
    fail "the observer's run: $(cat "$work/out")"
[ "$(find "$work/results/calibration" -name '*.observer.safetensors' | wc -l)" -eq 1 ] || fail 'no statistic was stored'

block other-languages.md cpp cull_criterion >"$work/my.cpp"
if echo 'int x;' | c++ -x c++ -std=c++20 -fsyntax-only - 2>/dev/null; then
    c++ -std=c++20 -Wall -Wextra -Wno-missing-field-initializers -Werror -shared -fPIC -fvisibility=hidden \
        -I "$source/include" -o "$work/criterion-gates.so" "$work/my.cpp"
    check "$work/criterion-gates.so"
fi

# ---- the commands of the pages, as they stand ----

mkdir -p "$work/user" "$work/bin"
ln -s "$cull" "$work/bin/cull"
sed 's/{ loudest: .*}$/{ reap: { criterion: reap, strategy: lowest }, wanda: { criterion: wanda, strategy: unstructured } }/
    s/^sparsities: .*/sparsities: [ 0.5, 0.8 ]/' "$work/e.yaml" >"$work/user/my.yaml"
for page in README.md docs/experiment-format.md; do
    awk '/^```/ { inside = !inside } /^    cull / && !inside' "$source/$page" >"$work/commands"
    [ -s "$work/commands" ] || fail "$page has no commands"
    while read -r line; do
        (cd "$work/user" && PATH="$work/bin:$PATH" sh -c "$line") >"$work/out" 2>&1 </dev/null ||
            fail "$page: $line: $(cat "$work/out")"
    done <"$work/commands"
    (cd "$work/user" && "$cull" run my.yaml -q) || fail "my.yaml"
done

# ---- manual pages and completions ----

"$source/docs/make-man.sh" "$cull" "$work/man"
for command in $("$cull" help | sed -n 's/^  \([a-z]*\)  .*/\1/p'); do
    [ -s "$work/man/cull-$command.1" ] || fail "no manual page for $command"
    grep -q '^\.SH OPTIONS' "$work/man/cull-$command.1" || fail "cull-$command.1 has no options"
done
for variable in $(grep -rhoE 'getenv\("CULL_[A-Z_]+"\)' "$source/core" | sed 's/.*"\(.*\)".*/\1/' | sort -u); do
    grep -q "$variable" "$work/man/cull.1" || fail "$variable is not in the table of docs/experiment-format.md"
done
if command -v bash >/dev/null; then
    bash -u <<END || fail "completion"
. "$source/share/completions/cull.bash"
complete_at() { COMP_WORDS=("\$@"); COMP_CWORD=\$((\$# - 1)); _cull; }
wants() { printf '%s\n' "\${COMPREPLY[@]}" | grep -qx -- "\$1" || { echo "no \$1 among: \${COMPREPLY[*]}" >&2; exit 1; }; }
complete_at "$cull" com; wants compare
complete_at "$cull" describe criterion wan; wants wanda
complete_at "$cull" run --prec; wants --precision
complete_at "$cull" run -s calibrate.text.; wants calibrate.text.rows=
complete_at "$cull" compare "$work/results" --baseline lo; wants loudest
complete_at "$cull" eval --tasks arc_e; wants arc_easy
complete_at "$cull" rm "$work/results" tiny-d; [[ \${COMPREPLY[0]} == tiny-dense-* ]]
END
fi
if command -v zsh >/dev/null; then
    zsh -f <<END || fail "completion in zsh"
compadd()
{
    while [[ \$1 == -* ]]; do
        [[ \$1 == -- ]] && { shift; break; }
        [[ \$1 == -S ]] && shift
        shift
    done
    found_here+=("\$@")
}
_describe() { found_here+=("\${(@P)2%%:*}"); }
_files() { found_here+=(files); }
complete_at() { words=("\$@"); CURRENT=\$#; found_here=(); . "$source/share/completions/_cull"; }
wants() { (( \${found_here[(I)\$1]} )) || { echo "no \$1 among: \$found_here" >&2; exit 1; }; }
complete_at "$cull" com; wants compare
complete_at "$cull" describe criterion wan; wants wanda
complete_at "$cull" run --prec; wants --precision
complete_at "$cull" run --precision f; wants bf16x2
complete_at "$cull" run -s calibrate.text.; wants calibrate.text.rows=
complete_at "$cull" compare "$work/results" --baseline lo; wants loudest
complete_at "$cull" eval --tasks arc_e; wants arc_easy
complete_at "$cull" rm "$work/results" tiny-d; wants 'tiny-dense-*'
complete_at "$cull" run exp; wants files
END
fi
