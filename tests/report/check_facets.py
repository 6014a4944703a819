"""check_facets.py CULL SOURCE OUT: facets of a report can be compared by eye.

Ten series, five methods by two allocations, are drawn in two facets: drawings of one metric have the same axes,
a method has the same colour in both, and numbers below zero have a minus sign.
"""
import os
import re
import shutil
import subprocess
import sys

EXPERIMENT = """
models:      {{ tiny: {{ hf: {{ path: {0}/models/tinyworld-mixtral }} }} }}
calibrate:   {{ text: {{ files: {0}/models/tinyworld/text/facts.calibration.txt, length: 64, rows: 4 }} }}
sparsities:  [ 0.25, 0.5 ]
allocations: [ layer, global ]
methods:     {{ {1} }}
metrics:     [ {{ choices: {{ tasks: {2}/some.jsonl }} }} ]
"""
METHODS = ["reap", "frequency", "gate", "variance", "ean"]


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def drawings(text):
    """(title, labels of the y axis) of every drawing in order."""
    for svg in re.findall(r"<svg.*?</svg>", text, flags=re.S):
        title = re.search(r'class="title"[^>]*>([^<]*)', svg)
        if title:
            yield title[1], re.findall(r'<text x="46" y="([0-9.]+)" text-anchor="end">([^<]*)', svg)


def main():
    cull, source, out = sys.argv[1:]
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    with open(f"{source}/models/tinyworld/tasks/facts.jsonl", encoding="utf-8") as tasks:
        lines = tasks.readlines()[:40]
    with open(f"{out}/some.jsonl", "w", encoding="utf-8") as some:
        some.writelines(lines)
    methods = ", ".join(f"{m}: {{ criterion: {m}, strategy: lowest }}" for m in METHODS)
    with open(f"{out}/e.yaml", "w", encoding="utf-8") as file:
        file.write(EXPERIMENT.format(source, methods, out))
    run(cull, "run", f"{out}/e.yaml", "-o", f"{out}/results", "--quiet")
    run(cull, "report", f"{out}/results", "-o", f"{out}/page.html")
    with open(f"{out}/page.html", encoding="utf-8") as page:
        text = page.read()
    curves = text[text.index('id="curves"'):text.index('id="experts"')]
    facets = re.split(r"<h4>", curves)[1:]
    assert len(facets) == 2, len(facets)
    first, second = (list(drawings(f)) for f in facets)
    assert first == second and len(first) >= 2, (first, second)
    assert any(label.startswith("−") for _, labels in first for _, label in labels), first
    marks = [{name: number for number, name in
              re.findall(r'<span><svg.*?var\(--s(\d)\).*?</svg> ([^<]*)</span>', f, flags=re.S)} for f in facets]
    assert marks[0] == marks[1] and sorted(marks[0]) == sorted(METHODS), marks
    assert not re.search(r"<text[^>]*>-[0-9]", text), "a hyphen before a number"


main()
