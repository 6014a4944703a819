#!/usr/bin/env python3
"""Random texts and random ids through `cull tokenize` and the library tokenizers, for every golden tokenizer.

    check_tokenizers.py CULL FOLDER-OF-TOKENIZERS MODEL-FOLDER [SEED [TEXTS]]

Exits 77 where tokenizers is missing.
"""
import json
import os
import random
import subprocess
import sys
import unicodedata

try:
    from tokenizers import Tokenizer
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

BLANKS = [" ", "  ", "\t", "\n", "\r\n", "\r", "\n\n", " \n", "\u00a0", "\u3000", "\u2003", "\u200b", "\u2028", "\x0b",
          "\x0c", "\x85", "\x1c"]
DIGITS = "0123456789٠١٢३४५①②Ⅳ½²𝟘߀"
JOINED = ["👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪🇫🇷", "❤️", "☺︎", "e\u0301", "o\u0302\u0323", "\u1112\u1161\u11ab", "한글", "क्षि",
          "漢字かなカナ", "ａｂｃ", "ﷺ", "İi̇", "ß", "ﬀ", "\u212b", "\u0344", "\u0958", "\U0001d15e", "\ufb2c"]
LOOK_ALIKES = ["<0x0A>", "<0xff>", "▁", "▁▁", "Ġ", "Ċ", "âĢľ", "</w>", "##ing", "<unk>", "<s>", "</s>", "<|", "|>", "\ufeff",
               "\ufffd", "\u00ad"]
CODE = ["if(x){\n\t\treturn y;\n}", "https://a.b/c?d=e#f", "x_y.z()", "1,234.56", "e.g.", "##  # title", "<a b=\"c\">"]
WORDS = "the of and expert don't I'll we've THEY'RE x'S 'ſ 'LL café naïve Straße ΑΒΓ ﬁ ǆ".split()
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
RANGES = [(0, 0x20), (0x300, 0x370), (0x400, 0x500), (0x590, 0x700), (0xE00, 0xE80), (0x3040, 0x3100),
          (0x4E00, 0x9FFF), (0xAC00, 0xD7A0), (0x1F300, 0x1FA00)]


def assigned():
    """Of Unicode 3.2, which every table in use knows; but not U+180E, which has changed its class since."""
    old = unicodedata.ucd_3_2_0
    return [c for c in map(chr, range(0x110000)) if old.category(c) not in ("Cn", "Cs", "Co") and c != "\u180e"]


def some(r, alphabet, most):
    return "".join(r.choice(alphabet) for _ in range(r.randint(1, most)))


def piece(r, special, characters):
    low, high = r.choice(RANGES)
    token = r.choice(special) if special else "<s>"
    cut = r.randint(0, len(token))
    return r.choice([
        lambda: some(r, characters, 6), lambda: r.choice(BLANKS) * r.randint(1, 4), lambda: some(r, DIGITS, 9),
        lambda: r.choice(JOINED), lambda: some(r, PUNCTUATION, 6), lambda: token,
        lambda: r.choice([token[:cut], token[cut:], token.upper(), token * 2, f" {token} ", f"\n{token}  ",
                          token + "a", "a" + token]),
        lambda: r.choice("abcXYZ \n.0é漢") * r.choice([50, 200, 1000]), lambda: r.choice(LOOK_ALIKES),
        lambda: r.choice(CODE), lambda: "".join(chr(r.randrange(low, high)) for _ in range(r.randint(1, 8))),
        *[lambda: r.choice(["", " "]) + r.choice(WORDS)] * 6])()


def cull(program, folder, lines, *options):
    done = subprocess.run([program, "tokenize", folder, *options], input="".join(json.dumps(x) + "\n" for x in lines),
                          capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def compare(name, what, inputs, wanted, found):
    wrong = [i for i, (w, f) in enumerate(zip(wanted, found)) if w != f]
    for i in wrong[:3]:
        print(f"{name}: {what} {ascii(inputs[i])[:200]}: {ascii(found[i])[:200]}, wanted {ascii(wanted[i])[:200]}")
    return len(wrong) + (len(wanted) != len(found))


def check(program, name, folder, r, count, characters):
    t = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    special = [x.content for x in t.get_added_tokens_decoder().values()]
    texts = ["".join(piece(r, special, characters) for _ in range(r.choice([1, 2, 3, 8, 30]))) for _ in range(count)]
    wrong = 0
    for options, adds in (((), True), (("--no-special",), False)):
        found = cull(program, folder, [{"text": x} for x in texts], *options)
        wrong += compare(name, "encoding", texts, [t.encode(x, add_special_tokens=adds).ids for x in texts],
                         [f["ids"] for f in found])
    pool = [i for token, i in t.get_vocab().items() if token.startswith("<0x")] or range(t.get_vocab_size())
    ids = [[r.choice(pool) if r.random() < 0.5 else r.randrange(t.get_vocab_size())
            for _ in range(r.choice([1, 2, 5, 20, 60]))] for _ in range(count)]
    found = cull(program, folder, [{"ids": x} for x in ids], "--decode")
    wrong += compare(name, "decoding", ids, [t.decode(x) for x in ids], [f["text"] for f in found])
    print(f"{name:12} {wrong} of {3 * count} differ", flush=True)
    return wrong


def main():
    program, golden, model, *numbers = sys.argv[1:]
    seed, count = [int(n) for n in numbers] + [1, 400][len(numbers):]
    characters, wrong = assigned(), 0
    for name in sorted(os.listdir(golden)):
        folder = os.path.join(golden, name)
        if not os.path.isdir(folder):
            continue
        if not os.path.exists(os.path.join(folder, "tokenizer.json")):
            folder = model
        wrong += check(program, name, folder, random.Random(seed), count, characters)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
