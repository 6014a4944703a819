#!/bin/sh
# Writes a manual page for each command, and cull(1), from what --help says.
#     docs/make-man.sh CULL FOLDER     CULL: the program; FOLDER: for cull.1, cull-run.1, …
set -eu
unset CULL_PLUGIN_PATH
cull=$1
out=$2
mkdir -p "$out"
version=$("$cull" --version | sed 's/^cull \([^ ]*\).*/\1/')

# Lines of text for troff: backslashes, hyphens of options, dots and quotes at the beginning.
escape() { sed 's/\\/\\e/g; s/-/\\-/g; s/^\([.'\'']\)/\\\&\1/'; }

# A command's --help: its usage, its text, its options as they stand.
page()
{
    help=$("$cull" "$1" --help)
    brief=$("$cull" help | sed -n "s/^  $1  *//p")
    echo ".TH CULL-$(echo "$1" | tr a-z A-Z) 1 \"\" \"cull $version\" \"Cull\""
    printf '.SH NAME\ncull\\-%s \\- %s\n' "$1" "$(echo "$brief" | escape)"
    printf '.SH SYNOPSIS\n'
    echo "$help" | sed -n '1s/^Usage: *//p' | escape
    printf '.SH DESCRIPTION\n'
    echo "$help" | sed '1d; /^  *-/,$d; /^ *$/d; /^ Common options:/,$d' | escape
    printf '.SH OPTIONS\n.nf\n'
    echo "$help" | sed -n '/^  *-/,$p' | escape
    printf '.fi\n.SH "SEE ALSO"\n.BR cull (1)\n'
}

for command in $("$cull" help | sed -n 's/^  \([a-z]*\)  .*/\1/p'); do
    page "$command" >"$out/cull-$command.1"
done
{
    echo ".TH CULL 1 \"\" \"cull $version\" \"Cull\""
    printf '.SH NAME\n'
    "$cull" help | sed -n '1s/^cull: /cull - /p' | escape
    printf '.SH SYNOPSIS\n'
    "$cull" help | sed -n 's/^usage: //p' | escape
    printf '.SH COMMANDS\n'
    "$cull" help | sed -n 's/^  \([a-z]*\)  *\(.*\)/\1	\2/p' | while IFS='	' read -r command brief; do
        printf '.TP\n.BR cull\\-%s (1)\n%s\n' "$command" "$(echo "$brief" | escape)"
    done
    printf '.SH "EXIT STATUS"\n'
    printf '.TP\n0\ndone\n.TP\n1\nsome trials failed, a check found faults\n.TP\n2\na wrong command line or experiment\n'
    printf '.TP\n3\nthe environment, or an input file that cannot be used\n.TP\n130\ninterrupted\n'
    printf '.SH ENVIRONMENT\n'
    sed -n 's/^| `\([A-Z_`, ]*\)` | \(.*\) |$/\1	\2/p' "$(dirname "$0")/experiment-format.md" |
        grep -v '^CULL_TEST' | while IFS='	' read -r name what; do
        printf '.TP\n.B %s\n%s\n' "$(echo "$name" | tr -d '\`')" "$(echo "$what" | tr -d '\`' | escape)"
    done
} >"$out/cull.1"
