#!/bin/sh
# An experiment has the same bits whoever computes it: csv, trials, statistics and cuts of one rank with two threads
# beside those of several ranks. A sample of what ranks share; CULL_TEST_ALL takes all of it, on more ranks.
#     CULL, SAME: the program, and same_tensors.c
. "$SOURCE/tests/ranks/common.sh"
MODEL=$SOURCE/models/tinyworld-mixtral
TEXT=$SOURCE/models/tinyworld/text

# experiment NAME SEQUENCES METRICS < methods and sparsities
experiment()
{
    cat > "$1.yaml" << END
models:     { tiny: { hf: { path: $MODEL } } }
calibrate:  { text: { files: $TEXT/facts.calibration.txt, length: 64, rows: $2 } }
metrics:    $3
END
    cat >> "$1.yaml"
}
perplexity="{ perplexity: { files: $TEXT/facts.heldout.txt, length: 128, rows_per_file: 5 } }"
choices="{ choices: { tasks: $SOURCE/models/tinyworld/tasks/facts.jsonl, limit: 12 } }"

more=
[ -z "${CULL_TEST_ALL:-}" ] || more="2 4"

# Sums, cuts of weights after cuts of experts, novices, merging.
experiment statistics 12 "[ $perplexity, $choices ]" << 'END'
sparsities: [ 0.5 ]
methods:
  reap:  { criterion: reap, strategy: lowest }
  mone:  { criterion: mone, strategy: mone }
  merge: { criterion: similarity, strategy: merge }
  stun:
    - { criterion: frequency, strategy: { lowest: { experts: 0.25 } } }
    - { criterion: wanda, strategy: unstructured, recalibrate: true }
END
compare_ranks statistics 3 $more

# Rows of Hessians and dense samples, decisions that later layers see, a router that skips.
experiment layers 7 "[ $perplexity, { divergence: { files: $TEXT/facts.heldout.txt, length: 64, rows_per_file: 3 } } ]" << 'END'
sparsities: [ 0.5 ]
methods:
  sparsegpt: { strategy: sparsegpt }
  subsets:   { criterion: enumeration, strategy: { combinatorial: { inputs: progressive } } }
  skip:      { strategy: { skip: { ratio: 0.5 } } }
END
compare_ranks layers 2 $more

# Answers, a criterion with a statistic of its own, channels; one long text beside short ones.
MODEL=$SOURCE/models/tinyworld-olmoe
experiment answers 9 "[ { generation: { tasks: $SOURCE/models/tinyworld/tasks/problems.jsonl, limit: 5, max_new: 12 } },
  { perplexity: { files: $TEXT/stories.heldout.txt, length: 512, rows_per_file: 1 } }, $choices ]" << 'END'
sparsities: [ 0.5 ]
methods:
  channels: { criterion: flap, strategy: channels }
  first:    { criterion: first-choice, strategy: lowest }
  gated:    { criterion: { wanda: { gated: true } }, strategy: unstructured }
  layers:   { criterion: cosine, strategy: block-drop }
END
compare_ranks answers 3 $more
MODEL=$SOURCE/models/tinyworld-mixtral

# Fewer sequences, texts and prompts than ranks.
experiment few 1 "[ { perplexity: { files: $TEXT/facts.heldout.txt, length: 256, rows_per_file: 1 } },
  { generation: { tasks: $SOURCE/models/tinyworld/tasks/problems.jsonl, limit: 1, max_new: 6 } } ]" << 'END'
sparsities: [ 0.5 ]
methods:
  reap:    { criterion: reap, strategy: lowest }
  wanda:   { criterion: wanda, strategy: unstructured }
  subsets: { criterion: enumeration, strategy: { combinatorial: { limit: 100 } } }
END
compare_ranks few 3 $more
