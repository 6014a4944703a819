#!/bin/sh
# A checkpoint whose layers have different numbers of experts is a model like any other: it is run, and exported again,
# in Cull's own layout or with padding up to its largest layer.
. "$SOURCE/tests/flow/common.sh"

awk 'BEGIN { for (i = 0; i < 4; i++) { printf "["; for (j = 0; j < 40; j++) printf "%s%d", j ? ", " : "", (i * 97 + j * 31) % 320; print "]" } }' > ids.jsonl
study() # study MODEL < methods
{
    cat << END
models:  { tiny: { hf: { path: $1 } } }
metrics: { perplexity: { files: ids.jsonl, documents: ids } }
methods:
END
    cat
}

# Of two layers with 8 experts the first keeps 2, and a token one of each: the own layout.
study "$SOURCE/tests/golden/architectures/glm4_moe" > first.yaml << 'END'
  fewer: [ { criterion: random, strategy: lowest }, { strategy: { fixed-k: { k: 1 } } } ]
END
OUT=$DIR/first
run 0 first.yaml --set 'sparsities=[ 0.75 ]' --set 'layers={ only: 1 }'
"$CULL" export "$(find "$OUT/trials" -name 'tiny-fewer-*.h5')" -o small --verify 2> log || fail "export"
says 'verified: '
study small > second.yaml << 'END'
  one: { strategy: { fixed-k: { k: 1 } } }
END
OUT=$DIR/second
run 0 second.yaml
has_trials 2
"$CULL" export "$(find "$OUT/trials" -name 'tiny-one-*.h5')" -o again --verify 2> log || fail "export of an export"
says 'verified: '
