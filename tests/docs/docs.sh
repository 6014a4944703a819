#!/bin/sh
# docs/plugins says what the plugins say.
#     docs.sh SOURCE BUILD
set -eu
"$1/docs/make-plugins.sh" "$2/cull" "$2/tests/docs"
if ! diff -r "$1/docs/plugins" "$2/tests/docs"; then
    echo "docs/plugins is not up to date: run docs/make-plugins.sh BUILD/cull" >&2
    exit 1
fi
