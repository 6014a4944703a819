#!/bin/sh
# A second BOS, whoever brings it: it is fed as it is asked for, and told with the setting that it came by.
. "$SOURCE/tests/flow/common.sh"
MODEL=$SOURCE/models/tinyworld-mixtral # its tokenizer.json puts BOS in front of what is encoded with special tokens
FACTS=$SOURCE/models/tinyworld/text/facts.heldout.txt

# said WORDS METRIC: an evaluation that says this of BOS; none: that says nothing of it.
said()
{
    rm -rf "$DIR/evaluated"
    "$CULL" eval "$MODEL" --metric "$2" -o "$DIR/evaluated" > printed 2> log || fail "eval of $2"
    if [ "$1" = none ]; then
        grep -q 'two BOS' log && fail "$2: BOS is there once"
        return 0
    fi
    says "warning: .*$1"
}

echo '{ "context": "<s>The cup is in the", "until": ["."], "target": " box" }' > asks.jsonl
echo '{ "context": "The cup is in the", "until": ["."], "target": " box" }' >> asks.jsonl
echo '{ "context": "<s>The cup is in the", "choices": ["garden", "box"], "gold": 0 }' > chooses.jsonl
{ printf '<s>'; head -c 2000 "$FACTS"; } > own.txt
head -c 2000 "$FACTS" > plain.txt
head -n 6 plain.txt | sed 's/^/<s>/' > rendered.txt
echo '[0, 0, 5, 6, 7, 8]' > ids.jsonl
echo '[0, 5, 6, 7, 8, 9]' >> ids.jsonl

# Requests: what the newest protocol sees in a prompt, older ones do not.
for metric in "generation: { tasks: asks.jsonl, max_new: 2" "tasks: { files: asks.jsonl"; do
    said '1 of 2 requests begin with two BOS (protocol: lm-eval-0.4.7)' "$metric, protocol: lm-eval-0.4.7, bos: add }"
    said none "$metric, protocol: lm-eval-0.4.7 }"
    said none "$metric, bos: add }"
done
said '2 of 2 requests begin with two BOS (protocol: lm-eval-0.4.0)' \
    "choices: { tasks: chooses.jsonl, protocol: lm-eval-0.4.0, bos: add }"
said none "choices: { tasks: chooses.jsonl }"

# Windows, rolling or not.
said '1 of [0-9]* windows begin with two BOS (bos: row)' "perplexity: { files: own.txt, length: 64 }"
said '1 of [0-9]* windows begin with two BOS (bos: once)' "perplexity: { files: own.txt, length: 64, bos: once }"
said '1 of 2 windows begin with two BOS (bos: as given)' "perplexity: { files: ids.jsonl, documents: ids }"
said '1 of [0-9]* requests begin with two BOS' "perplexity: { files: plain.txt, length: 64, windows: rolling, bos: once }"
said '[1-6] of 6 windows begin with two BOS (bos: row)' "divergence: { files: rendered.txt, length: 12, documents: line, rows_per_file: 6 }"
for bos in row once; do
    said none "perplexity: { files: plain.txt, length: 64, bos: $bos }"
done
said none "perplexity: { files: own.txt, length: 64, bos: none }"

# Calibration: the template writes BOS, and so does the reader unless it is told not to.
calibrates()
{
    echo '  reap: { criterion: reap, strategy: lowest }' | experiment '[ 0.5 ]' > e.yaml
    rm -rf "$OUT"
    run 0 e.yaml --set "calibrate=$1"
}
for how in '' ', whole: true'; do
    calibrates "{ text: { files: rendered.txt, documents: line, length: 12, rows: 4$how } }"
    says 'warning: .*[1-4] of 4 calibration rows begin with two BOS (bos: true)'
    calibrates "{ text: { files: rendered.txt, documents: line, length: 12, rows: 4, bos: false$how } }"
    ! grep -q 'two BOS' log || fail "BOS is there once"
done
calibrates '{ ids: { files: ids.jsonl } }'
says 'warning: .*1 of 2 calibration rows begin with two BOS (bos: as given)'
