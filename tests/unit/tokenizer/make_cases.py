"""Small tokenizers with options that the published pipelines do not use, and what the library makes of texts.

Needs tokenizers and transformers. Writes cases/NAME/{tokenizer.json,golden.jsonl[,tokenizer_config.json]};
golden.jsonl is as in ../../golden/tokenizers/README.md.
"""
import json
import os
import pathlib
import random
import shutil

from tokenizers import Tokenizer

os.environ["HF_HUB_OFFLINE"] = "1"
HERE = pathlib.Path(__file__).parent / "cases"


def letters():
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [b for b in range(256) if b not in plain]
    of = {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(other)}
    return [of[b] for b in range(256)]


BYTES = letters()
LATIN = [*"abcdefghijklmnopqrstuvwxyz ABCXYZ0123456789.,!?'-_éßñ中文", "▁", "<unk>", "<s>", "</s>"]
PAIRS = ["t h", "th e", "a n", "i n", "an d", "e r", "o u", "1 2", "' s", "l l", "in g", "▁ t", "▁t he", "▁ a"]


def bpe(alphabet, pairs, **options):
    tokens = list(alphabet)
    merges = [p.split(" ") for p in pairs]
    prefix = options.get("continuing_subword_prefix") or ""
    merges = [m for m in merges if m[0] in tokens and m[1] in tokens or not prefix]
    for a, b in merges:
        joined = a + b[len(prefix):]
        for t in (a, b, joined):
            if t not in tokens:
                tokens.append(t)
    base = dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=None,
                end_of_word_suffix=None, fuse_unk=False, byte_fallback=False, ignore_merges=False)
    return base | options | dict(vocab={t: i for i, t in enumerate(tokens)}, merges=merges)


def token(content, **options):
    return dict(id=0, content=content, single_word=False, lstrip=False, rstrip=False, normalized=False,
                special=False) | options


def template(bos, id):
    return dict(type="TemplateProcessing",
                single=[{"SpecialToken": {"id": bos, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                pair=[{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                special_tokens={bos: {"id": bos, "ids": [id], "tokens": [bos]}})


def level(prefix=False, regex=False):
    return dict(type="ByteLevel", add_prefix_space=prefix, trim_offsets=True, use_regex=regex)


def split(pattern, behavior, invert=False):
    return dict(type="Split", pattern=pattern, behavior=behavior, invert=invert)


def sequence(kind, *items):
    return {"type": "Sequence", kind: list(items)}


def meta(scheme, splits=True):
    return dict(type="Metaspace", replacement="▁", prepend_scheme=scheme, split=splits)


BYTE_PAIRS = ["t h", "th e", "a n", "i n", "Ġ t", "Ġt he", "Ġ a", "e r", "ä ¸", "Ċ Ċ"]
SP = [*LATIN, *(f"<0x{i:02X}>" for i in range(256))]
BYTE_LEVEL = bpe(BYTES, BYTE_PAIRS)
L1 = [*"abcdet ", *("##" + c for c in "abcdet"), *(c + "</w>" for c in "abcdet"),
      *("##" + c + "</w>" for c in "abcdet"), "<unk>"]

CASES = {
    "unk-fused": dict(model=bpe(LATIN, PAIRS, unk_token="<unk>", fuse_unk=True), pre=meta("always")),
    "unk-each": dict(model=bpe(LATIN, PAIRS, unk_token="<unk>"), pre=meta("never", False)),
    "dropped": dict(model=bpe(LATIN, PAIRS), decoder=dict(type="Fuse")),
    "affixes": dict(model=bpe(L1, ["a ##t", "t ##a", "b ##e</w>", "at ##e</w>"], unk_token="<unk>",
                              continuing_subword_prefix="##", end_of_word_suffix="</w>"),
                    pre=dict(type="WhitespaceSplit"), decoder=dict(type="BPEDecoder", suffix="</w>")),
    "folded": dict(model=bpe(SP, PAIRS, unk_token="<unk>", byte_fallback=True),
                   norm=sequence("normalizers", dict(type="NFKD"), dict(type="StripAccents"),
                                 dict(type="Lowercase"), dict(type="Strip", strip_left=True, strip_right=True)),
                   pre=meta("first"), decoder=meta("first")),
    "replaced": dict(model=bpe(SP, PAIRS, unk_token="<unk>", byte_fallback=True, fuse_unk=True),
                     norm=sequence("normalizers", dict(type="Prepend", prepend="▁"),
                                   dict(type="Replace", pattern={"Regex": " {2,}|\\t"}, content=" "),
                                   dict(type="Replace", pattern={"String": " "}, content="▁")),
                     decoder=sequence("decoders", dict(type="Replace", pattern={"String": "▁"}, content=" "),
                                      dict(type="ByteFallback"), dict(type="Fuse"),
                                      dict(type="Strip", content=" ", start=1, stop=0)),
                     added=[token("<s>", special=True), token("the", normalized=True),
                            token(" and", rstrip=True), token("<x>", single_word=True, lstrip=True)]),
    "words": dict(model=BYTE_LEVEL, pre=sequence("pretokenizers", dict(type="Whitespace"),
                                                 dict(type="Digits", individual_digits=False),
                                                 dict(type="Punctuation", behavior="Contiguous"), level())),
    "spaces": dict(model=BYTE_LEVEL | dict(ignore_merges=True),
                   pre=level(True, True), decoder=level(),
                   post=dict(type="RobertaProcessing", sep=["z", 89], cls=["a", 64], trim_offsets=True,
                             add_prefix_space=True),
                   added=[token("  ", normalized=True), token("   ", normalized=True),
                          token("[A]", lstrip=True, rstrip=True, special=True)]),
    "sets": dict(model=BYTE_LEVEL, decoder=level(), pre=sequence(
        "pretokenizers", split({"Regex": "[\\p{L}&&[^\\p{Han}a-c]]+|\\p{Han}|\\s[\\W&&\\S]"}, "Isolated"),
        split({"Regex": "\\s+$|^[[:upper:][0-9]]{1,2}+"}, "MergedWithPrevious"), level())),
    "inverted": dict(model=BYTE_LEVEL, decoder=level(), pre=sequence(
        "pretokenizers", split({"Regex": "\\w+"}, "MergedWithNext", True),
        split({"String": "e"}, "Contiguous"), split({"Regex": "(?i:'s|'T)|\\d(?=\\d)|\\bth?"}, "Removed"), level())),
    "composed": dict(model=BYTE_LEVEL, norm=dict(type="NFC"), pre=level(False, True), decoder=level(),
                     post=sequence("processors", level(), template("A", 32))),
    "configured": dict(model=bpe(LATIN, PAIRS, unk_token="<unk>"), pre=meta("always"),
                       post=template("<s>", LATIN.index("<s>")), added=[token("<s>", special=True)],
                       config=dict(tokenizer_class="PreTrainedTokenizerFast", bos_token="<s>", eos_token="[E]",
                                   extra_special_tokens=["[M]"], add_bos_token=False, add_eos_token=True,
                                   model_max_length=1000000000000000019884624838656)),
}

PIECES = ["the ", "and", " in", "ing", "'s", "'T", "  ", "   ", "\n", "\n\n", "\t", "12", "345", "é", "e\u0301",
          "Ａ", "ﬁ", "中文", "か", "<s>", "</s>", "<x>", "[A]", " [A] ", "[E]", "[M]", "<unk>", "▁", "\u180e",
          "\u00a0", "\u2028", "\u3000", "²", "Ⅷ", "😀", "ß", "ſ", "İ", "x", "ate", "tab", "abe", "X", "BC", ".",
          "!?", "-", "_", "\u0000", "\u200d", "\u0300\u0316", "\ua7f2", "\U00011de1", "\U000323af", "e", "a b"]


def texts(name):
    rnd = random.Random(name)
    yield from ("", " ", "the thing and the other", "<s>the<x> and the</s>", " [A]  a [A]b", "\u180e \u180ea")
    for _ in range(40):
        yield "".join(rnd.choice(PIECES) for _ in range(rnd.choice([1, 2, 4, 8, 16, 40])))


for name, case in CASES.items():
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    file = folder / "tokenizer.json"
    file.write_text(json.dumps(dict(
        version="1.0", truncation=None, padding=None, added_tokens=case.get("added", []),
        normalizer=case.get("norm"), pre_tokenizer=case.get("pre"), post_processor=case.get("post"),
        decoder=case.get("decoder"), model=case["model"]), ensure_ascii=False) + "\n")
    if "config" in case:
        from transformers import AutoTokenizer
        (folder / "tokenizer_config.json").write_text(json.dumps(case["config"], indent=1) + "\n")
        tokenizer = AutoTokenizer.from_pretrained(folder)._tokenizer
    else:
        tokenizer = Tokenizer.from_file(str(file))
    with open(folder / "golden.jsonl", "w") as out:
        for text in texts(name):
            ids = tokenizer.encode(text).ids
            line = dict(text=text, ids=ids, ids_without_special=tokenizer.encode(text, add_special_tokens=False).ids,
                        decoded=tokenizer.decode(ids))
            out.write(json.dumps(line) + "\n")
