#!/bin/sh
# What else an experiment may hold has the same bits whoever computes it: channels, merges whose router loses rows,
# searched counts, answers of many variants, mixes and budgets, stored cuts and lists, and layers that keep a state.
# For CULL_TEST_ALL alone: it takes minutes.
#     CULL, SAME: the program, and same_tensors.c
. "$SOURCE/tests/ranks/common.sh"
[ -n "${CULL_TEST_ALL:-}" ] || { echo "skipped: it is for CULL_TEST_ALL"; exit 77; }
MODELS=$SOURCE/models
TEXT=$MODELS/tinyworld/text
perplexity="perplexity: { files: $TEXT/facts.heldout.txt, length: 64, rows_per_file: 3 }"
generation="generation: { tasks: $MODELS/tinyworld/tasks/problems.jsonl, limit: 3, max_new: 10 }"

# experiment NAME MODEL SEQUENCES < metrics, sparsities, allocations, methods
experiment()
{
    cat > "$1.yaml" << END
models:     { tiny: { hf: { path: $MODELS/tinyworld-$2 } } }
calibrate:  { text: { files: $TEXT/facts.calibration.txt, length: 64, rows: $3 } }
END
    cat >> "$1.yaml"
}

alike()
{
    compare_ranks "$1" 2 3 4
    echo "$1: $(find one/trials -name '*.h5' | wc -l) trials are the same by 1 × 2, 2 × 1, 3 × 1 and 4 × 1"
}

experiment channels olmoe 10 << END
metrics:    [ { $perplexity } ]
sparsities: [ 0.25, 0.5 ]
methods:
  camera: { criterion: camera, strategy: channels, propagate: pruned }
  flap:   { criterion: flap, strategy: flap }
  equal:  { criterion: { wanda: { by: channel } }, strategy: { channels: { widths: equal } } }
  aimer:  { criterion: aimer, strategy: lowest }
END
alike channels

experiment ream mixtral 10 << END
metrics:    [ { $perplexity } ]
sparsities: [ 0.25, 0.5 ]
methods:
  ream:    { criterion: ream, strategy: { merge: { groups: centroids, usage: reap, router: drop, align: both } }, propagate: pruned }
  tokens:  { criterion: { ream: { output: tokens } }, strategy: { merge: { groups: centroids, usage: reap, capacity: 4,
             router: drop, align: both } }, propagate: pruned }
  at-once: { criterion: ream, strategy: { merge: { groups: centroids, usage: reap, capacity: 4, router: drop, align: both } } }
  average: { criterion: output-distance, strategy: { merge: { groups: average } } }
END
alike ream

experiment searched mixtral 8 << END
metrics:    [ { $perplexity } ]
sparsities: [ 0.5 ]
allocations:
  - layer
  - { like: mone }
  - search: { name: evolution, population: 6, generations: 4,
              on: &on { divergence: { files: $TEXT/stories.calibration.txt, length: 64, rows_per_file: 2 } } }
  - search: { name: greedy, by: greedy, generations: 3, on: *on }
  - search: { name: sensitivity, by: sensitivity, on: *on }
seeds:      [ 1, 2 ]
methods:
  reap: { criterion: reap, strategy: lowest }
  mone: { criterion: mone, strategy: mone }
END
alike searched

experiment generates mixtral 6 << END
metrics:    [ { $generation }, { choices: { tasks: $MODELS/tinyworld/tasks/facts.jsonl, limit: 7 } } ]
sparsities: [ 0.25, 0.5 ]
seeds:      [ 1, 2, 3 ]
methods:
  random: { criterion: random, strategy: lowest }
  mone:   { criterion: mone, strategy: mone }
  wanda:  { criterion: wanda, strategy: unstructured }
  merge:  { criterion: similarity, strategy: merge }
  skip:   { strategy: { skip: { ratio: 0.4 } } }
  top-p:  { strategy: { top-p: { p: 0.5 } } }
  first:  { strategy: { fixed-k: { k: 1 } } }
END
alike generates

experiment mixes mixtral 5 << END
metrics:    [ { $perplexity } ]
sparsities: [ { bytes: 5000000 }, { active: 0.9 }, { active: 0.8 } ]
seeds:      [ 1, 2 ]
methods:
  channels: { criterion: { wanda: { by: channel } }, strategy: { channels: { widths: equal } } }
END
sed -i "s|^calibrate:.*|calibrate: { mix: [ { text: { files: $TEXT/facts.calibration.txt, length: 64 }, share: 0.3 },\\
  { text: { files: $TEXT/code.calibration.txt, length: 32 }, share: 0.7 } ], tokens: 1500, dense_rows: 4 }|" mixes.yaml
alike mixes

# The cuts of a run that has been, and lists, alone and before another stage.
experiment before mixtral 5 << END
metrics:    [ { $perplexity } ]
sparsities: [ 0.5 ]
methods:    { merge: { criterion: similarity, strategy: merge } }
END
"$CULL" run before.yaml -o before -q > log 2>&1 || fail "the run before"
cut=$(ls "$DIR"/before/cuts/*)
echo '{"0": [0, 1, 2, 3], "1": [4, 5, 6, 7, 8], "2": [1, 3, 5, 7, 9], "3": [2, 4, 6, 8]}' > lists.json
experiment stored mixtral 5 << END
metrics:    [ { $perplexity }, { $generation } ]
sparsities: [ 0.5 ]
methods:
  merged:  { strategy: { from: { path: $cut } } }
  novices: { strategy: { from: { path: $DIR/lists.json, action: novice } } }
  then:
    - { strategy: { from: { path: $DIR/lists.json } } }
    - { criterion: wanda, strategy: unstructured, recalibrate: true }
END
alike stored

# Rows of ids, of many lengths, for models whose layers keep a state.
awk 'BEGIN { srand(3)
    for (i = 0; i < 14; i++) {
        file = i < 9 ? "calibration.jsonl" : "heldout.jsonl"
        for (n = int(7 + 54 * rand()); n > 0; n--) ids = ids int(3 + 197 * rand()) (n > 1 ? ", " : "")
        print "[" ids "]" > file; ids = ""
    } }'
for family in kimi_linear nemotron_h qwen3_next; do
    cat > $family.yaml << END
models:     { tiny: { hf: { path: $SOURCE/tests/golden/architectures/$family } } }
calibrate:  { ids: { files: $DIR/calibration.jsonl } }
metrics:    [ { perplexity: { files: $DIR/heldout.jsonl, documents: ids } } ]
sparsities: [ 0.5 ]
methods:
  reap:      { criterion: reap, strategy: lowest }
  mone:      { criterion: mone, strategy: mone }
  sparsegpt: { strategy: sparsegpt }
  channels:  { criterion: camera, strategy: channels, propagate: pruned }
  stun:
    - { criterion: similarity, strategy: { greedy-latent: { experts: 0.25 } } }
    - { criterion: wanda, strategy: unstructured, recalibrate: true }
END
    alike $family
done
