"""check_facets.py CULL SOURCE OUT: facets of a report can be compared by eye.

Ten series, five methods by two allocations, are drawn in two facets: drawings of one metric have the same axes,
a method has the same colour in both, and numbers below zero have a minus sign. Nine methods are drawn as five and
four, no drawing is left with one.
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
allocations: [ {3} ]
methods:     {{ {1} }}
metrics:     [ {{ choices: {{ tasks: {2}/some.jsonl }} }} ]
"""
METHODS = ["reap", "frequency", "gate", "variance", "ean"]
MORE = ["mone", "easy-ep", "random", "aimer"]


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def drawings(text):
    """(title, labels of the y axis) of every drawing in order."""
    for svg in re.findall(r"<svg.*?</svg>", text, flags=re.S):
        title = re.search(r'class="title"[^>]*>([^<]*)', svg)
        if title:
            yield title[1], re.findall(r'<text x="46" y="([0-9.]+)" text-anchor="end">([^<]*)', svg)


def report(cull, source, out, name, methods, allocations):
    """The page of an experiment of these methods."""
    methods = ", ".join(f"{m}: {{ criterion: {m}, strategy: lowest }}" for m in methods)
    with open(f"{out}/{name}.yaml", "w", encoding="utf-8") as file:
        file.write(EXPERIMENT.format(source, methods, out, allocations))
    run(cull, "run", f"{out}/{name}.yaml", "-o", f"{out}/{name}", "--quiet")
    run(cull, "report", f"{out}/{name}", "-o", f"{out}/{name}.html")
    with open(f"{out}/{name}.html", encoding="utf-8") as page:
        return page.read()


def facets_of(text):
    """The drawings of "Sparsity and quality", by their headings."""
    curves = text[text.index('id="curves"'):text.index('id="experts"')]
    return re.split(r"<h4>", curves)[1:]


def check_nine(text):
    facets = facets_of(text)
    assert [f[:f.index("<")] for f in facets] == [
        "methods 1 to 5 of 9, by value; axes of their own",
        "methods 6 to 9 of 9, by value; axes of their own"], [f[:60] for f in facets]
    for facet, n in zip(facets, (5, 4)):
        legend = facet[:facet.index('<div class="pair">')]
        marks = re.findall(r"<span><svg.*?var\(--s(\d)\).*?</svg>", legend, flags=re.S)
        assert len(marks) == len(set(marks)) == n, marks
        for svg in re.findall(r"<svg.*?</svg>", facet, flags=re.S):
            name = re.search(r'class="name" x="([0-9.]+)" [^>]*>dense<', svg)
            ends = [float(x) for x in re.findall(r"[ML]([0-9.]+) [0-9.]+", svg)]
            assert not name or max(ends) < float(name[1]), "dense's name stands in the way of a series"
    assert "baseline" not in text[text.index('id="answer"'):text.index('id="verdict"')]


def main():
    cull, source, out = sys.argv[1:]
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    with open(f"{source}/models/tinyworld/tasks/facts.jsonl", encoding="utf-8") as tasks:
        lines = tasks.readlines()[:40]
    with open(f"{out}/some.jsonl", "w", encoding="utf-8") as some:
        some.writelines(lines)
    text = report(cull, source, out, "e", METHODS, "layer, global")
    facets = facets_of(text)
    assert len(facets) == 2, len(facets)
    first, second = (list(drawings(f)) for f in facets)
    assert first == second and len(first) >= 2, (first, second)
    assert any(label.startswith("−") for _, labels in first for _, label in labels), first
    marks = [{name: number for number, name in
              re.findall(r'<span><svg.*?var\(--s(\d)\).*?</svg> ([^<]*)</span>', f, flags=re.S)} for f in facets]
    assert marks[0] == marks[1] and sorted(marks[0]) == sorted(METHODS), marks
    assert not re.search(r"<text[^>]*>-[0-9]", text), "a hyphen before a number"
    check_nine(report(cull, source, out, "nine", METHODS + MORE, "layer"))


main()
