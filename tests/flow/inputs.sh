#!/bin/sh
# Files that cannot be used, folders that are taken: one sentence, a status, nothing lost.
. "$SOURCE/tests/flow/common.sh"

echo '  reap: { criterion: reap, strategy: lowest }' | experiment '[ 0.25 ]' > e.yaml
run 3 nothing.yaml
says 'nothing.yaml'
mkdir folder
run 3 folder
run 3 e.yaml --set 'models.tiny.hf.path=nowhere'
says 'nowhere is not a folder'

cp -r "$SOURCE/models/tinyworld-mixtral" broken
truncate -s 1000000 broken/model.safetensors
run 3 e.yaml --set "models.tiny.hf.path=$DIR/broken"
says 'model.safetensors'
says '^e.yaml:1:15: error: '
cp "$SOURCE/models/tinyworld-mixtral/model.safetensors" broken
echo '{' > broken/config.json
run 3 e.yaml --set "models.tiny.hf.path=$DIR/broken"
says 'config.json'

OUT=$DIR/e.yaml/out run 3 e.yaml
OUT=$DIR/out
run 0 e.yaml
has_trials 2

# A damaged cache is said and made anew; a damaged trial likewise.
for file in "$OUT"/calibration/*.safetensors "$OUT"/trials/*reap*.h5; do
    truncate -s 100 "$file"
done
run 0 e.yaml
says '2 trials: 1 were there, 1 done'
has_trials 2
run 0 e.yaml
says '2 trials: 2 were there'
