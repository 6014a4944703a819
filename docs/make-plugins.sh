#!/bin/sh
# Writes docs/plugins from the plugins' own tables.
#     docs/make-plugins.sh CULL [FOLDER]     CULL: the program; FOLDER: docs/plugins
set -eu
unset CULL_PLUGIN_PATH
cull=$1
out=${2:-$(dirname "$0")/plugins}

"$cull" --version >/dev/null # or what is there would be lost
mkdir -p "$out"
rm -f "$out"/*.md
{
    echo "# Plugins"
    echo
    echo "Written by \`docs/make-plugins.sh\` from the plugins' own tables; \`cull describe KIND NAME\` says the same."
    for kind in criterion strategy data metric backend; do
        printf '\n## %s\n\n' "$kind"
        "$cull" list "$kind" | while read -r _ name brief; do
            echo "- [$name]($kind-$name.md): $brief"
            "$cull" describe "$kind" "$name" --markdown >"$out/$kind-$name.md"
        done
    done
} >"$out/README.md"
