#!/bin/sh
# Situations that went wrong elsewhere, by public bug reports: what stands in a file's place, what is stored beside
# what is read, what is given and not heeded.
command -v python3 > /dev/null || exit 77
. "$SOURCE/tests/flow/common.sh"
WORLD=$SOURCE/models/tinyworld
MODEL=$SOURCE/models/tinyworld-mixtral

# ---- a pointer of Git LFS in the place of a file: the header of the weights is "too large", a text is read as one ----

pointer()
{
    printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 4000000\n' 7
}
for file in model.safetensors tokenizer.json config.json; do
    cp -r "$MODEL" pointed
    pointer > pointed/$file
    said 3 "$file: a pointer of Git LFS stands in the place of the file" eval pointed \
        --metric "perplexity: {files: $WORLD/text/facts.heldout.txt, length: 64, rows_per_file: 1}" -o "$OUT"
    rm -r pointed
done
pointer > calibration.txt
pointer > tasks.jsonl
echo '  reap: { criterion: reap, strategy: lowest }' | experiment '[ 0.25 ]' > e.yaml
for file in calibration.txt tasks.jsonl; do
    said 3 "$file: a pointer of Git LFS" eval "$MODEL" -o "$OUT" \
        --metric "perplexity: {files: $file, length: 8, rows_per_file: 1}"
done
run 3 e.yaml --set calibrate.text.files=calibration.txt --set calibrate.text.length=8
says 'calibration.txt: a pointer of Git LFS'

# ---- tensors inside an expert that nobody reads (an adapter, a bias): not the second form of experts stored twice ----

# beside NAME TENSOR: ./edited is the model with one tensor more.
beside()
{
    rm -rf edited
    cp -r "$MODEL" edited
    python3 - "$1" << 'END' || fail "beside $1"
import json, struct, sys
path = "edited/model.safetensors"
data = open(path, "rb").read()
size, = struct.unpack("<Q", data[:8])
header = json.loads(data[8:8 + size])
end = len(data) - 8 - size
header[sys.argv[1]] = {"dtype": "F32", "shape": [2], "data_offsets": [end, end + 8]}
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
open(path, "wb").write(struct.pack("<Q", len(text)) + text + data[8 + size:] + bytes(8))
END
}
for ending in lora_A.weight bias weight_scale_inv adapter; do
    beside "model.layers.1.block_sparse_moe.experts.3.w1.$ending"
    said 3 "experts.3.w1.$ending\" is unknown" inspect edited
done
beside model.layers.1.mlp.experts.down_proj # the form in which transformers 5 has them in memory
said 0 'down_proj" first: a second form of experts that are stored twice' inspect edited

# ---- added_tokens.json is read where tokenizer_config.json has no added_tokens_decoder; ids as transformers 5.24 has them ----

# tokens FILE IDS [MAP]: what the farmers of Brikim are in ./edited with such an added_tokens.json. With a map of special
# tokens, the normaliser puts a letter in front, so that what is found before it shows.
tokens()
{
    rm -rf edited
    cp -r "$MODEL" edited
    echo "$1" > edited/added_tokens.json
    if [ $# -gt 2 ]; then
        echo "$3" > edited/special_tokens_map.json
        sed -i 's/"normalizer": null/"normalizer": { "type": "Prepend", "prepend": "k" }/' edited/tokenizer.json
    fi
    echo '{"text": "The farmers of Brikim"}' | "$CULL" tokenize edited > ids 2> log || fail "tokenize"
    [ "$(cat ids)" = "{\"ids\": [$2]}" ] || fail "added_tokens.json $1: $(cat ids), not [$2]"
}
tokens '{}' '0, 478, 808, 385, 446, 382, 77, 813'
tokens '{"farmers": 5}' '0, 478, 223, 1024, 385, 446, 382, 77, 813'
tokens '{"of": 900, "farmers": 7}' '0, 478, 223, 1024, 223, 360, 446, 382, 77, 813'
tokens '{"farmers": 1}' '0, 478, 808, 385, 446, 382, 77, 813'
tokens '{"farmers": 900}' '0, 77, 478, 223, 1024, 77, 385, 446, 382, 77, 813' '{"extra_special_tokens": ["farmers"]}'
for key in '"additional_special_tokens": ["farmers"]' '"my_token": "farmers"'; do
    tokens '{"farmers": 900}' '0, 77, 478, 808, 385, 446, 382, 77, 813' "{$key}"
done
echo '{"farmers": "x"}' > edited/added_tokens.json
said 3 'added_tokens.json: farmers: not an id' tokenize edited

# ---- keys of a request that say something in another form, or by another name ----

idle()
{
    echo "$2" > tasks.jsonl
    said 3 "tasks.jsonl:1: \"$1\"" eval "$MODEL" --tasks tasks.jsonl -o "$OUT"
}
idle choices '{"context": "a", "choices": " b", "gold": 0}' # right whatever the model is
echo '{"context": "a", "choices": " b", "gold": null}' > tasks.jsonl
said 0 'loglikelihood' eval "$MODEL" --tasks tasks.jsonl -o "$OUT"
idle until '{"context": "a", "choices": [" b", " c"], "gold": 0, "until": ["."]}'
idle targets '{"context": "a", "choices": [" b", " c"], "gold": 0, "targets": ["b"]}'
idle len_chars '{"context": "a", "choices": [" b", " c"], "gold": 0, "len_chars": [9, 9]}'
idle max '{"requests": [{"ctx": "a", "cont": " b", "max": 3}, {"ctx": "a", "cont": " c"}], "gold": 0}'
idle gold '{"context": "a", "until": ["."], "target": "b", "gold": 0}'
idle max_new '{"context": "a", "until": ["."], "target": "b", "max_new": 3}'
idle max_gen_toks '{"requests": [{"ctx": "a", "until": ["."], "max_gen_toks": 3}], "target": "b"}'
echo '{"id": 1, "context": "a", "choices": [" b", " c"], "gold": 0, "source": "x"}' > tasks.jsonl
said 0 'acc_norm' eval "$MODEL" --tasks tasks.jsonl -o "$OUT"

# ---- sparsities that come to one cut, and texts that a cut is both chosen and judged by ----

"$CULL" plan e.yaml --set 'sparsities=[0.25, 0.3, 0.5]' > log 2>&1 || fail "plan"
says 'sparsities 0.25 and 0.3 come to the same: 16 experts'
! grep -q '0.5 come to the same' log || fail "0.5 is another cut"
"$CULL" plan e.yaml --set 'sparsities=[0.26, 0.3, 0.25, 0.5]' > log 2>&1 || fail "plan"
says 'sparsities 0.25, 0.26 and 0.3 come to the same: 16 experts'
[ "$(grep -c 'come to the same' log)" -eq 1 ] || fail "one sentence for all that are alike"
! grep -q 'both read' log || fail "the texts are others"
reads_both() { "$CULL" plan e.yaml "$@" > log 2>&1 || fail "plan $*"; says "both read $WORLD/text/facts.heldout.txt"; }
reads_both --set "calibrate.text.files=$WORLD/text/facts.*.txt"
reads_both --set "calibrate={ mix: [ { text: { files: $WORLD/text/code.calibration.txt, length: 64 }, share: 0.5 },
    { text: { files: $WORLD/text/facts.heldout.txt, length: 64 }, share: 0.5 } ], tokens: 256 }"
run 0 e.yaml --set "calibrate.text.files=$WORLD/text/facts.heldout.txt"
says 'warning: calibration and metric perplexity both read'
"$CULL" plan e.yaml --set "calibrate.text.files=$WORLD/text/facts.heldout.txt" --set 'methods={ r: { criterion: random, strategy: lowest } }' > log 2>&1 || fail "plan of random"
! grep -q 'both read' log || fail "nothing is learned from these texts"

# ---- documents among their own examples (EleutherAI/lm-evaluation-harness #4145): by the task, or in the file of shots ----

mkdir data
for i in 1 2 3 4 5 6; do
    echo "{\"question\": \"What is $i+$i?\", \"right\": \"$((i + i))\", \"wrong\": \"$((i + i + 1))\", \"answer\": 0}"
done > data/sums.jsonl
sed -n 1,3p data/sums.jsonl > data/sums.train.jsonl
sed -n 4,6p data/sums.jsonl > data/late.train.jsonl
sed -n 1,3p data/sums.jsonl > data/late.jsonl
task() { printf 'prompt: "{{question}}"\nchoices: ["{{right}}", "{{wrong}}"]\ngold: answer\nmetrics: [acc]\n%s\n' "$2" > "$1.yaml"; }
task sums ''
task late ''
task own 'shots_from: sums
documents: sums'
task others 'shots_from: sums
documents: sums
draw: others'
# shown TASK TEXT: what is said of its prompts with two shots each.
shown()
{
    "$CULL" eval "$MODEL" --tasks "$1.yaml" --data data --shots 2 -o "shots-$1" > log 2>&1 || fail "eval of $1"
    if [ -n "$2" ]; then says "warning: .*task $1: $2"; else ! grep -q 'among their shots' log || fail "$1 has no shots of its own"; fi
}
shown sums '[1-3] of 6 prompts have the document itself among their shots'
shown own '[1-6] of 6 prompts have the document itself among their shots'
shown others ''
shown late ''

# ---- contexts that lose ids (EleutherAI/lm-evaluation-harness #3115): said, beside the table as without one ----

cat > tasks.jsonl << 'END'
{"context": "one and two and three and four and five and six and seven and eight and nine", "choices": [" a", " b"], "gold": 0}
{"context": "one", "choices": [" a", " b"], "gold": 0}
END
said 0 'warning: .*task tasks: 1 of 2 documents do not fit the length of 16 and lose ids on the left' \
    eval "$MODEL" --tasks tasks.jsonl --length 16 -o lost
"$CULL" eval "$MODEL" --tasks tasks.jsonl -o kept > log 2>&1 || fail "eval"
! grep -q 'lose ids' log || fail "both fit the model"
