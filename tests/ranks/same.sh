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

# same NAME RANKS: what so many ranks made is what one made.
same()
{
    for what in trials cuts calibration; do
        (cd one && find $what -type f ! -name '.*' | sort) > files.one
        (cd many && find $what -type f ! -name '.*' | sort) > files.many
        cmp -s files.one files.many || fail "$1, $2 ranks: other files: $(diff files.one files.many)"
    done
    for file in $(cd one && find cuts calibration -type f ! -name '.*'); do
        cmp -s "one/$file" "many/$file" || fail "$1, $2 ranks: $file is not the same"
    done
    for file in $(cd one && find trials -name '*.h5'); do
        "$SAME" "one/$file" "many/$file" >> log 2>&1 || fail "$1, $2 ranks: $file is not the same"
    done
    for folder in one many; do
        "$CULL" compare $folder --format csv > $folder.csv 2>> log || fail "compare $folder"
    done
    cmp -s one.csv many.csv || fail "$1, $2 ranks: other tables"
}

# compare_ranks NAME RANKS...
compare_ranks()
{
    name=$1
    shift
    rm -rf one
    "$CULL" run "$DIR/$name.yaml" -o one --threads 2 > log 2>&1 || fail "$name alone"
    for n in "$@"; do
        rm -rf many
        ranks "$n" "$CULL" run "$DIR/$name.yaml" -o many --threads 1 > log 2>&1 || fail "$name, $n ranks"
        same $name "$n"
        no_process "$CULL run $DIR/"
    done
}

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

# Fewer sequences than ranks.
experiment few 1 "[ { perplexity: { files: $TEXT/facts.heldout.txt, length: 256, rows_per_file: 1 } } ]" << 'END'
sparsities: [ 0.5 ]
methods:
  reap:  { criterion: reap, strategy: lowest }
  wanda: { criterion: wanda, strategy: unstructured }
END
compare_ranks few 3 $more
