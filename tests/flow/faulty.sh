#!/bin/sh
# A plugin that crashes, loops, yields NaN or takes too much costs its own trials; the others are done.
. "$SOURCE/tests/flow/common.sh"

experiment '[ 0.25 ]' > e.yaml << 'END'
  crash: { criterion: crash, strategy: lowest }
  loop:  { criterion: loop, strategy: lowest }
  nan:   { criterion: nan, strategy: lowest }
  more:  { strategy: more }
  skips: { strategy: skipping }
  stray: { strategy: stray }
  staged:
    - { criterion: crash, strategy: { lowest: { experts: 0.125 } } }
    - { criterion: wanda, strategy: unstructured, recalibrate: true }
  fine:  { criterion: reap, strategy: lowest }
END
run 1 e.yaml --plugin "$BINARY/tests/flow/criterion-faulty.so" --plugin-time 2
says '9 trials: 0 were there, 2 done, 7 failed, 0 left'
says 'criterion crash, scoring: crashed (Aborted)'
says 'criterion loop, scoring: no end after 2 seconds'
says 'the score of layer 1, expert 3 is'
says 'while scoring with criterion nan'
says '5 experts of layer 0 went, but 4 were allowed'
says '1 layers are passed over, which are no part of the stage.s budget'
says 'experts of layer 0 went, which are no part of the stage.s budget'
says 'trial tiny-staged-'
has_trials 2
no_leftovers
"$CULL" compare "$OUT" | grep -q fine || fail "the good trial is not in the table"
