# Request files, evaluated and compared: what cannot be is refused, and what is said is said once.
. "$(dirname "$0")/common.sh"

MODEL=$SOURCE/models/tinyworld-mixtral

choices() # TASK WORD: a file of two questions
{
    for where in garden kitchen; do
        echo "{\"context\": \"The $2 is in the\", \"choices\": [\"$where\", \"box\"], \"gold\": 0}"
    done > "$1.jsonl"
}

choices a cup
choices b ball
"$CULL" eval "$MODEL" --tasks a.jsonl,b.jsonl -o evaluated > log 2>&1 || fail "eval"
"$CULL" compare evaluated --by-task > log || fail "compare"
[ "$(grep -c 'acc_bytes is in the results too' log)" -eq 1 ] || fail "the hint is not there once"

# A text of no bytes: nothing to divide by alone, and nothing in the way of others.
echo '{"text": ""}' > empty.jsonl
"$CULL" eval "$MODEL" --tasks empty.jsonl -o empty > log 2>&1
[ $? -eq 3 ] || fail "a text of no bytes has a perplexity"
says 'empty.jsonl:1: the text of task "empty" has no bytes'
echo '{"text": "The cup is in the garden"}' >> empty.jsonl
"$CULL" eval "$MODEL" --tasks empty.jsonl -o empty > log 2>&1 || fail "an empty text beside another is refused"
grep -q 'inf' log && fail "an empty text beside another makes a value infinite"

# Two checkpoints of one name, whose results fall into one folder: each is shown its own, and that is said.
mkdir a b
cp -r "$MODEL" a/ckpt
cp -r "$SOURCE/models/tinyworld-olmoe" b/ckpt
"$CULL" eval a/ckpt --tasks a.jsonl > first 2> log || fail "eval of a/ckpt"
[ ! -s log ] || ! grep -q 'of another model' log || fail "a warning of another model that is not there"
said 0 'results/eval-ckpt also holds 1 trial of another model of this name' eval b/ckpt --tasks a.jsonl
said 0 'also holds 1 trial of another' eval a/ckpt --tasks a.jsonl
"$CULL" eval a/ckpt --tasks a.jsonl 2> log | diff first - || fail "a/ckpt has other values beside b/ckpt"
"$CULL" eval b/ckpt --tasks a.jsonl -o apart > log 2>&1 || fail "eval of b/ckpt apart"
! grep -q 'also holds' log || fail "a warning where -o is given"
exit 0
