"""The pages in a real browser: no error in the console, no request to elsewhere, no sideways scrolling on small screens, no
accessibility violation, words for every image, no dead link. Run on the plain pages that the course writes, and on the rendered site
where quarto is on the PATH. The site is rendered in a copy of the project (BEYONDTEXT_SITE names a folder with one that is rendered
already) and served over http."""
import functools
import http.server
import os
import re
import shutil
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse
from xml.etree import ElementTree

import nbformat
import pytest
import yaml
from conftest import NOTEBOOKS, ROOT
from filelock import FileLock
from PIL import Image

from beyondtext.dev.pages import write_index, write_pages


@dataclass
class Pages:
    "Pages in a folder, and the address that they are served at; none: they are opened as files."
    folder: Path
    address: str = ""

    def __iter__(self): return iter(sorted(self.folder.rglob("*.html")))

    def address_of(self, page): return f"{self.address}/{page.relative_to(self.folder).as_posix()}" if self.address else page.as_uri()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    "The plain pages, made of the stored outputs."
    base = tmp_path_factory.getbasetemp()
    out = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "pages"
    with FileLock(f"{out}.lock"):  # the processes of a parallel run share them
        if not Path(f"{out}.done").exists():
            for path in NOTEBOOKS: write_pages(nbformat.read(path, 4), path, ROOT, out)
            write_index(out)
            Path(f"{out}.done").touch()
    yield Pages(out)


def rendered(folder):
    "The site of a copy of the project, by Quarto, which has nothing to warn of."
    if ready := os.environ.get("BEYONDTEXT_SITE"): return Path(ready)
    if not shutil.which("quarto"): pytest.skip("quarto is not on the PATH")
    ignored = shutil.ignore_patterns(".git", ".venv", "_*", "__pycache__", ".*_cache", "*.egg-info", ".quarto")
    copy = shutil.copytree(ROOT, folder / "project", ignore=lambda here, names: ignored(here, names) - {"_quarto.yml", "__init__.py", "__init__.pyi", "_modidx.py"})
    run = subprocess.run(["quarto", "render"], cwd=copy, capture_output=True, text=True)
    assert run.returncode == 0 and "WARN" not in run.stderr, run.stderr[-3000:]
    return copy / "_site"


BASE = urlparse(yaml.safe_load((ROOT / "_quarto.yml").read_text())["website"]["site-url"]).path  # where the site will live on its server


class Quiet(http.server.SimpleHTTPRequestHandler):
    "Serves the site where it will live."
    def translate_path(self, path): return super().translate_path(path.removeprefix(BASE))
    def log_message(self, *arguments): pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = rendered(tmp_path_factory.mktemp("site"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Pages(folder, f"http://127.0.0.1:{server.server_port}{BASE}")
    server.shutdown()


@pytest.fixture(scope="module", params=["plain", "site"])
def pages(request): return request.getfixturevalue(request.param)


def test_links_and_images(pages):
    "Every link within leads to a page that is there, every image has words."
    for page in pages:
        text = page.read_text()
        for tag in re.findall(r"<img[^>]*>", text):
            if 'class="navbar-logo' in tag: continue  # beside the name of the site
            assert re.search(r'alt="[^"]{5,}"', tag) and "No description" not in tag, (page.name, tag[:300])
        for target in re.findall(r"""<a[^>]*href=["']([^"']+)["']""", text):
            link = urlparse(target)
            if link.scheme or link.netloc or not link.path: continue
            start = pages.folder / link.path.removeprefix(BASE).lstrip("/") if link.path.startswith("/") else page.parent / link.path
            assert Path(unquote(str(start))).exists(), (page.name, target)


def visited(browser, pages, some=None, dark=False, **settings):
    "All pages, or some, one after the other in a tab, and what the console complained of or what was asked of others."
    complaints, tab = [], browser.new_page(color_scheme="dark" if dark else "light", **settings)
    tab.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: complaints.append(request.url) if pages.address and urlparse(request.url).scheme.startswith("http") and not request.url.startswith(pages.address) else None)
    for page in some or pages:
        complaints.clear()
        tab.goto(pages.address_of(page))
        if dark and tab.evaluate("!!window.quartoToggleColorScheme && !document.body.classList.contains('quarto-dark')"):
            tab.evaluate("window.quartoToggleColorScheme()")
            tab.wait_for_function("document.body.classList.contains('quarto-dark')")
            tab.wait_for_timeout(300)
        yield page, tab, [c for c in complaints if "net::" not in c]
    tab.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 768])
def test_a_small_screen(pages, browser, width):
    for page, tab, complaints in visited(browser, pages, viewport={"width": width, "height": 740}):
        assert complaints == [], page.name
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, page.name


# Contrast depends on colours: of the texts of one kind (by tag, class and the colours in effect, of their own and of two elements around them) a few will do.
FEWER_TEXTS = """() => {
    const seen = {}, colours = e => { const {color, backgroundColor} = getComputedStyle(e); return color + backgroundColor; };
    const kind = e => e ? `${e.tagName}.${e.className}.${e.getAttribute("style")}.${colours(e)}` : "";
    for (const text of document.querySelectorAll("body *:not(:has(*))")) {
        if (text.closest("svg, math, script, style")) continue;
        const found = [text, text.parentElement, text.parentElement.parentElement].map(kind).join(" ");
        seen[found] = (seen[found] || 0) + 1;
        if (seen[found] > 3) text.style.visibility = "hidden";
    }
}"""
COLOURS = ["color-contrast", "link-in-text-block"]
COLOURLESS = {name: {"enabled": False} for name in COLOURS}


def violations(tab, **options):
    "Of which rules axe finds violations in a page."
    from axe_playwright_python.sync_playwright import Axe
    if not tab.evaluate("!!window.axe"): tab.evaluate(Axe().axe_script)
    found = tab.evaluate("options => axe.run(options).then(results => results.violations)", {"resultTypes": ["violations"]} | options)
    return [(v["id"], v["nodes"][0]["html"][:200]) for v in found]


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_accessibility(pages, browser, theme):
    "axe finds nothing: in structure, which is looked at once, and in the colours of both themes."
    for page, tab, _ in visited(browser, pages, dark=theme == "dark"):
        found = violations(tab, rules=COLOURLESS) if theme == "light" else []
        tab.evaluate(FEWER_TEXTS)
        found += violations(tab, runOnly=COLOURS)
        assert not found, (page.name, found)


def test_the_feed(site):
    "All pages, in less than 300 kB, with addresses that are whole."
    feed = site.folder / "pages.xml"
    items = ElementTree.parse(feed).getroot().findall("./channel/item")
    assert len(items) == len(NOTEBOOKS) and feed.stat().st_size < 300_000
    for item in items:
        assert item.find("link").text.startswith("https://") and not re.search(r"""(?:src|href)=["'](?!https?://)""", ElementTree.tostring(item, "unicode"))


def test_heads_of_the_site(site):
    "Each page says what it is, where it lives and which image shows it."
    for page in site:
        head = page.read_text().split("</head>")[0]
        if page.name in ("404.html", "live.html"): continue  # found by no search; shown in a frame
        assert 'rel="canonical"' in head, page.name
        card = re.search('<meta property="og:image" content="https://[^"/]*/beyondtext/([^"]*[.]png)"', head)
        assert card and Image.open(site.folder / card[1]).size == (1200, 630), page.name


@pytest.mark.browser
@pytest.mark.parametrize("name, words", [("live/vit", "red"), ("live/igpt", "coloured pixels"), ("live/clip", "a red circle"), ("live/dalle", "All 64")])
def test_toys_answer_on_their_pages(pages, browser, name, words):
    page = pages.folder / ("nbs" if pages.address else "") / f"{name}.html"
    _, tab, _ = next(visited(browser, pages, [page]))
    tab.locator("iframe").scroll_into_view_if_needed()
    tab.frame_locator("iframe").locator("#progress" if name == "live/dalle" else "#answers").filter(has_text=words).wait_for()


@pytest.mark.browser
@pytest.mark.parametrize("name", ["index", "nbs/live/vit"])
def test_toys_follow_the_switch_of_the_page(site, browser, name):
    for dark in (False, True):
        _, tab, _ = next(visited(browser, site, [site.folder / f"{name}.html"], dark=dark))
        tab.emulate_media(color_scheme="light")
        tab.locator("iframe").scroll_into_view_if_needed()
        tab.frame_locator("iframe").locator("main").wait_for()
        tab.frames[1].wait_for_function("scheme => getComputedStyle(document.documentElement).colorScheme === scheme", arg="dark" if dark else "light", polling=50)


def test_descriptions_are_short():
    for path in [*NOTEBOOKS, *ROOT.glob("*.qmd")]:
        text = nbformat.read(path, 4).cells[0].source if path.suffix == ".ipynb" else path.read_text()
        front = yaml.safe_load(text.split("---")[1])
        assert 20 < len(front["description"]) < 160, (path.name, len(front["description"]))


def test_our_drawings_describe_themselves():
    for path in (ROOT / "images").glob("*.svg"):
        text = path.read_text()
        assert "<title" in text and "<desc" in text and 'role="img"' in text, path.name
        assert "href=\"http" not in text
