"""check_page.py CULL FOLDER OUT: is the page of `cull report` whole, and does a browser show it?

Every element is closed, nothing is fetched from anywhere, all sections have content. Where there is a
Chromium, screenshots at two sizes are taken into OUT and must not be empty.
"""
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

VOID = {"meta", "br", "img", "input", "link", "hr", "path", "line", "circle"}


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen, self.scripts = [], [], []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        for name in ("src", "href", "xlink:href", "action"):
            assert attributes.get(name, "#").startswith("#"), attributes
        self.seen.append((tag, attributes))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        assert self.open and self.open[-1] == tag, (tag, self.open[-3:], self.getpos())
        self.open.pop()


def screenshots(page, out):
    browser = next((b for b in ("chromium", "chromium-browser", "google-chrome") if shutil.which(b)), None)
    if not browser:
        print("no Chromium: no screenshots")
        return
    for name, size in (("wide", "1366,4000"), ("phone", "500,4000")):
        image = os.path.join(out, name + ".png")
        subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                        "--user-data-dir=" + os.path.join(out, "browser"), "--window-size=" + size,
                        "--screenshot=" + image, "file://" + os.path.abspath(page)],
                       check=True, timeout=120, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert os.path.getsize(image) > 60000, f"{name}: an empty page"


def check_figures(cull, folder, out, text):
    """Every drawing is there as SVG that stands alone, and as numbers."""
    figures = os.path.join(out, "figures")
    shutil.rmtree(figures, ignore_errors=True)
    subprocess.run([cull, "report", folder, "-o", os.path.join(out, "again.html"), "--figures", figures], check=True,
                   stdout=subprocess.DEVNULL)
    drawn = re.findall(r"<figure><svg", text)
    names = {ending: sorted(n[:-4] for n in os.listdir(figures) if n.endswith(ending)) for ending in (".svg", ".csv")}
    assert len(names[".svg"]) == len(drawn) > 10 and names[".svg"] == names[".csv"], (len(drawn), names)
    for name in names[".svg"]:
        root = ElementTree.parse(os.path.join(figures, name + ".svg")).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and len(root) > 3, name
        lines = open(os.path.join(figures, name + ".csv"), encoding="utf-8").read().splitlines()
        assert lines[0] in ("series,x,y,low,high", "layer,expert,value,removed") and len(lines) > 1, name
        assert all(len(line.split('"')[-1].split(",")) >= 4 for line in lines[1:]), name
    assert text == open(os.path.join(out, "again.html"), encoding="utf-8").read()


def main():
    cull, folder, out = sys.argv[1:]
    os.makedirs(out, exist_ok=True)
    path = os.path.join(out, "report.html")
    subprocess.run([cull, "report", folder, "-o", path], check=True, stdout=subprocess.DEVNULL)
    text = open(path, encoding="utf-8").read()
    page = Page()
    page.feed(text)
    assert not page.open, page.open

    ids = {a.get("id") for _, a in page.seen}
    assert {"verdict", "curves", "experts", "cost", "flips", "origin", "configs"} <= ids, ids
    assert sum(tag == "svg" for tag, _ in page.seen) >= 15
    assert "nan" not in re.sub(r"<style>.*?</style>", "", text, flags=re.S).lower().split(), "NaN is shown"
    assert not re.search(r'[xyd]="[^"]*(nan|inf)', text), "NaN is drawn"
    assert "reap" in text and "dense" in text
    check_figures(cull, folder, out, text)
    screenshots(path, out)


main()
