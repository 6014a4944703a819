#!/bin/sh
# config.json as it is published: inspected and planned for alone, it has the parameters that transformers counts and
# that its vendor states, and no key goes unknown; models that are not supported are refused by name.
. "$SOURCE/tests/flow/common.sh"
PUBLISHED=$SOURCE/tests/golden/published

# put NAME: its config.json in a folder of that name.
put() { mkdir "$1" && cp "$PUBLISHED/$1.json" "$1/config.json" || exit 1; }

# rounds NUMBER STATED: in billions, to the digits of what is stated; "-" is anything.
rounds()
{
    [ "$2" = - ] && return 0
    awk -v n="$1" -v stated="$2" 'BEGIN {
        digits = index(stated, ".") ? length(stated) - index(stated, ".") : 0
        exit sprintf("%.*f", digits, n / 1e9) != stated
    }'
}

echo "[1, 2, 3, 4, 5, 6, 7, 8]" > ids.jsonl
echo "models:" > e.yaml
while read -r name total routed stated; do
    case $name in '#'*) continue ;; esac
    put "$name"
    "$CULL" inspect "$name" > page 2> log || fail "inspect of $name"
    grep -q "^parameters .*($total)" page || fail "$name has $(grep '^parameters' page), not $total"
    grep -q "^routed experts .*($routed," page || fail "$name has $(grep '^routed' page), not $routed"
    rounds "$total" "$stated" || fail "$name is said to have $stated billion, not $total"
    grep 'has no meaning for' page && fail "a key of $name is unknown"
    echo "  m$(echo "$name" | tr -dc 'A-Za-z0-9'): { hf: { path: $name } }" >> e.yaml
done < "$PUBLISHED/counts.txt"

cat >> e.yaml << END
calibrate:  { ids: { files: ids.jsonl } }
methods:    { reap: [ { criterion: reap, strategy: lowest } ] }
sparsities: [ 0.5 ]
metrics:    [ { perplexity: { files: ids.jsonl, documents: ids } } ]
END
"$CULL" plan e.yaml > page 2> log || fail "plan"
[ "$(grep -c '^model m.* routed; there are no weights' page)" -eq "$(grep -c '^[^#]' "$PUBLISHED/counts.txt")" ] ||
    fail "plan does not count every model"

while read -r name word; do
    case $name in '#'*) continue ;; esac
    put "$name"
    "$CULL" inspect "$name" > page 2> log && fail "$name is not refused"
    says "$word"
done < "$PUBLISHED/refused.txt"
