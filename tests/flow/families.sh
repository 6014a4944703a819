#!/bin/sh
# Every criterion and strategy on a checkpoint of each recurrent family, which has no tokenizer: calibrated and
# measured on token ids, exported, and verified.
. "$SOURCE/tests/flow/common.sh"

# rows COUNT SEED: lists of 24 ids that the small vocabularies have.
rows()
{
    awk -v n="$1" -v seed="$2" 'BEGIN {
        for (i = 0; i < n; i++) {
            line = ""
            for (j = 0; j < 24; j++) {
                seed = (seed * 1103 + 12345) % 65536
                line = line (j ? ", " : "[") 3 + seed % 250
            }
            print line "]"
        }
    }'
}

# Methods that differ in what they read of a layer, and in what they do to it.
methods()
{
    cat << END
  random:       { criterion: random, strategy: lowest }
  frequency:    { criterion: frequency, strategy: lowest }
  first-choice: { criterion: first-choice, strategy: { lowest: { action: zero } } }
  gate:         { criterion: gate, strategy: lowest }
  variance:     { criterion: variance, strategy: { lowest: { action: novice } } }
  mone:         { criterion: mone, strategy: mone }
  reap:         { criterion: reap, strategy: lowest }
  ean:          { criterion: ean, strategy: lowest }
  easy-ep:      { criterion: easy-ep, strategy: lowest }
  aimer:        { criterion: aimer, strategy: lowest }
  similarity:   { criterion: similarity, strategy: greedy-latent }
  outputs:      { criterion: output-distance, strategy: { merge: { groups: average } } }
  aligned:      { criterion: logit-similarity, strategy: { merge: { align: true } } }
  magnitude:    { criterion: magnitude, strategy: unstructured }
  wanda:        { criterion: wanda, strategy: { unstructured: { attention: true, shared: true, dense: true, propagate: pruned } } }
  owl:          { criterion: wanda, strategy: { unstructured: { layers: owl } } }
  sparsegpt:    { strategy: sparsegpt }
  two-of-four:  { strategy: { sparsegpt: { m: 4, propagate: pruned } } }
  camera:       { criterion: camera, strategy: channels }
  flap:         { criterion: flap, strategy: flap }
  layers:       { criterion: { cosine: { of: moe } }, strategy: layer-drop }
  blocks:       { strategy: block-drop }
  stun:
    - { criterion: similarity, strategy: { greedy-latent: { experts: 0.25 } } }
    - { criterion: wanda, strategy: unstructured, recalibrate: true }
  fixed:        { strategy: { fixed-k: { k: 1 } } }
  skip:         { strategy: skip }
  top-p:        { strategy: { top-p: { p: 0.7 } } }
END
}

rows 6 1 > calibration.jsonl
rows 3 2 > held.jsonl

for family in lfm2_moe qwen3_next qwen3_5_moe kimi_linear granitemoehybrid nemotron_h; do
    OUT=$DIR/$family
    cat > e.yaml << END
models:     { tiny: { hf: { path: $SOURCE/tests/golden/architectures/$family } } }
calibrate:  { ids: { files: $DIR/calibration.jsonl } }
sparsities: 0.5
output:     { store: model }
metrics:    { perplexity: { files: $DIR/held.jsonl, documents: ids } }
methods:
END
    methods >> e.yaml
    run 0 e.yaml
    says 'only token ids can be read'
    has_trials 27
    for method in frequency mone aligned sparsegpt blocks; do
        trial=$(find "$OUT/trials" -name "tiny-$method-*.h5")
        "$CULL" export "$trial" -o "exported-$family-$method" --verify 2> log || fail "export $family $method"
        says 'verified: 1 values of 1 metrics'
    done
done

# Asked other questions, an export is not what was recorded.
rows 3 9 > held.jsonl
"$CULL" export "$trial" -o other --verify 2> log && fail "other questions were verified"
says 'it is not what was recorded: perplexity of held is'
rows 3 2 > held.jsonl

# Texts need a tokenizer; ids that the model does not have are refused.
echo 'Who misses them?' > held.txt
sed 's/held.jsonl, documents: ids/held.txt, length: 8/' e.yaml > texts.yaml
run 3 texts.yaml
says 'tokenizer.json'
echo '[1, 2, 70000]' > held.jsonl
run 2 e.yaml
says 'the token id 70000'
