#!/bin/sh
# What generation_config.json says of answers is part of what is evaluated, or is refused by name.
. "$SOURCE/tests/flow/common.sh"

mkdir model
cp "$SOURCE"/models/tinyworld-mixtral/* model
echo '  reap: { criterion: reap, strategy: lowest }' | experiment '[ 0.5 ]' |
    sed "s|$SOURCE/models/tinyworld-mixtral|$DIR/model|" > e.yaml
asked="metrics=[{generation: {tasks: $SOURCE/models/tinyworld/tasks/problems.jsonl, limit: 2, max_new: 16}}]"
answers() { echo "$1" > model/generation_config.json; }

run 0 e.yaml --set "$asked"
says '2 trials: 0 were there, 2 done'
run 0 e.yaml --set "$asked"
says '2 trials: 2 were there, 0 done'

# One EOS or a list of it is the same; other ids, lengths and penalties ask for something else.
answers '{ "eos_token_id": [1], "temperature": 0.6, "repetition_penalty": 1.0 }'
run 0 e.yaml --set "$asked"
says '2 trials: 2 were there, 0 done'
for other in '"eos_token_id": [1, 201]' '"eos_token_id": 1, "repetition_penalty": 1.2' \
    '"eos_token_id": 1, "max_new_tokens": 3'; do
    answers "{ $other }"
    run 0 e.yaml --set "$asked"
    says '2 trials: 0 were there, 2 done'
done

# What is deleted from both sides may leave nothing to compare, and a filter may find nothing.
"$CULL" eval model --metric "generation: {tasks: $SOURCE/models/tinyworld/tasks/problems.jsonl, limit: 2, max_new: 4, ignore: ['.*'], filters: ['f=zzz']}" \
    -o emptied > log 2>&1 || fail "eval with an ignore that leaves nothing"
says '`ignore` leaves nothing of the right answers of 2 of 2 documents'
says 'filter f finds nothing in any of 2 answers'

# What cannot be done stops nothing but answers.
answers '{ "eos_token_id": 1, "no_repeat_ngram_size": 3 }'
run 3 e.yaml --set "$asked"
says 'model/generation_config.json: no_repeat_ngram_size 3 changes what is generated, which is not done here'
run 0 e.yaml
"$CULL" inspect model > log || fail "inspect"
says 'answers .*cannot be generated: .*no_repeat_ngram_size'
