#!/bin/sh
# Whatever a plugin does in the parent, the run ends with a sentence that names plugin and callback, with a
# status that is not 0, and with the trials that were finished before.
. "$SOURCE/tests/flow/common.sh"
BORDER=$BINARY/tests/flow/metric-border.so

# broken STATUS ARGUMENT...: such a run, after which the trials are as they were.
broken()
{
    expected=$1
    shift
    run "$expected" "$@" --plugin "$BORDER" < /dev/null
    says "${expected:+error: }"
    [ "$(state_of "$OUT/trials")" = "$before" ] || fail "trials changed: $*"
}

# A sanitizer reports crashes itself, and says more.
reported() { [ "${SANITIZED:-0}" = 1 ] && case $1 in blocks | handles | mutes | segv | abort | fpe | stack | at-once | quick | thread) true ;; *) false ;; esac; }

# with IN HOW: the experiment in which the metric, the data reader or the criterion is faulty so.
metric() { ! reported "$2" && sed "s/^methods:/  - border: { in: $1, how: $2 }\n&/" e.yaml > m.yaml; }
data() { ! reported "$2" && sed "s/^calibrate: .*/calibrate: { border: { in: $1, how: $2 } }/" e.yaml > m.yaml; }
criterion() { ! reported "$2" && sed "s/criterion: reap/criterion: { border: { in: $1, how: $2 } }/" e.yaml > m.yaml; }

echo '  reap: { criterion: reap, strategy: lowest }' | experiment '[ 0.25 ]' > e.yaml
run 0 e.yaml
has_trials 2
before=$(state_of "$OUT/trials")

# ---- ends of the program ----

for in in check prepare score; do
    metric $in segv && broken 3 m.yaml && says "metric border crashed (Segmentation fault) in $in"
    metric $in abort && broken 3 m.yaml && says "metric border crashed (Aborted) in $in"
    metric $in fpe && broken 3 m.yaml && says "metric border crashed (Floating point exception) in $in"
    metric $in stack && broken 3 m.yaml && says "metric border crashed (Segmentation fault) in $in"
    metric $in exit-0 && broken 3 m.yaml && says "metric border ended the program (exit status 0) in $in"
    metric $in at-once && broken 3 m.yaml && says "metric border ended the program (exit status 0) in $in"
    metric $in quick && broken 3 m.yaml && says "metric border ended the program (exit status 0) in $in"
    metric $in thread && broken 3 m.yaml &&
        says "the program crashed (Segmentation fault) in a thread, while metric border was in $in"
    metric $in exit-2 && broken 3 m.yaml && says "metric border ended the program (exit status 2) in $in"
done
says "finished trials are safe in $OUT, and the same command goes on from there"
for in in random load; do
    data $in segv && broken 3 m.yaml && says "data border crashed (Segmentation fault) in $in"
    data $in exit-0 && broken 3 m.yaml && says "data border ended the program (exit status 0) in $in"
done
for in in needs_for form_for doubles add_rows add_expert merge; do
    criterion $in abort && broken 3 m.yaml && says "criterion border crashed (Aborted) in $in"
    criterion $in exit-0 && broken 3 m.yaml
    says "criterion border ended the program (exit status 0) in $in"
done
criterion add_rows segv && broken 3 m.yaml && says 'in add_rows, layer [0-9]*; finished trials are safe'

# What it does with signals and with stderr beforehand makes no difference: here, and in the log.
for how in blocks handles mutes; do
    metric score $how && broken 3 m.yaml && says 'metric border crashed (Segmentation fault) in score' &&
        { tail -n 1 "$OUT/log.jsonl" | grep -q '^{"time":"20[0-9-]*T[0-9:.]*Z","level":"error","text":"metric border crashed (Segm' ||
            fail "the log does not have it"; }
done
metric score mutes-einval && broken 1 m.yaml && says 'its callback "score" failed without saying why'
metric check mutes-einval && broken 2 m.yaml && says 'its callback "check" failed without saying why'

# ---- statuses without a sentence ----

for in in prepare; do
    metric $in silent-einval && broken 2 m.yaml
    says "metric border: its callback \"$in\" failed without saying why (a value that makes no sense here)"
    metric $in silent-eusage && broken 2 m.yaml && says "its callback \"$in\" failed without saying why"
    metric $in silent-enomem && broken 3 m.yaml && says "its callback \"$in\" failed without saying why"
    metric $in silent-ecanceled && broken 3 m.yaml && says "its callback \"$in\" failed without saying why"
    metric $in strange && broken 3 m.yaml && says "its callback \"$in\" returned the unknown status 77"
done
metric prepare mute && broken 3 m.yaml && says 'its callback "prepare" failed without saying why'
data load mute && broken 3 m.yaml && says 'its callback "load" failed without saying why'
criterion score mute && broken 1 m.yaml && says 'its callback "score" failed without saying why'
metric check silent-einval && broken 2 m.yaml && says 'its callback "check" failed without saying why'
metric score silent-einval && broken 1 m.yaml && says 'its callback "score" failed without saying why'
metric score silent-ecanceled && broken 1 m.yaml && says 'its callback "score" failed without saying why'
metric score strange && broken 1 m.yaml && says 'its callback "score" returned the unknown status 77'
metric score silent-enomem && broken 3 m.yaml && says 'its callback "score" failed without saying why'
data load silent-einval && broken 2 m.yaml && says 'data border: its callback "load" failed without'
data load strange && broken 3 m.yaml && says 'its callback "load" returned the unknown status 77'
criterion score silent-einval && broken 1 m.yaml && says 'its callback "score" failed without saying why'
criterion score strange && broken 1 m.yaml && says 'its callback "score" returned the unknown status 77'
criterion score at-once && broken 1 m.yaml && says 'criterion border, scoring: ended the program'
criterion score closing && broken 1 m.yaml --plugin-time 1 && says 'no end after 1 second'
criterion score exit-0 && broken 1 m.yaml && says 'criterion border, scoring: ended the program'

# ---- what callbacks return ----

returns() { # returns STATUS KIND IN HOW SENTENCE
    "$2" "$3" "$4"
    broken "$1" m.yaml
    says "$5"
}
returns 3 metric prepare no-array 'its callback "prepare" returns a number of requests, but none of them'
returns 3 metric prepare no-ids 'a request without token ids'
returns 3 metric prepare no-tokens 'a request without token ids'
returns 2 metric prepare wrong-id 'a request holds the token id -1'
returns 3 metric prepare wrong-kind 'a request of an unknown kind'
returns 3 metric prepare wrong-wants 'a request that wants what there is not'
returns 3 metric prepare all-scored 'a request that scores none of its ids, or all'
returns 3 metric prepare no-until 'a number of stop strings, but none of them'
returns 3 metric prepare no-answer 'a request for an answer of no ids'
returns 3 metric prepare answer-wants 'a request for an answer that wants what scores alone have'
returns 3 metric prepare no-utf8 'a request with a stop string that is not UTF-8'
returns 3 metric prepare huge-size 'a request of 2147483640 bytes; no version has more than'
returns 3 data load huge-size 'a sequence of 2147483640 bytes; no version has more than'
[ "${SANITIZED:-0}" = 1 ] ||
    returns 3 metric prepare no-address 'metric border crashed (Segmentation fault) in prepare'
returns 2 metric prepare endless 'new tokens, but the model has'
returns 1 metric score no-report 'its callback "score" reports nothing'
returns 1 metric score no-name 'a value with the impossible name'
returns 1 metric score no-data 'has no data'
returns 1 metric score not-a-number 'reports NaN'
returns 1 metric score huge-axis 'has impossibly long axes'
returns 3 data load no-array 'its callback "load" returns a number of rows, but none of them'
returns 3 data load no-ids 'a row without token ids'
returns 3 data load no-tokens 'a row without token ids'
returns 2 data load wrong-id 'holds the token id'
returns 3 criterion doubles huge-observer 'out of memory: criterion border wants [0-9]* numbers for its own statistic of layer 0'

# ---- what is got over, printed, left behind ----

metric prepare got-over
run 0 m.yaml --plugin "$BORDER"
grep -q STALE log && fail 'a failure that was got over is told'
rm -rf "$OUT"
for in in check prepare score; do
    text=$("$CULL" eval "$SOURCE/models/tinyworld-mixtral" --metric "border: { in: $in, how: noisy }" \
        --plugin "$BORDER" -o "$OUT" 2> log) || fail "eval: $in"
    says NOISE
    echo "$text" | grep -q NOISE && fail "what a plugin prints in $in is among the results"
    echo "$text" | grep -q '|border|' || fail "no table: $text"
    rm -rf "$OUT"
done
criterion score noisy
timeout 60 "$CULL" run m.yaml -o "$OUT" --plugin "$BORDER" 2> log > printed || fail 'a process left behind'
[ -s printed ] && fail "a run prints to stdout: $(cat printed)"
has_trials 2
