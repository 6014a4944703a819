#!/bin/sh
# Experiments that come with Cull have the same bits whoever computes them: on both models, with all their methods, fewer
# texts, one sparsity and one seed. For CULL_TEST_ALL alone: it takes minutes.
#     CULL, SAME: the program, and same_tensors.c
. "$SOURCE/tests/ranks/common.sh"
[ -n "${CULL_TEST_ALL:-}" ] || { echo "skipped: it is for CULL_TEST_ALL"; exit 77; }

# shipped NAME [ARGUMENT...]: the experiment of that name, made small.
shipped()
{
    experiment=$1
    shift
    compare_runs "$experiment" "2 3 4" "$SOURCE/experiments/$experiment.yaml" --set calibrate.text.rows_per_file=2 \
        --set 'sparsities=[0.5]' --set 'seeds=[1]' --set metrics.0.perplexity.rows_per_file=2 "$@"
    echo "$experiment: $(find one/trials -name '*.h5' | wc -l) trials are the same by 1 × 2, 2 × 1, 3 × 1 and 4 × 1"
}
shipped quickstart --set metrics.1.choices.limit=6 --set "metrics+={ generation: {
    tasks: $SOURCE/models/tinyworld/tasks/problems.jsonl, limit: 5, max_new: 12 } }"
shipped stun --set metrics.1.choices.limit=6
shipped mone --set metrics.1.choices.limit=6
shipped clustering-or-enumeration
shipped weights
shipped merging
