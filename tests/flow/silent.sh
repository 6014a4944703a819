#!/bin/sh
# What used to go wrong without a word: damaged and lost files, names that are patterns, pipes in the place of
# files, options and settings that do nothing.
. "$SOURCE/tests/flow/common.sh"
TASKS=$SOURCE/models/tinyworld/tasks
MODEL=$SOURCE/models/tinyworld-mixtral

# flip FILE BYTE: its lowest bit.
flip()
{
    byte=$(od -An -tu1 -j "$2" -N 1 "$1")
    printf "\\$(printf %o $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2> /dev/null
}
# ends STATUS COMMAND...: the program ends so; what it prints is in ./printed.
ends()
{
    expected=$1
    shift
    timeout 60 "$CULL" "$@" > printed 2> log
    status=$?
    [ $status -eq "$expected" ] || fail "exit status $status where $expected was expected: $*"
}
prints() { grep -q -- "$1" printed || { cat printed >&2; fail "it does not print: $1"; }; }

echo '  reap: { criterion: reap, strategy: lowest }
  w: { criterion: wanda, strategy: unstructured }' | experiment '[ 0.25 ]' > e.yaml

# ---- a folder whose name is a pattern ----

OUT="$DIR/o[1]*?\\u"
run 0 e.yaml
says '3 trials: 0 were there, 3 done'
mkdir 'in[1]'
cp "$SOURCE/models/tinyworld/text/facts.heldout.txt" 'in[1]/held[out].txt'
cp "$TASKS/facts.jsonl" 'in[1]'
sed "s|files: [^,]*heldout.txt|files: 'held[out].txt'|" e.yaml > 'in[1]/e.yaml'
ends 0 plan 'in[1]/e.yaml'
ends 0 eval "$MODEL" --tasks "$TASKS/facts.jsonl" --limit 2 --data 'in[1]' -o "$DIR/out2"
OUT=$DIR/out
run 0 e.yaml

# ---- seals: every flipped bit of statistics and cuts is found ----

for file in "$OUT"/calibration/*.safetensors "$OUT"/cuts/*.safetensors; do
    size=$(stat -c %s "$file")
    cp "$file" kept
    for byte in 9 45 80 $((size / 2)) $((size - 1)); do
        flip "$file" "$byte"
        case $file in
        */cuts/*)
            ends 3 export "$file" --model "$MODEL" -o x
            says "$(basename "$file")"
            ;;
        *)
            rm -rf "$DIR/out3"
            mkdir "$DIR/out3"
            cp -r "$OUT/calibration" "$DIR/out3"
            ends 0 run e.yaml -o "$DIR/out3"
            says 'gathered anew'
            ;;
        esac
        cp kept "$file"
    done
done
[ -e x ] && fail 'a damaged cut was exported'

# ---- what is lost or damaged beside finished trials ----

flip "$OUT/index.h5" 3000
run 0 e.yaml
says 'index.h5: is damaged: its checksum does not match; made anew'
rm "$OUT"/cuts/*
trial=$(find "$OUT/trials" -name '*reap*.h5')
ends 3 export "$trial" -o x
says 'the trial.s cut is gone; .cull run. of its experiment makes it again'
before=$(state_of "$OUT/trials")
run 0 e.yaml
says 'the cut of a finished trial is gone; made again'
[ "$(state_of "$OUT/trials")" = "$before" ] || fail 'trials changed'
ends 0 export "$trial" -o x --layout jsonl

# ---- results without a checksum ----

cp -r "$OUT" bare
for file in bare/trials/*.h5; do
    truncate -s -40 "$file"
done
ends 2 compare bare
says 'has no checksum: it is damaged, or was written by another program'
ends 0 compare bare --unsealed
prints reap

# ---- trials behind a link: what the last run asked for counts, wherever they lie ----

sed 's/rows: 4/rows: 2/' e.yaml > fewer.yaml
for asked in e fewer e; do
    OUT=$DIR/linked run 0 $asked.yaml
done
"$CULL" compare linked --format csv > direct || fail "compare"
mkdir far
mv linked/trials far/trials
ln -s ../far/trials linked/trials
"$CULL" compare linked --format csv > by-link || fail "compare"
cmp -s direct by-link || fail "other trials by way of a link"

# ---- pipes where files belong ----

mkfifo pipe
mkdir -p piped/trials
mkfifo piped/trials/a.h5
ends 2 compare piped
says 'not a regular file'
rm -r piped
mkdir piped
mkfifo piped/log.jsonl
OUT=$DIR/piped run 3 e.yaml
says 'log.jsonl: the log cannot be written'
ends 3 run pipe -o "$DIR/out4"
says 'pipe: not a regular file'

# So are those that a run would write, or finds beside its own.
OUT=$DIR/pipes run 0 e.yaml
dense=$(find pipes/trials -name '*dense*')
rm pipes/experiment.json
mkfifo pipes/claims/a.run pipes/claims/b.claim pipes/experiment.json
ends 0 compare pipes
ends 3 run e.yaml -o pipes
says 'experiment.json: cannot be written: it is not a regular file'
rm pipes/experiment.json
ends 0 run e.yaml -o pipes
rm "$dense"
mkfifo "$dense"
ends 3 run e.yaml -o pipes
says 'dense.*: cannot be written: it is not a regular file'
ends 0 compare pipes
says 'left out: .*dense.*: not a regular file'

# Where trials are gone and their cuts are not, these are counted with what is there.
rm pipes/trials/*
ends 0 plan e.yaml -o pipes
prints '^new:  *3 trials'
prints '^there: 0 of 3 trials.* 2 of 2 cuts'

# ---- options that would do nothing ----

OUT=$DIR/out
ends 2 compare "$OUT" --where method=reap,nonsense
says 'nothing in the results has method=nonsense'
ends 0 compare "$OUT" --where method=reap,sparsity=0.25 --format csv
ends 2 compare "$OUT" --where method=reap,sparsity=0.75
says 'nothing in the results has sparsity=0.75'
ends 2 compare "$OUT" --set a=b
ends 2 compare "$OUT" --metric perplexity --metric perplexity
says 'metric is given twice'
ends 2 list --memory 1G
ends 2 eval "$MODEL" --metric 'perplexity: { files: a.txt }' --shots 3
says 'shots has no effect without --tasks'
ends 2 eval "$MODEL" --tasks "$TASKS/facts.jsonl" --shots 3
says '`shots` is for `names` and `definitions`'
ends 2 --version extra
says '"extra" is one argument too many'
ends 2 help run plan
says '"plan" is one argument too many'
ends 2 export "$trial" -o y --layout jsonl --shard 1G
ends 2 plan e.yaml --quiet --verbose

# ---- an evaluation whose file changed and whose requests did not ----

head -n 3 "$TASKS/facts.jsonl" > t.jsonl
ends 0 eval "$MODEL" --tasks t.jsonl -o "$DIR/again"
sed -i 's/^{/{ "more": 1, /' t.jsonl
ends 0 eval "$MODEL" --tasks t.jsonl -o "$DIR/again"
prints '|t '

# ---- what a plan says ----

echo '  r: { criterion: reap, strategy: lowest }
  s: [ { criterion: reap, strategy: { lowest: { experts: 0.25 } } }, { criterion: wanda, strategy: { unstructured: { experts: 0.5 } } } ]' |
    experiment '[ 0.01, 0.5 ]' > p.yaml
sed -i 's/^metrics:/layers: { only: [0, 1] }\nallocations: [ layer, { like: r } ]\n&/' p.yaml
ends 0 plan p.yaml
prints 'sparsity is of the layers that may be cut, which hold 50 % of the routed experts'
prints ' 0.5    0.25 '
prints 'method "s": all its stages carry shares of their own'
prints 'allocation like:r: for method "r" itself'
prints 'warning: method "r" on model "tiny": stage 1 removes nothing: 0.01 x 16 experts of a layer is less than one'
run 0 p.yaml --set allocations=layer --set sparsities=0.01 --set layers=~
says 'warning: method "r" on model "tiny": stage 1 removes nothing'

# A subsample that no method runs all experts on.
sed 's/rows: 4 }/rows: 4, dense_rows: 2 }/' e.yaml > dense.yaml
ends 0 plan dense.yaml
prints 'warning: calibrate: dense_rows has no effect: no method runs all experts on a subsample'
sed 's/criterion: [a-z]*/criterion: output-distance/; s/strategy: [a-z]*/strategy: merge/' dense.yaml > used.yaml
ends 0 plan used.yaml
! grep -q 'dense_rows has no effect' log || fail "a subsample that is used has no effect"
for metric in '[{perplexity: {files: a.txt, length: 64, seqlen: 32}}]' '[{choices: {tasks: a.jsonl}}, {choices: {tasks: a.jsonl}}]'; do
    ends 2 plan p.yaml --set "metrics=$metric"
done

# ---- standard files that are closed: no other file takes their place ----

"$CULL" run e.yaml -o "$DIR/closed" <&- 2>&- >&- || fail "a run without standard files"
grep -v '^{.*}$' "$DIR/closed/log.jsonl" && fail "what is meant for people is in the log"
[ -s "$DIR/closed/log.jsonl" ] || fail "no log"
"$CULL" compare "$DIR/closed" >&- 2> log && fail "a table for nobody"
says 'error: stdout cannot be written'

# ---- answers that end by their length ----

ends 0 eval "$MODEL" --metric "generation: { tasks: $TASKS/problems.jsonl, limit: 4, max_new: 2 }" -o "$DIR/cut"
prints 'length_cut *|↓ *|1.0000'
ends 0 compare "$DIR/cut" --format csv
prints 'length_cut'

# The share stands beside every exact_match, those of several tasks too.
for name in asks more; do
    echo '{ "context": "The cup is in the", "until": ["."], "target": " box" }' > $name.jsonl
done
ends 0 eval "$MODEL" --metric 'generation: { tasks: [asks.jsonl, more.jsonl], max_new: 1 }' -o "$DIR/pair"
ends 0 compare "$DIR/pair" --format csv
for task in asks more pooled macro; do
    prints ",$task,exact_match,none,0,"
    prints ",$task,length_cut,none,1,"
done
ends 0 report "$DIR/pair" -o pair.html
grep -q 'length_cut' pair.html || fail "the report does not say which answers were cut"

# ---- what the system says of a path is what is said, not what would follow from its absence ----

ln -s loop loop
mkdir -p hub/models--org--name/refs
ln -s main hub/models--org--name/refs/main
ends 3 inspect loop
says 'loop: Too many levels of symbolic links'
HF_HUB_CACHE=$DIR/hub ends 3 inspect org/name
says 'refs/main: Too many levels of symbolic links'
ends 3 run e.yaml -o loop
says 'loop: .*Too many levels of symbolic links'
ends 2 compare loop
says 'loop: Too many levels of symbolic links'
