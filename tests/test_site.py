"""The pages in a real browser: no error in the console, no sideways scrolling on a small screen, no accessibility
violation, words for every picture, no dead link. Run on the plain pages that the course writes, and on the rendered site
where quarto is on the PATH."""
import re
import shutil
import subprocess
from urllib.parse import unquote, urlparse

import nbformat
import pytest
from conftest import NOTEBOOKS, ROOT

from beyondtext.dev.pages import write_index, write_pages

@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    "The plain pages, made of the stored outputs."
    out = tmp_path_factory.mktemp("pages")
    for path in NOTEBOOKS: write_pages(nbformat.read(path, 4), path, ROOT, out)
    write_index(out)
    return out


@pytest.fixture(scope="module")
def site():
    if not shutil.which("quarto"): pytest.skip("quarto is not on the PATH")
    subprocess.run(["quarto", "render"], cwd=ROOT, check=True)
    return ROOT / "_site"


@pytest.fixture(scope="module", params=["plain", "site"])
def pages(request): return request.getfixturevalue(request.param)


def test_links_and_pictures(pages):
    "Every link within leads to a page that is there, every picture has words."
    for page in pages.rglob("*.html"):
        text = page.read_text()
        for tag in re.findall(r"<img[^>]*>", text):
            assert re.search(r'alt="[^"]{5,}"', tag) and "No description" not in tag, (page.name, tag[:300])
        for target in re.findall(r"""<a[^>]*href=["']([^"']+)["']""", text):
            link = urlparse(target)
            if link.scheme or not link.path: continue
            assert (page.parent / unquote(link.path)).exists(), (page.name, target)


def opened(browser, page, **settings):
    "The page in a fresh tab, and what its console complained of."
    complaints, tab = [], browser.new_page(**settings)
    tab.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(page.as_uri())
    return tab, [c for c in complaints if "net::" not in c]


@pytest.mark.browser
def test_a_small_screen(pages, browser):
    for page in sorted(pages.rglob("*.html")):
        tab, complaints = opened(browser, page, viewport={"width": 360, "height": 740})
        assert complaints == [], page.name
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360, page.name
        tab.close()


# Code is coloured by class: a few tokens of each class will do, and spare the check tens of thousands of others.
FEWER_TOKENS = """() => {
    const seen = {};
    for (const token of document.querySelectorAll("pre span[class]:not(:has(*))")) {
        const kind = `${token.parentElement.className} ${token.className} ${token.getAttribute("style")}`;
        seen[kind] = (seen[kind] || 0) + 1;
        if (seen[kind] > 3) token.replaceWith(token.textContent);
    }
}"""
RULES = {"light": {}, "dark": {"runOnly": ["color-contrast", "link-in-text-block"]}}  # what else there is does not depend on colours


@pytest.mark.browser
@pytest.mark.parametrize("scheme", RULES)
def test_accessibility(pages, browser, scheme):
    from axe_playwright_python.sync_playwright import Axe
    for page in sorted(pages.rglob("*.html")):
        tab, _ = opened(browser, page, color_scheme=scheme)
        tab.evaluate(FEWER_TOKENS)
        found = Axe().run(tab, options={"resultTypes": ["violations"], **RULES[scheme]}).response["violations"]
        assert not found, (page.name, [(v["id"], v["nodes"][0]["html"][:200]) for v in found])
        tab.close()


def test_our_drawings_describe_themselves():
    for path in (ROOT / "images").glob("*.svg"):
        text = path.read_text()
        assert "<title" in text and "<desc" in text and 'role="img"' in text, path.name
        assert "href=\"http" not in text
