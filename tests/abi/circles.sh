#!/bin/sh
# No two objects of a library or plugin need each other, by whatever way round: the graph of who defines what
# others use, as nm sees it, has no circle.
#     circles.sh LIST...     files that name the objects of one library each, a line an object
set -u
failed=0

edges() { # edges LIST: "user definer" for every symbol that one object defines and another uses
    xargs nm -A -P -g <"$1" | awk '
        {
            object = $1
            sub(/:$/, "", object)
            sub(/.*CMakeFiles\/[^\/]*\//, "", object)
            sub(/\.o$/, "", object)
            if ($3 == "U" || $3 == "w")
                uses[object "\t" $2]
            else
                home[$2] = object
        }
        END {
            for (use in uses) {
                split(use, part, "\t")
                if (part[2] in home && home[part[2]] != part[1])
                    print part[1], home[part[2]]
            }
        }' | sort -u
}

for list in "$@"; do
    graph=$(edges "$list")
    [ -n "$graph" ] || { echo "$list: no object uses another" >&2; exit 1; }
    if ! circles=$(echo "$graph" | tsort 2>&1 >/dev/null); then
        echo "objects that need each other ($(basename "$list" .objects)):" >&2
        echo "$circles" | sed 's/^tsort: //' >&2
        failed=1
    fi
done
exit $failed
