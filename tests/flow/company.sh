#!/bin/sh
# What a cut model makes of a text does not depend on what else is under way: with more memory more rows go through a
# layer at once, in more waves of experts, and the answers are the same to the bit. Of the experts some are as they
# were and some are rewritten.
. "$SOURCE/tests/flow/common.sh"
TEXT=$SOURCE/models/tinyworld/text

cat > e.yaml << END
models:      { tiny: { hf: { path: $SOURCE/models/tinyworld-olmoe } } }
calibrate:   { text: { files: $TEXT/*.calibration.txt, length: 256, rows_per_file: 2 } }
sparsities:  [ 0.5 ]
allocations: [ global ]
metrics:     [ { perplexity: { files: $TEXT/*.heldout.txt, seqlen: 256, rows_per_file: 3 } } ]
methods:
  merge:  { criterion: logit-similarity, strategy: merge }
  masked: [ { criterion: reap, strategy: { lowest: { experts: 0.25 } } }, { criterion: wanda, strategy: unstructured } ]
END
for memory in 210M 400M 4G; do
    OUT=$DIR/$memory
    run 0 e.yaml --memory $memory
    "$CULL" compare "$OUT" --format csv > "$memory.csv" || fail "compare"
    cmp -s 210M.csv $memory.csv || fail "with $memory other numbers than with 210M: $(diff 210M.csv $memory.csv)"
done
