#!/bin/sh
# How long plan, ls and compare take of a study of 1,000 trials, which it makes first (a minute or two).
#     bench/thousand.sh CULL [FOLDER]
set -eu
cull=$1
source=$(cd "$(dirname "$0")/.." && pwd)
folder=${2:-$(mktemp -d)}
cat >"$folder/thousand.yaml" <<END
question: Do random cuts of one model differ?
models:     { tiny: { hf: { path: $source/models/tinyworld-mixtral } } }
methods:    { random: { criterion: random, strategy: lowest } }
sparsities: [ 0.125, 0.25, 0.375, 0.5 ]
seeds:      [ $(seq -s ', ' 1 250) ]
metrics:    [ { perplexity: { files: $source/models/tinyworld/text/facts.heldout.txt, length: 32, rows_per_file: 2 } } ]
END
results=$folder/results
"$cull" run "$folder/thousand.yaml" -o "$results" -q
for command in "plan $folder/thousand.yaml -o $results" "ls $results" "compare $results"; do
    begin=$(date +%s.%N)
    "$cull" $command >/dev/null
    end=$(date +%s.%N)
    echo "cull ${command%% *}: $(echo "$end - $begin" | bc) s of $(find "$results/trials" -name '*.h5' | wc -l) trials"
done
