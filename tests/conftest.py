"What several test files need."
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(p for p in (ROOT / "nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)


def pytest_report_header():
    from beyondtext.dev.published import is_marked
    hub = [sum(is_marked(c, "hub") for c in nbformat.read(p, 4).cells) for p in NOTEBOOKS]
    return f"hub: {sum(hub)} cells of {sum(n > 0 for n in hub)} notebooks are rehearsed against a stand-in"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    "An empty cache for toys, for this process and its children."
    monkeypatch.setenv("BEYONDTEXT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(params=NOTEBOOKS, ids=lambda p: p.relative_to(ROOT / "nbs").with_suffix("").as_posix())
def notebook(request):
    "Each notebook of the course: its path and its content."
    return request.param, nbformat.read(request.param, 4)


def python(*arguments, **settings):
    "Run this Python; the result has returncode, stdout and stderr as text."
    settings["env"] = os.environ | settings.get("env", {})
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=600, **settings)


def build_command():
    "What the release workflow runs."
    steps = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())["jobs"]["build"]["steps"]
    return next(step["run"] for step in steps if step.get("run", "").startswith("python -m build"))


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    "What a release publishes: made in a clean copy of the repository by the release's own command, the wheel from the source distribution."
    clone = tmp_path_factory.mktemp("clone")
    for name in subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines():
        if not (ROOT / name).exists(): continue
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)
    run = python(*shlex.split(build_command())[1:], cwd=clone)
    assert run.returncode == 0, run.stderr[-1500:]
    return clone / "dist"


@pytest.fixture(scope="module")
def wheel(dist): return next(dist.glob("*.whl"))


def chromium():
    "The path of a Chromium, or None."
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


BROWSER = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="module")
def browser():
    if not chromium(): pytest.skip("no Chromium on the PATH")
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=BROWSER)
        yield browser
        browser.close()
