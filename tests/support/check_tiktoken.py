#!/usr/bin/env python3
"""Files of ranks as tiktoken has them, for every class whose pattern is known: `cull tokenize` gives the ids that the
package gives, and its text back, on texts of many kinds.

    check_tiktoken.py CULL [MEGABYTES [TEXTFILE…]]

The vocabularies are trained here. Exits 77 where tiktoken or tokenizers is missing.
"""
import base64
import json
import os
import random
import sys
import tempfile
import unicodedata

try:
    import tiktoken
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
    from check_tokenizers import assigned, compare, cull, piece
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
HEAD, REST = r"[^\r\n\p{L}\p{N}]?", r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
KIMI = "|".join([
    r"[\p{Han}]+",
    HEAD + r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+" + CONTRACTIONS + "?",
    HEAD + r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*" + CONTRACTIONS + "?",
    r"\p{N}{1,3}", REST])
QWEN = "|".join([CONTRACTIONS, HEAD + r"\p{L}+", r"\p{N}", REST])
GLM = "|".join([CONTRACTIONS, HEAD + r"\p{L}+", r"\p{N}{1,3}", REST])
# Those that the package itself has.
CL100K = (r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|"""
          r"""\s++$|\s*[\r\n]|\s+(?!\S)|\s""")
O200K = "|".join([
    HEAD + r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + CONTRACTIONS + "?",
    HEAD + r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + CONTRACTIONS + "?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
# class: file, pattern, NFC, special tokens by their place after the ranks, those of added_tokens_decoder
CLASSES = {
    "TikTokenTokenizer": ("tiktoken.model", KIMI, False, None,
                          {0: "[BOS]", 1: "[EOS]", 2: "<|im_end|>", 7: "<|im_user|>", 257: "[PAD]"}),
    "QWenTokenizer": ("qwen.tiktoken", QWEN, True,
                      ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] + [f"<|extra_{i}|>" for i in range(205)], {}),
    "HYTokenizer": ("hy.tiktoken", QWEN, True, ["<|endoftext|>", "<|startoftext|>", "<|bos|>", "<|eos|>", "<|pad|>"]
                    + [f"<|extra_{i}|>" for i in range(205)], {}),
    "ChatGLM4Tokenizer": ("tokenizer.model", GLM, False, [], {0: "<|endoftext|>", 3: "[MASK]", 40: "<|user|>"}),
    "cl100k_base": ("cl100k_base.tiktoken", CL100K, False, [], {1: "<|endoftext|>", 20: "<|endofprompt|>"}),
    "o200k_base": ("o200k_base.tiktoken", O200K, False, [], {1: "<|endoftext|>", 20: "<|endofprompt|>"}),
    "gpt2": ("gpt2.tiktoken", GPT2, False, [], {0: "<|endoftext|>"}),
}


def train(pattern, texts, size):
    """Ranks: all bytes, and then what byte-pair encoding merges."""
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern.replace("++", "+").replace("?+", "?")
                                               .replace("}+", "}").replace("*+", "*")), "isolated"),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    t.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False))
    printable = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or 174 <= b]
    rest = [b for b in range(256) if b not in printable]
    byte = {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(rest)}
    vocabulary = sorted(t.get_vocab().items(), key=lambda x: x[1])
    tokens = [bytes(byte[c] for c in token) for token, _ in vocabulary]
    return {token: rank for rank, token in enumerate(tokens)}


def write(folder, name, file, ranks, given):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, file), "wb") as f:
        f.writelines(base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks.items())
    config = {"tokenizer_class": name, "model_max_length": 1e30,
              "added_tokens_decoder": {str(i): {"content": c, "special": True, "lstrip": False, "rstrip": False,
                                                "normalized": False, "single_word": False} for i, c in given.items()}}
    if given:
        config["eos_token"] = given[max(given)]
    with open(os.path.join(folder, "tokenizer_config.json"), "w") as f:
        json.dump(config, f)


def texts_of(megabytes, special, files, r):
    """Drawn pieces, and the files' text in parts, some of them long."""
    characters, out, size = assigned(), [], 0
    files = [open(f, encoding="utf-8").read() for f in files]
    while size < megabytes * 1e6:
        text = "".join(piece(r, special, characters) for _ in range(r.choice([1, 3, 30, 300])))
        for whole in files:
            at = r.randrange(max(1, len(whole)))
            text += whole[at:at + r.choice([10, 1000, 30000])]
        out.append(text)
        size += len(text.encode())
    return out


def check(program, name, megabytes, files, work):
    file, pattern, nfc, names, given = CLASSES[name]
    r = random.Random(name)
    sample = texts_of(0.3, [], files, r)
    ranks = train(pattern, sample, 3000)
    n = len(ranks)
    given = {n + i: c for i, c in given.items()}
    special = {c: n + i for i, c in enumerate(names or [])}
    if names is None:
        special = {f"<|reserved_token_{i}|>": i for i in range(n, n + 258) if i not in given}
    special.update({c: i for i, c in given.items()})
    folder = os.path.join(work, name)
    write(folder, name, file, ranks, given)
    encoding = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens=special)
    texts = texts_of(megabytes, list(special), files, r)
    wanted = [encoding.encode(unicodedata.normalize("NFC", x) if nfc else x, allowed_special="all") for x in texts]
    found = cull(program, folder, [{"text": x} for x in texts])
    wrong = compare(name, "encoding", texts, wanted, [f["ids"] for f in found])
    left_out = set(special.values())  # as special tokens are
    pool = list(ranks.values()) + list(special.values())
    ids = wanted + [[r.choice(pool) for _ in range(r.choice([1, 5, 60]))] for _ in range(2000)]
    found = cull(program, folder, [{"ids": x} for x in ids], "--decode")
    wrong += compare(name, "decoding", ids, [encoding.decode([i for i in x if i not in left_out]) for x in ids], [f["text"] for f in found])
    print(f"{name:20} {sum(len(x.encode()) for x in texts) / 1e6:.1f} MB, {n} ranks: {wrong} texts differ", flush=True)
    return wrong


def main():
    program, *rest = sys.argv[1:]
    megabytes = float(rest[0]) if rest else 0.5
    with tempfile.TemporaryDirectory() as work:
        wrong = sum(check(program, name, megabytes, rest[1:], work) for name in CLASSES)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
