# What the tests of whole runs share: sourced with CULL (the program), SOURCE and BINARY (the trees) set.
set -u
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
cd "$DIR" || exit 1
OUT=$DIR/out

# A small experiment on standard output: methods (indented) on standard input, sparsities as the argument.
experiment()
{
    cat << END
models:     { tiny: { hf: { path: $SOURCE/models/tinyworld-mixtral } } }
calibrate:  { text: { files: $SOURCE/models/tinyworld/text/facts.calibration.txt, length: 128, rows: 4 } }
sparsities: $1
metrics:
  - perplexity: { files: $SOURCE/models/tinyworld/text/facts.heldout.txt, length: 128, rows_per_file: 2 }
methods:
END
    cat
}

fail()
{
    echo "failed: $*" >&2
    [ -f log ] && cat log >&2
    exit 1
}

# run STATUS ARGUMENT...: a run that ends so; what it says is in ./log.
run()
{
    expected=$1
    shift
    "$CULL" run "$@" -o "$OUT" 2> log
    status=$?
    [ $status -eq "$expected" ] || fail "exit status $status where $expected was expected: run $*"
}

# said STATUS TEXT ARGUMENT...: any command ends so, and says that; both of what it prints is in ./log.
said()
{
    expected=$1 text=$2
    shift 2
    "$CULL" "$@" > log 2>&1
    status=$?
    [ $status -eq "$expected" ] || fail "exit status $status where $expected was expected: $*"
    says "$text"
}

says() { grep -q -- "$1" log || fail "it does not say: $1"; }
trials() { find "$OUT/trials" -name '*.h5' 2> /dev/null | wc -l; }
has_trials() { [ "$(trials)" -eq "$1" ] || fail "$(trials) trials where $1 were expected"; }

# Names, sizes, times and contents of what must not change.
state_of() { (cd "$1" && find . -type f ! -name log.jsonl ! -name index.h5 -exec stat -c '%n %s %Y' {} + -exec cksum {} + | sort); }
no_leftovers() { [ -z "$(find "$OUT" -name '*tmp*')" ] || fail "leftovers: $(find "$OUT" -name '*tmp*')"; }

# The file of the cut of the trial whose file's name matches, in $OUT.
cut_of() { echo "$OUT/$(grep -ao 'cuts/[0-9a-f]*\.safetensors' "$(find "$OUT/trials" -name "$1")" | head -n 1)"; }

# The rows of the table of results, in an order of their own.
table() { "$CULL" compare "$OUT" --format csv > table || fail "compare"; sort table; }

# same_values A B: two of those tables name the same rows, with values that differ by less than 1e-6 of them: as
# they may where other rows stood side by side.
same_values()
{
    cut -d, -f1-10 "$1" | paste -d, - "$2" |
        awk -F, '{ for (i = 1; i <= 9; i++) if ($i != $(i + 10)) exit 1 }  # model … filter, and then the value
                 $10 - $20 > 1e-6 * $20 || $20 - $10 > 1e-6 * $20 { exit 1 }'
}
