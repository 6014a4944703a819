#!/usr/bin/env python3
"""tokenizer.json whose every part is drawn: normalisers, pre-tokenisers, the model's options, added tokens, decoders,
post-processors. `cull tokenize` gives the ids and the texts that the library tokenizers gives, or refuses the file.

    check_made_tokenizers.py CULL [FIRST [COUNT]]

FIRST is the first file's seed. Exits 77 where tokenizers is missing. Texts and files over which the library itself
breaks down, or wants gigabytes, are left out: each file has a process of its own.
"""
import contextlib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import traceback

try:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from check_tiktoken import GLM, O200K, QWEN
    from check_tokenizers import assigned, compare, piece
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

MEMORY = 4 << 30
MOST_REFUSED = 0.2  # of the files: those of a normaliser that empties an added token, say
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
REGEXES = [GPT2, GLM, QWEN, O200K, r"\s+", r"\d", r"\p{N}{1,3}", r"[一-龥぀-ゟ゠-ヿ]+", r"\p{Lu}?\p{Ll}+", r"[^\S\n]+",
           r"(?i)the|and", r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", r"[!-/:-~]", r"\p{Han}+", r"\n+|\t+", r"[\p{L}\p{M}]+",
           r"\w+", r"\W", r"[^\w\s]+", r"a|ab|abc", r"(?:\p{N}\p{N}\p{N})(?=(?:\p{N}\p{N}\p{N})*)"]
STRINGS = [" ", "▁", "e", "\n", "ab", "\u0301", "  ", ".", "é"]
BEHAVIOURS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
SCHEMES = ["always", "first", "never"]
ADDED = ["<s>", "</s>", "<unk>", " <x>", "hello", "the", "é", "É", "e\u0301", "Ａ", "  ", "   ", "don", "a b", "<|im|>",
         "[MASK]", "THE", "▁the", "ﬁ", "漢", "👍", "\u1112\u1161", "0", "12", "<0x0A>", "Ġ", "x", "<|", "İ", "\u200d", "_"]
HOSTILE = ["", "\0", "a\0b\0\0c", "\r\n\r\n \r\n", " " * 700, "\t" * 300 + "x", "a" * 600, "é" * 300, "👩‍👩‍👧‍👦" * 40,
           "\u0301" * 50, "a" + "\u0301\u0323\u0316" * 30, "한국어 \u1112\u1161\u11ab \u1100\u1161", "مرحبا بالعالم ١٢٣٤٥",
           "१२३ ४५६ ৭৮৯", "\U0010ffff\ufffe\uffff", "\ufeffx\ufeff", "x\u200by\u200dz", "the\u00a0hello\u3000the",
           "1234567890" * 20, "İSTANBUL ΑΣ ΑΣΣ Σ", "ﷺ ﬁ Å Å ½ ²", "don't DON'T 'ſ", "\ud7a3\uac00", "<0x0A><0xFF>",
           "hellohello hello the", "a b a  b", "  <x>  <s> </s>\n", "\u0085\u2028\u2029\x0b\x0c\x1c", "𝟘𝟙 𝒜 \U0001d15e",
           "\u0958\u09dc\u0f73", "ǅ ǆ ᾳ ŉ ẞ", "\u00a0\u00a0", "e\u0301e\u0301 é"]
# What stands for the first character of a text, and is gone again or less than it was: the first files' normalisers.
CHAINS = [[{"type": "Prepend", "prepend": "▁"}, {"type": "Strip", "strip_left": False, "strip_right": True}, {"type": "NFKD"}],
          [{"type": "Prepend", "prepend": " "}, {"type": "Strip", "strip_left": True, "strip_right": False}],
          [{"type": "NFD"}, {"type": "StripAccents"}]]
BYTES = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}


def chance(r, p=0.5):
    return r.random() < p


def pattern(r):
    return {"String": r.choice(STRINGS)} if chance(r, 0.3) else {"Regex": r.choice(REGEXES)}


def normalizer(r):
    return r.choice([
        {"type": r.choice(["NFC", "NFD", "NFKC", "NFKD"])}, {"type": "Lowercase"}, {"type": "StripAccents"},
        {"type": "Strip", "strip_left": chance(r), "strip_right": chance(r)},
        {"type": "Prepend", "prepend": r.choice(["▁", " ", "x"])},
        {"type": "Replace", "pattern": pattern(r), "content": r.choice(["▁", " ", "", "xy"])}, {"type": "ByteLevel"}])


def pre_tokenizer(r):
    split = {"type": "Split", "pattern": pattern(r), "behavior": r.choice(BEHAVIOURS), "invert": chance(r, 0.3)}
    return r.choice([
        split, split, {"type": "Whitespace"}, {"type": "WhitespaceSplit"}, {"type": "Digits", "individual_digits": chance(r)},
        {"type": "Punctuation", "behavior": r.choice(BEHAVIOURS)},
        {"type": "Metaspace", "replacement": r.choice("▁_"), "prepend_scheme": r.choice(SCHEMES), "split": chance(r)}])


def decoder(r):
    return r.choice([
        {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "BPEDecoder", "suffix": "</w>"}, BYTES,
        {"type": "Strip", "content": r.choice(" ▁a"), "start": r.choice([0, 1, 2]), "stop": r.choice([0, 1])},
        {"type": "Replace", "pattern": pattern(r), "content": r.choice([" ", "", "z"])},
        {"type": "Metaspace", "replacement": "▁", "prepend_scheme": r.choice(SCHEMES), "split": True}])


def in_order(key, parts):
    return {"type": "Sequence", key: parts} if len(parts) > 1 else parts[0] if parts else None


def template(r):
    token, text = {"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    return {"type": "TemplateProcessing", "single": [token] * r.randint(0, 2) + [text] + [token] * r.randint(0, 1),
            "pair": [token, text, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [3, 5], "tokens": ["a", "b"]}}}


def trained(r, parts, by_bytes, texts):
    """The model, trained behind the parts that stand before it."""
    affix = r.choice([{}, {}, {}, {"continuing_subword_prefix": "##"}, {"end_of_word_suffix": "</w>"}])
    alphabet = {"initial_alphabet": sorted(pre_tokenizers.ByteLevel.alphabet())} if by_bytes else {"limit_alphabet": 150}
    t = Tokenizer.from_str(json.dumps(dict(json.loads(Tokenizer(models.BPE()).to_str()), **parts)))
    t.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=r.choice([400, 700]), show_progress=False, **affix, **alphabet))
    return json.loads(t.to_str())


def options(r, model, by_bytes):
    model.update(fuse_unk=chance(r), ignore_merges=chance(r, 0.4))
    if chance(r, 0.6):
        model["unk_token"] = "<unk>"
        if chance(r, 0.9):
            model["vocab"].setdefault("<unk>", len(model["vocab"]))
    if chance(r, 0.4) or (not by_bytes and not model["unk_token"]):
        model["byte_fallback"] = True
        share = r.choice([1, 1, 1, 0.7])
        for byte in range(256):
            if chance(r, share):
                model["vocab"].setdefault(f"<0x{byte:02X}>", len(model["vocab"]))


def added(r, vocab, normalizer):
    """Of several that one form is made of, the first: which of them the library finds is decided by its hashes."""
    out, following, forms = [], len(vocab), set()
    for content in r.sample(ADDED, r.randint(0, 10)):
        form = normalizer.normalize_str(content) if normalizer else content
        if form in forms:
            continue
        forms.add(form)
        out.append({"id": vocab.get(content, following), "content": content, "single_word": chance(r, 0.3),
                    "lstrip": chance(r, 0.3), "rstrip": chance(r, 0.3), "normalized": chance(r), "special": chance(r)})
        following += content not in vocab
    return out


def made(seed, r, texts):
    by_bytes = chance(r)
    before = CHAINS[seed] if seed < len(CHAINS) else [normalizer(r) for _ in range(r.choice([0, 0, 1, 1, 2, 3]))]
    splits = [pre_tokenizer(r) for _ in range(r.choice([0, 1, 1, 2, 3]))]
    if by_bytes:
        splits.insert(r.choice([0, len(splits), len(splits)]), dict(BYTES, add_prefix_space=chance(r, 0.4), use_regex=chance(r)))
    parts = {"normalizer": in_order("normalizers", before), "pre_tokenizer": in_order("pretokenizers", splits)}
    file = trained(r, parts, by_bytes, texts)
    options(r, file["model"], by_bytes)
    file["added_tokens"] = added(r, file["model"]["vocab"], Tokenizer.from_str(json.dumps(file)).normalizer)
    decoders = [BYTES] if by_bytes and chance(r, 0.7) else [decoder(r) for _ in range(r.choice([0, 1, 1, 2, 3, 4]))]
    file["decoder"] = in_order("decoders", decoders)
    if chance(r, 0.4):
        file["post_processor"] = template(r)
    return file


@contextlib.contextmanager
def unheard():
    """Without what the library itself writes to stderr where it gives up."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def answered(inputs, function):
    """Those that the library has an answer to, and the answers. It gives up by a panic, which is no Exception."""
    asked, answers = [], []
    with unheard():
        for x in inputs:
            try:
                answers.append(function(x))
                asked.append(x)
            except KeyboardInterrupt:
                raise
            except BaseException:
                pass
    return asked, answers


def cull(program, folder, lines, *options):
    """What it prints; or why it refuses."""
    done = subprocess.run([program, "tokenize", folder, *options], input="".join(json.dumps(x) + "\n" for x in lines),
                          capture_output=True, text=True)
    if done.returncode not in (0, 3):
        raise RuntimeError(f"exit {done.returncode}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.split("\n") if line] if done.returncode == 0 else done.stderr


def check(program, seed, sample, characters):
    """What differs, and why it is refused."""
    r = random.Random(seed)
    file = made(seed, r, sample)
    t = Tokenizer.from_str(json.dumps(file))
    special = [token["content"] for token in file["added_tokens"]]
    texts = HOSTILE + ["".join(piece(r, special, characters) for _ in range(r.choice([1, 3, 8]))) for _ in range(40)]
    texts, wanted = answered(texts, lambda x: t.encode(x).ids)
    ids = wanted + [[r.randrange(t.get_vocab_size()) for _ in range(r.choice([1, 3, 20]))] for _ in range(40)]
    ids, back = answered(ids, t.decode)
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "tokenizer.json"), "w") as f:
            json.dump(file, f)
        found = cull(program, folder, [{"text": x} for x in texts])
        if isinstance(found, str):
            return 0, found
        wrong = compare(seed, "encoding", texts, wanted, [x["ids"] for x in found])
        found = cull(program, folder, [{"ids": x} for x in ids], "--decode")
        return wrong + compare(seed, "decoding", ids, back, [x["text"] for x in found]), None


def apart(*what):
    """check(), in a process of its own; None: the library has ended it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 2  # a panic
        try:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            os.write(writer, json.dumps(check(*what)).encode())
            status = 0
        except Exception:
            traceback.print_exc()
            status = 1
        finally:
            sys.stdout.flush()
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as f:
        said = f.read()
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 1:
        raise RuntimeError(f"{what[1]}: the check has failed")
    return json.loads(said) if said else None


def main():
    program, *numbers = sys.argv[1:]
    first, count = [int(n) for n in numbers] + [0, 40][len(numbers):]
    characters, wrong, refused, left_out = assigned(), 0, 0, 0
    r = random.Random(0)
    sample = ["".join(piece(r, ["<s>"], characters) for _ in range(12)) for _ in range(60)]
    for seed in range(first, first + count):
        outcome = apart(program, seed, sample, characters)
        left_out += outcome is None
        differ, why = outcome or (0, None)
        if why:
            print(f"{seed}: {why.strip()}", flush=True)
        refused += why is not None
        wrong += "out of memory" in why if why else differ
    print(f"{wrong} texts of {count} files differ, {refused} files are refused, {left_out} left out")
    sys.exit(wrong > 0 or refused + left_out > MOST_REFUSED * count)


if __name__ == "__main__":
    main()
