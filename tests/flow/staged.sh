#!/bin/sh
# Budgets are met, and not exceeded, behind stages that leave less to take, or experts and layers of different sizes.
. "$SOURCE/tests/flow/common.sh"

experiment '[ 0.475 ]' > e.yaml << 'END'
  layers-experts:  [ { criterion: cosine, strategy: { layer-drop: { experts: 0.25 } } }, { criterion: reap, strategy: lowest } ]
  blocks-channels: [ { strategy: { block-drop: { experts: 0.25 } } }, { criterion: camera, strategy: channels } ]
  layers-weights:  [ { criterion: cosine, strategy: { layer-drop: { experts: 0.25 } } }, { criterion: wanda, strategy: unstructured } ]
  layers-merges:   [ { criterion: cosine, strategy: { layer-drop: { experts: 0.25 } } }, { criterion: logit-similarity, strategy: merge } ]
  experts-layers:  [ { criterion: aimer, strategy: { lowest: { experts: 0.25 } } }, { criterion: cosine, strategy: layer-drop } ]
  channels-experts: [ { criterion: camera, strategy: { channels: { experts: 0.25 } } }, { criterion: reap, strategy: lowest } ]
  channels-share:  [ { criterion: camera, strategy: channels }, { criterion: reap, strategy: { lowest: { experts: 0.25 } } } ]
END
run 0 e.yaml --set 'allocations=[ layer, global ]'
table > /dev/null

# Within an expert of each layer, or one of all; a channel or a weight is less. A layer is a quarter.
awk -F, 'NR > 1 && $2 != "dense" {
             ranked = $5 == "global" && $2 !~ /weights/
             unit = $2 == "experts-layers" ? 1 / 4 : ranked ? 1 / 64 : 1 / 16
             if ($4 > $3 + 1e-9 || $4 + unit < $3) { print; wrong = 1 }
             n++
         }
         END { if (n != 13) print n " trials"; exit wrong || n != 13 }' table > wrong || fail "budgets: $(cat wrong)"

# Not more experts than those that are not kept have to give, though smaller ones leave room for more
OUT=$PWD/kept
keep='keep: [[0, 0], [0, 1], [0, 2], [0, 3], [0, 4], [0, 5], [0, 6], [0, 7], [0, 8], [0, 9], [0, 10], [0, 11]]'
experiment '[ 0.625 ]' > k.yaml << END
  kept: [ { criterion: { magnitude: { by: channel } }, strategy: { channels: { experts: 0.5 } } },
          { criterion: frequency, strategy: lowest, $keep } ]
END
run 0 k.yaml --set 'layers={ only: [ 0 ] }'

# Means of experts that are zero by chance are kept: what follows takes its whole share
OUT=$PWD/merged
awk 'BEGIN { for (i = 0; i < 6; i++) { printf "["; for (j = 0; j < 40; j++) printf "%s%d", j ? ", " : "", (i * 97 + j * 31) % 320; print "]" } }' > ids.jsonl
cat > m.yaml << END
models:     { qwen: { hf: { path: $SOURCE/tests/golden/architectures/qwen2_moe } } }
calibrate:  { ids: { files: ids.jsonl } }
methods:    { merged: [ { criterion: logit-similarity, strategy: { merge: { experts: 0.25 } } }, { criterion: reap, strategy: lowest } ] }
sparsities: [ 0.5 ]
metrics:    [ { perplexity: { files: ids.jsonl, documents: ids } } ]
END
run 0 m.yaml
table | awk -F, '$2 == "merged" { n++; if ($4 != 0.5) wrong = 1 } END { exit wrong || n != 1 }' || fail "behind a merge: $(table)"
exit 0
