#!/bin/sh
# Mixes of calibration data: shares of tokens, drawn by the seed; the same again, and named beside others.
. "$SOURCE/tests/flow/common.sh"

text="$SOURCE/models/tinyworld/text"
mix="mix: [ { text: { files: $text/facts.calibration.txt, length: 128 }, share: 0.3 },
           { text: { files: $text/code.calibration.txt, length: 64 }, share: 0.7 } ]"
experiment '[ 0.25 ]' > e.yaml << END
  reap: { criterion: reap, strategy: lowest }
seeds: [ 1, 2 ]
END
sed "s|^calibrate:.*|calibrate: { all: { $(echo "$mix" | tr -d '\n') },\\
  some: { $(echo "$mix" | tr -d '\n'), tokens: 6000, dense_rows: 4 },\\
  facts: { text: { files: $text/facts.calibration.txt, length: 128, rows: 4 } } }|" e.yaml > m.yaml
run 0 m.yaml
has_trials 6 # dense, facts, and two seeds of each mix

cat > check.py << 'END'
import collections, glob, sys, h5py
rows = {}
for path in glob.glob(sys.argv[1] + "/trials/*reap*.h5"):
    with h5py.File(path) as f:
        c = f["calibration"]
        rows[f.attrs["calibration"], f.attrs.get("seed", 0)] = list(
            zip(c["source"].asstr()[()], c["ordinal"][()].tolist(), c["length"][()].tolist()))
for (name, seed), of in rows.items():
    if name == "facts":
        continue
    tokens = collections.Counter()
    for source, _, n in of:
        tokens[source] += n
    total = 6000 if name == "some" else sum(tokens.values())
    assert abs(tokens["facts.calibration"] - 0.3 * total) <= 128, (name, tokens)
    assert abs(tokens["code.calibration"] - 0.7 * total) <= 64, (name, tokens)
    assert len(set(of)) == len(of)
    if name == "all":
        assert sum(tokens.values()) > 35000, tokens  # one of the two gives all that it has
assert rows["some", 1] != rows["some", 2]
END
python=${CULL_TEST_PYTHON:-python3}
if $python -c 'import h5py' 2> /dev/null; then
    $python check.py "$OUT" || fail "other shares than asked for"
fi
run 0 m.yaml
says '6 were there'

sed 's/tokens: 6000/tokens: 60000/' m.yaml > more.yaml
OUT=$DIR/more
run 2 more.yaml
says 'part 1 of the mix has 13696 tokens; its share is 18000 of them'
