#!/bin/sh
# --memory: every command that opens a model's weights keeps to it, or says in a sentence that it is too little.
. "$SOURCE/tests/flow/common.sh"

MODEL=$SOURCE/models/tinyworld-mixtral
echo '
  reap: { criterion: reap, strategy: lowest }' | experiment '[ 0.5 ]' > e.yaml
echo '[5, 6, 7, 8, 9, 10]' > ids.jsonl
TEXT="perplexity: { files: $SOURCE/models/tinyworld/text/facts.heldout.txt, length: 64, rows_per_file: 1 }"

refused() { # ARGUMENT…: exit status 3, and one sentence that says how much it would be
    "$CULL" "$@" --memory 1M > printed 2> log
    status=$?
    [ $status -eq 3 ] || fail "exit status $status: $*"
    [ "$(wc -l < log)" -eq 1 ] || fail "not one line: $*"
    says '^error: --memory of 1 MB is too little for model ".*": it needs [0-9]* MB$'
}
enough() { "$CULL" "$@" --memory 400M --quiet > printed 2> log || fail "$*"; }

refused run e.yaml -o "$OUT"
[ ! -e "$OUT" ] || fail "the refused run left a folder"
refused plan e.yaml
refused inspect "$MODEL"
refused eval "$MODEL" --metric "$TEXT" -o evaluated
[ ! -e evaluated ] || fail "the refused evaluation left a folder"
refused trace "$MODEL" --ids ids.jsonl -o trace.h5
[ ! -e trace.h5 ] || fail "the refused trace left a file"

# What it says it needs is enough, for that command.
suffices() { # ARGUMENT…
    "$CULL" "$@" --memory 1M > printed 2> log
    megabytes=$(sed -n 's/.*it needs \([0-9]*\) MB$/\1/p' log)
    "$CULL" "$@" --memory $((megabytes * 1000000)) --quiet > printed 2> log || fail "$megabytes MB: $*"
}
suffices run e.yaml -o least
suffices plan e.yaml
suffices inspect "$MODEL"
suffices eval "$MODEL" --metric "$TEXT" -o least-evaluated
suffices trace "$MODEL" --ids ids.jsonl -o least.h5

# Of requests that alone are more than is allowed, no more is read than that.
awk 'BEGIN {
    text = sprintf("%400s", ""); gsub(/ /, "a b ", text)
    for (i = 0; i < 12000; i++)
        printf "{\"context\": \"%d %s\", \"choices\": [\" a\", \" b\"], \"gold\": 0}\n", i, text
}' > many.jsonl
"$CULL" plan e.yaml --set "metrics=[choices: { tasks: $DIR/many.jsonl }]" --memory 60M > printed 2> log &&
    fail "many requests within 60 MB"
says 'error: --memory of 6[0-9] MB is too little for what is to be read'
[ "$(wc -l < log)" -eq 2 ] || fail "not one sentence, and what was being done"
head -n 300 many.jsonl > some.jsonl
suffices plan e.yaml --set "metrics=[choices: { tasks: $DIR/some.jsonl }]"

# Where what is read leaves next to nothing, what is needed is said all the same.
for limit in 20 22 23 24 26 28 30 33 36 40; do
    "$CULL" plan e.yaml --set "metrics=[choices: { tasks: $DIR/some.jsonl }]" --memory ${limit}M > printed 2> log &&
        fail "some requests within $limit MB"
    says '^error: --memory of [0-9]* MB is too little for model ".*": it needs [0-9]* MB$'
done

# What is refused stays below the limit while it finds out: files, JSON and requests are all in it. (Sanitizers bring
# tens of megabytes of their own.)
if [ "${SANITIZED:-0}" = 0 ] && /usr/bin/time -f %M true 2> peak; then
    for limit in 40 60 80 100; do
        /usr/bin/time -f %M -o peak "$CULL" plan e.yaml --set "metrics=[choices: { tasks: $DIR/many.jsonl }]" \
            --memory ${limit}M > printed 2> log && fail "many requests within $limit MB"
        says 'is too little for what is to be read'
        [ "$(tail -n 1 peak)" -le $((limit * 1024)) ] || fail "$(tail -n 1 peak) kB where $limit MB are allowed"
    done
fi

enough run e.yaml -o "$OUT"
enough plan e.yaml
enough inspect "$MODEL"
enough eval "$MODEL" --metric "$TEXT" -o evaluated
enough trace "$MODEL" --ids ids.jsonl -o trace.h5
TRIAL=$(find "$OUT/trials" -name 'tiny-reap-*.h5')
refused export "$TRIAL" -o exported
[ ! -e exported ] || fail "the refused export left a folder"
enough export "$TRIAL" -o exported
suffices export "$TRIAL" -o least-exported
# (What was most so far counts where the export is evaluated, with what sanitizers bring.)
[ "${SANITIZED:-0}" = 1 ] || suffices export "$TRIAL" -o least-verified --verify

# A cut that is far larger than a layer: what it asks for is less than half of it, and it keeps to that.
keeps_to_it() { # ARGUMENT…
    suffices "$@"
    [ "$megabytes" -lt 160 ] || fail "$megabytes MB for a layer at a time: $*"
    rm -rf large-exported large.h5
    /usr/bin/time -f %M -o peak "$CULL" "$@" --memory $((megabytes * 1000000)) --quiet > printed 2> log || fail "$*"
    [ "$(tail -n 1 peak)" -le $((megabytes * 1000000 / 1024)) ] || fail "$(tail -n 1 peak) kB where $megabytes MB are allowed: $*"
    rm -rf large-exported large.h5
}
if [ "${SANITIZED:-0}" = 0 ] && /usr/bin/time -f %M true 2> peak; then
    mkdir large
    "$LARGE_CUT" large large.safetensors || fail "no large cut"
    keeps_to_it export large.safetensors --model large -o large-exported
    keeps_to_it export large.safetensors --model large -o large-exported --verify
    keeps_to_it trace large --cut large.safetensors --ids ids.jsonl -o large.h5
    # Without --memory there is no file but those that are asked for: none may be as large as its matrices' would be.
    beside() { (ulimit -f 122880; "$CULL" export large.safetensors --model large -o large-exported --shard 30M --quiet "$@") > printed 2> log; }
    beside || fail "a file of 60 MB without --memory: $(cat log)"
    rm -r large-exported
    ! beside --memory 400M || fail "no file for what --memory keeps from memory"
    rm -rf large large.safetensors large-exported
fi

# Where little is allowed, variants of a block are computed a few at a time, and rewritten matrices come and go: the
# same numbers.
echo '
  merge:  { criterion: logit-similarity, strategy: merge }
  wanda:  { criterion: wanda, strategy: unstructured }
  reap:   { criterion: reap, strategy: lowest }
  mone:   { criterion: mone, strategy: mone }
  random: { criterion: random, strategy: lowest }' | experiment '[ 0.25, 0.5 ]' > many.yaml
echo 'seeds: [ 1, 2, 3 ]' >> many.yaml
"$CULL" run many.yaml -o many --quiet 2> log || fail "many"
"$CULL" run many.yaml -o few --memory 1M 2> log
megabytes=$(sed -n 's/.*it needs \([0-9]*\) MB$/\1/p' log)
"$CULL" run many.yaml -o few --memory $((megabytes * 1000000)) --quiet 2> log || fail "few"
for folder in many few; do
    "$CULL" compare $folder --format csv > $folder.csv 2> log || fail "compare $folder"
done
cmp many.csv few.csv || fail "other numbers where little memory is allowed"
