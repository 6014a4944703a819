#!/bin/sh
# Compiles each public header alone, as C17 and as C++17.
#     headers.sh SOURCE C_COMPILER
set -u
source=$1 compiler=$2
failed=0
languages="c:c17"
if echo 'int x;' | "$compiler" -x c++ -std=c++17 -fsyntax-only - 2>/dev/null; then
    languages="$languages c++:c++17"
else
    echo "no C++ compiler: C only"
fi

for header in $(cd "$source/include" && find cull -name '*.h' | sort); do
    for language in $languages; do
        printf '#include <%s>\n#include <%s>\n' "$header" "$header" |
            "$compiler" -x "${language%%:*}" -std="${language##*:}" -Wall -Wextra -Wpedantic -Werror \
                -I "$source/include" -fsyntax-only - || {
            echo "FAILED: $header as ${language##*:}" >&2
            failed=1
        }
    done
done
exit $failed
