#!/bin/sh
# What `cull plan` counts of what strategies compute is what their methods take: cuts, products and steps.
. "$SOURCE/tests/flow/common.sh"

MODEL=$SOURCE/models/tinyworld-mixtral
number() { sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" "$MODEL/config.json" | head -n 1; }
D=$(number hidden_size) F=$(number intermediate_size) L=$(number num_hidden_layers)
E=$(number num_local_experts) K=$(number num_experts_per_tok) N=512 # 4 rows of 128

# counted WHAT CUTS FLOPS STEPS [ARGUMENT…]: of the methods on standard input, by awk's arithmetic.
counted()
{
    what=$1 cuts=$2 flops=$3 steps=$4
    shift 4
    experiment '[ 0.5 ]' > e.yaml
    "$CULL" plan e.yaml -o "$OUT" --json "$@" > plan 2> log || fail "$what"
    awk '/"decide"/ { within = 1 }
         within && /"(cuts|flops|steps)"/ { gsub(/[",:]/, ""); print }
         within && /}/ { exit }' plan > found
    awk -v D="$D" -v F="$F" -v L="$L" -v E="$E" -v K="$K" -v N=$N "
        BEGIN { W = 3 * D * F; printf \"%.0f %.0f %.0f\\n\", $cuts, $flops, $steps }" > wanted
    awk '{ of[$1] = $2 } END { printf "%.0f %.0f %.0f\n", of["cuts"], of["flops"], of["steps"] }' found | cmp -s - wanted ||
        fail "$what: $(cat found) where $(cat wanted) were expected"
}

counted "weights by their scores" 2 0 '2 * L * E * 2 * W' --set 'sparsities=[ 0.25, 0.5 ]' << 'END'
  wanda: { criterion: wanda, strategy: unstructured }
END
counted "weights of the experts that are left" 2 0 'L * (E - E / 4) * 2 * W' << 'END'
  staged:
    - { criterion: frequency, strategy: { lowest: { experts: 0.25 } } }
    - { criterion: magnitude, strategy: unstructured }
END
counted "weights of some layers" 1 0 '(L - 1) * E * 2 * W' --set 'layers={ except: [0] }' << 'END'
  magnitude: { criterion: magnitude, strategy: unstructured }
END
counted "curvature" 1 'L * E * (4 * (D ^ 3 + F ^ 3) / 3 + 2 * F * D ^ 2 + D * F ^ 2)' 'L * E * W * (2 + 64 / 16)' << 'END'
  sparsegpt: { strategy: { sparsegpt: { block: 64 } } }
END
counted "all subsets" 1 0 'L * 12870 * N * K' << 'END'
  subsets: { criterion: enumeration, strategy: combinatorial }
END
counted "some subsets" 1 0 'L * (4 * (E ^ 2 - (E / 2) ^ 2) / 2 + 8 * (E / 2) ^ 2) * N * K' << 'END'
  subsets: { criterion: enumeration, strategy: { combinatorial: { limit: 100 } } }
END
counted "merging" 1 0 'L * E / 2 * W' << 'END'
  merge: { criterion: similarity, strategy: merge }
END
counted "merging of matched neurons" 1 'L * E / 2 * 6 * F ^ 2 * D' 'L * E / 2 * (W + F ^ 2 * log(F + 1) / log(2))' << 'END'
  merge: { criterion: similarity, strategy: { merge: { align: products } } }
END
counted "nothing" 1 0 0 << 'END'
  reap: { criterion: reap, strategy: lowest }
END

# Of several methods the last alone, whose step is the first of the rest.
counted "what is asked for" 1 0 'L * E * 2 * W' --only method=last << 'END'
  reap:  { criterion: reap, strategy: lowest }
  wanda: { criterion: wanda, strategy: unstructured }
  merge: { criterion: similarity, strategy: merge }
  owl:   { criterion: wanda, strategy: { unstructured: { layers: owl } } }
  mone:  { criterion: mone, strategy: mone }
  gate:  { criterion: gate, strategy: lowest }
  last:  { criterion: magnitude, strategy: unstructured }
END
