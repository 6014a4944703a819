#!/usr/bin/env python3
"""What Python's str does to the case of single characters.

    make_case.py table  > plugins/common/python/python_case.h
    make_case.py digest      the SHA-256 that test_python_case.c expects: of all code points
"""
import hashlib
import sys
import unicodedata

SIGMA, FINAL = "\u03a3", "\u03c2"
CHARACTERS = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]

# Letters and marks of Unicode 15.0, which utf8proc 2.8 has and Python 3.11 (14.0) does not.
NEWER = [(0xECE, 0xECE), (0x10EFD, 0x10EFF), (0x11241, 0x11241), (0x11F00, 0x11F42),
         (0x13439, 0x13455), (0x1DF25, 0x1DF2A), (0x1E030, 0x1E08F), (0x1E4EB, 0x1E4EF)]


def is_final(before, after=""):
    return (before + SIGMA + after).lower()[len(before)] == FINAL


def is_ignorable(c):
    return is_final("A" + c) and not is_final("." + c)


def is_cased(c):
    return is_final("." + c)


def print_ranges(name, why, characters):
    ranges = []
    for c in map(ord, characters):
        if ranges and ranges[-1][1] == c - 1:
            ranges[-1][1] = c
        else:
            ranges.append([c, c])
    print(f"\n// {why}\nstatic const int32_t {name}[][2] = {{")
    for first, last in ranges:
        print(f"    {{ {first:#x}, {last:#x} }},")
    print("};")


def table():
    print("// What str.title and str.lower of a character need beside its category and its simple mappings.")
    print(f"// Made by tests/support/make_case.py from Python's Unicode {unicodedata.unidata_version};"
          " is not edited.")
    print("#ifndef COMMON_PYTHON_CASE_H\n#define COMMON_PYTHON_CASE_H\n\n#include <stdint.h>")
    print("\n// Title cases of several characters.")
    print("static const struct {\n    int32_t from, to[3];\n} long_titles[] = {")
    for c in CHARACTERS:
        if len(c.capitalize()) > 1:
            print(f"    {{ {ord(c):#x}, {{ {', '.join(f'{ord(t):#x}' for t in c.capitalize())} }} }},")
    print("};")
    ignorable = {"Mn", "Me", "Cf", "Lm", "Sk"}
    print_ranges("ignorable_marks", "Case_Ignorable beside Mn, Me, Cf, Lm and Sk.",
                 [c for c in CHARACTERS
                  if is_ignorable(c) and unicodedata.category(c) not in ignorable])
    print_ranges("cased_signs", "Cased and not Case_Ignorable beside Lu, Ll and Lt.",
                 [c for c in CHARACTERS
                  if is_cased(c) and unicodedata.category(c) not in {"Lu", "Ll", "Lt"}])
    print("\n#endif")


def digest():
    hashed = hashlib.sha256()
    for c in CHARACTERS:
        if any(first <= ord(c) <= last for first, last in NEWER):
            continue
        lines = f"{c}\nA{c}{SIGMA}\n.{c}{SIGMA}\nA{SIGMA}{c}\nA{SIGMA}{c}A\n".lower()
        hashed.update((c.capitalize() + "\n" + lines).encode())
    print(hashed.hexdigest())


if __name__ == "__main__":
    {"table": table, "digest": digest}[sys.argv[1]]()
