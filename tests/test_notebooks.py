"The notebooks: clean, exported, fresh, well linked, and their exercises sound."
import ast
import json
import multiprocessing
import re
import shutil
import subprocess
import warnings

import nbformat
import pytest
import yaml
from conftest import NOTEBOOKS, ROOT, python
from filtering import PRELOAD, filtered

from beyondtext.dev import pages, stamp
from beyondtext.dev.site import for_quarto


def code_cells(nb): return [c for c in nb.cells if c.cell_type == "code"]


def body(cell): return "\n".join(line for line in cell.source.splitlines() if not line.startswith("#|")).removesuffix(";")


def test_outputs_belong_to_the_code(notebook):
    "And the page says when, and with what, they were last verified."
    assert stamp.stale(notebook[0]) is None, "run make save"
    assert notebook[1].cells[-1].source.startswith(f"*Last verified on {notebook[1].metadata['beyondtext']['date']}")


def test_outputs_hold_no_errors_and_no_noise(notebook):
    for cell in code_cells(notebook[1]):
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.get("text", "")[:200]
        if any(f in stamp.FLAGS for f in stamp.directives(cell.source)): continue
        last = ast.parse(body(cell) or "pass").body[-1]
        if isinstance(last, ast.Expr) and not isinstance(last.value, ast.Call) and not cell.source.rstrip().endswith(";"):
            assert cell.outputs, f"no output stored: {cell.source[:80]}"


def test_clean(notebook):
    "nbdev_clean would change nothing."
    from nbdev.clean import clean_nb
    from nbdev.config import get_config
    nb = json.loads(notebook[0].read_text())
    clean_nb(nb, allowed_metadata_keys=get_config(path=ROOT).allowed_metadata_keys.split())
    assert nb == json.loads(notebook[0].read_text())
    assert notebook[0].read_text() == stamp.as_text(notebook[1]), "not in the form that differs least: run make save"
    assert notebook[0].stat().st_size < 1_000_000


def test_the_package_is_what_the_notebooks_export(tmp_path):
    "nbdev_export in a copy of the repository gives the same files."
    tracked = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in tracked:
        if not name.startswith(("nbs/", "beyondtext/")) and name != "settings.ini" or not (ROOT / name).exists(): continue
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    run = python("-c", "from nbdev.doclinks import nbdev_export; nbdev_export()", cwd=tmp_path)
    assert run.returncode == 0, run.stderr[-1500:]
    files = lambda root: {p.relative_to(root).as_posix(): p.read_text() for p in (root / "beyondtext").rglob("*.py")}
    ours, theirs = files(ROOT), files(tmp_path)
    assert sorted(ours) == sorted(theirs)
    assert [n for n in ours if ours[n] != theirs[n]] == [], "run make export"


def is_import(node):
    "Imports, and those that only type checkers see."
    return isinstance(node, (ast.Import, ast.ImportFrom)) or isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def test_imports_stand_in_cells_of_their_own(notebook):
    """A cell that holds an import, at the top or in a function, is executed when the site is rendered; only what is exported can
    be, since it needs nothing that other cells have computed."""
    for cell in code_cells(notebook[1]):
        if "run_line_magic" in cell.source: continue
        tree = ast.parse(body(cell))
        assert {is_import(n) for n in tree.body} != {True, False}, cell.source[:200]
        if not any(d.startswith("export") for d in stamp.directives(cell.source)) and not all(map(is_import, tree.body)):
            assert not any(isinstance(n, (ast.Import, ast.ImportFrom)) for n in ast.walk(tree)), cell.source[:200]


@pytest.fixture(scope="module")
def forks():
    "Processes that are copied from one that has imported what takes long."
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    return context


def test_the_filter_for_the_site(notebook, forks, tmp_path):
    "Both filters that Quarto runs on every page, without Quarto. nbdev's executes imports and exported cells, and warns of nothing."
    page, out, err = (tmp_path / name for name in ("page", "out", "err"))
    page.write_text(json.dumps(for_quarto(json.loads(notebook[0].read_text()))))
    process = forks.Process(target=filtered, args=(ROOT, page, out, err))
    process.start()
    process.join(300)
    assert process.exitcode == 0 and "Found cells containing imports" not in err.read_text(), err.read_text()[-1500:]
    found = out.read_text()
    shown = nbformat.reads(found, 4)
    kinds = {kind for cell in code_cells(shown) for output in cell.outputs for kind in output.get("data", {})}
    assert not any(kind == "text/html" or "widget" in kind for kind in kinds), kinds  # for these, scripts are loaded from elsewhere
    assert len(shown.cells) >= len([c for c in notebook[1].cells if c.cell_type == "markdown"]) and "#| export" not in found


def test_front_matter(notebook):
    front = pages.front_matter(notebook[1])
    assert {"title", "description", "date", "image"} <= set(front)
    assert (notebook[0].parent / front["image"]).resolve().is_file()
    assert not re.match(r"\d", notebook[0].name)


def test_figures_have_words(notebook):
    "Every cell that stores an image says what is on it."
    for cell in code_cells(notebook[1]):
        if any("image/png" in o.get("data", {}) for o in cell.outputs):
            assert "#| fig-alt:" in cell.source, cell.source[:100]
    for cell in notebook[1].cells:
        if cell.cell_type == "markdown":
            for words, _ in re.findall(r"!\[([^\]]*)\]\(([^)]*)\)", cell.source): assert len(words) > 5


def links(nb): return [t for c in nb.cells if c.cell_type == "markdown" for t in re.findall(r"\]\(([^)\s]+)\)", c.source)]


def test_links_lead_somewhere(notebook):
    for target in links(notebook[1]):
        if not re.match(r"[a-z]+:", target): assert (notebook[0].parent / target.split("#")[0]).resolve().exists(), target


def anchors(path):
    "What a page's headings are called in addresses."
    text = "\n".join(c.source for c in nbformat.read(path, 4).cells if c.cell_type == "markdown")
    words = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE))
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s.-]", "", word.strip().lower())) for word in words}


def test_links_to_headings_find_them(notebook):
    for target in links(notebook[1]):
        page, _, heading = target.partition("#")
        path = (notebook[0].parent / page).resolve() if page else notebook[0]
        if heading and path.suffix == ".ipynb": assert heading in anchors(path), target


def test_citations_are_in_the_bibliography(notebook):
    known = set(re.findall(r"@\w+\{([^,]+),", (ROOT / "nbs" / "references.bib").read_text()))
    cited = {key for c in notebook[1].cells if c.cell_type == "markdown" for key in re.findall(r"(?<=[\[ ])@([\w-]+)(?=[;\]])", c.source)}
    assert cited <= known


def test_cells_are_short(notebook):
    for cell in code_cells(notebook[1]): assert len(cell.source.splitlines()) <= 50, cell.source[:80]


def exercises():
    for path in NOTEBOOKS:
        labels = {d.split(":")[1].strip(): c for c in code_cells(nbformat.read(path, 4)) for d in stamp.directives(c.source) if d.startswith("label:")}
        for label in labels:
            if label.startswith("exercise-"): yield pytest.param(path, labels, label.removeprefix("exercise-"), id=label)


@pytest.mark.parametrize("path, labels, name", list(exercises()))
def test_exercises(path, labels, name, capsys):
    "The check rejects the stub and accepts the solution; imports and exported functions are all that they need."
    space = {"__name__": "exercise"}
    nb = nbformat.read(path, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for cell in code_cells(nb):
            tree = ast.parse(body(cell)) if "run_line_magic" not in cell.source else ast.Module([], [])
            if tree.body and all(map(is_import, tree.body)): exec(body(cell), space)
        for module in (d.split()[1] for c in code_cells(nb) for d in stamp.directives(c.source) if d.startswith("default_exp")):
            exec(f"from beyondtext.{module} import *", space)
        for kind in ("exercise", "check", "solution"): exec(body(labels[f"{kind}-{name}"]), space)
    function = name.replace("-", "_")
    assert space["accepts"](space[f"check_{function}"], space[function]) is False
    assert space["accepts"](space[f"check_{function}"], space[f"{function}_solution"]) is True
    assert "code-fold: true" in labels[f"solution-{name}"].source
    assert "Not attempted yet." in capsys.readouterr().out


def test_the_sidebar_lists_every_notebook_once_and_in_order():
    config = yaml.safe_load((ROOT / "_quarto.yml").read_text())
    listed = re.findall(r"'(?:href': ')?(nbs/[\w/]+\.ipynb)'", str(config["website"]["sidebar"]["contents"]))
    assert sorted(listed) == sorted(p.relative_to(ROOT).as_posix() for p in NOTEBOOKS)
    chapters = [part for part in ("scaling", "attention", "beyond", "multimodal") if any(f"/{part}/" in n for n in listed)]
    firsts = [next(i for i, n in enumerate(listed) if f"/{part}/" in n) for part in chapters]
    assert firsts == sorted(firsts)


def test_nothing_is_imported_in_vain():
    run = python("-m", "ruff", "check", "--output-format", "concise", "nbs", "tests", "setup.py", cwd=ROOT)
    assert run.returncode == 0, run.stdout


def test_a_broken_notebook_would_be_noticed(tmp_path):
    "The checks above can fail: an edited cell, a dead link and a mixed cell are each found."
    path = tmp_path / "x.ipynb"
    nb = nbformat.read(ROOT / "nbs" / "world" / "scenes.ipynb", 4)
    code_cells(nb)[5].source += "\n# edited"
    nbformat.write(nb, path)
    assert "its code changed" in stamp.stale(path)
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("[gone](gone.ipynb)"), nbformat.v4.new_code_cell("import os\nos.getcwd()")])
    with pytest.raises(AssertionError, match="gone.ipynb"): test_links_lead_somewhere((path, nb))
    with pytest.raises(AssertionError, match="import os"): test_imports_stand_in_cells_of_their_own((path, nb))
