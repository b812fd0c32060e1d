"The house: layers, sizes and borders of modules, the public face, and what the documents of the project promise."
import ast
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import NOTEBOOKS, ROOT, python

import beyondtext

MODULES = sorted(p for p in (ROOT / "beyondtext").rglob("*.py") if p.name != "_modidx.py")


def functions(tree):
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.end_lineno - min([node.lineno, *(d.lineno for d in node.decorator_list)]) + 1


def foreign_private_names(tree):
    "Private names that a module takes from another module of the course."
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("beyondtext")):
            yield from (a.name for a in node.names if a.name.startswith("_"))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_modules_and_functions_are_short_and_keep_to_themselves(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    assert [(name, lines) for name, lines in functions(ast.parse(text)) if lines > 40] == []
    assert list(foreign_private_names(ast.parse(text))) == []


def test_notebooks_and_modules_mirror_each_other():
    exported = {m[1].replace(".", "/") for p in NOTEBOOKS if (m := re.search(r"#\| default_exp ([\w.]+)", p.read_text()))}
    named = {p.relative_to(ROOT / "nbs").with_suffix("").as_posix() for p in NOTEBOOKS if "#| default_exp" in p.read_text()}
    assert exported == named == {p.relative_to(ROOT / "beyondtext").with_suffix("").as_posix() for p in MODULES if p.name != "__init__.py"}


def contracts(folder):
    return subprocess.run([Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=folder, capture_output=True, text=True)


@pytest.fixture
def copied(tmp_path):
    "A copy of the package and its contracts."
    shutil.copytree(ROOT / "beyondtext", tmp_path / "beyondtext", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def test_arrows_point_down():
    run = contracts(ROOT)
    assert run.returncode == 0 and "0 broken" in run.stdout, run.stdout[-3000:]


@pytest.mark.parametrize("module, line, contract", [
    ("recipes/vit.py", "from ..beyond.vit import classify_image", "A room imports what is below it"),
    ("world/scenes.py", "from ..toys.cache import toy_folder", "A room imports what is below it"),
    ("beyond/vit.py", "from ..multimodal.clip import match_texts", "A room imports what is below it"),
    ("recipes/clip.py", "from ..dev.stamp import code_hash", "A room imports what is below it"),
    ("attention/patterns.py", "def late():\n    from .plans import make_plan", "Patterns, their plans, and what runs them"),
    ("world/language.py", "from .videos import make_video", "No circle of imports"),
])
def test_an_arrow_upwards_is_noticed(copied, module, line, contract):
    "A recipe that imports a page, a circle, an import inside a function: each breaks its contract."
    path = copied / "beyondtext" / module
    path.write_text(path.read_text() + f"\n{line}\n")
    run = contracts(copied)
    assert run.returncode != 0 and re.search(f"{contract} BROKEN", run.stdout), run.stdout[-3000:]


def test_the_face_is_listed_and_leads_to_the_helpers():
    wanted = "classify_image ask_table transcribe ask_image read_document ask_document draw complete_image classify_video match_texts find_images encode_text " \
             "print_source label_point sparse_attention linear_attention memory_efficient_attention fit_power_law fit_chinchilla".split()
    assert set(wanted) <= set(dir(beyondtext)) and set(wanted) <= set(beyondtext.__all__)
    for name in set(beyondtext.__all__) - {"__version__"}:
        helper = getattr(beyondtext, name)
        assert callable(helper) and helper.__doc__ and helper.__module__.startswith("beyondtext."), name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"): beyondtext.nothing


def test_the_face_costs_next_to_nothing():
    "Without PyTorch, NumPy and pandas; in imports, not in seconds: what is loaded is counted."
    code = "import sys; before = len(sys.modules); from beyondtext import classify_image; print(len(sys.modules) - before, sorted({m.split('.')[0] for m in sys.modules} & {'torch', 'transformers', 'numpy', 'pandas', 'PIL', 'matplotlib', 'scipy'}))"
    count, heavy = python("-c", code).stdout.strip().split(" ", 1)
    assert heavy == "[]" and int(count) < 150


@pytest.mark.parametrize("name", sorted(set(beyondtext.__all__) - {"__version__"}))
def test_helpers_are_annotated(name):
    "Every argument and the result, so that a type checker and an editor know them."
    signature = inspect.signature(getattr(beyondtext, name))
    bare = [p.name for p in signature.parameters.values() if p.annotation is inspect.Parameter.empty]
    assert not bare and signature.return_annotation is not inspect.Signature.empty, bare


USE = """
from beyondtext import ask_image, ask_table, classify_image, encode_text, find_images, match_texts, transcribe
import pandas as pd
import torch
table: pd.DataFrame = classify_image("a.png", top_k=2, device="cpu")
more: pd.DataFrame = ask_table({"a": [1]}, ["how many?"], checkpoint="toy")
found: pd.DataFrame = find_images(["a.png"], "a star")
vectors: torch.Tensor = encode_text(["a star"], layer=-1)
"""


def test_a_type_checker_understands_the_face(tmp_path):
    (tmp_path / "right.py").write_text(USE)
    (tmp_path / "wrong.py").write_text("from beyondtext import classify_image, nothing\nnumber: int = classify_image('a.png')\nclassify_image('a.png', topk=2)\n")
    (tmp_path / "mypy.ini").write_text("[mypy]\nfollow_imports = silent\nignore_missing_imports = True\n[mypy-transformers.*,accelerate.*,scipy.*]\nfollow_imports = skip\n")
    settings = ["--config-file", str(tmp_path / "mypy.ini"), "--cache-dir", str(tmp_path / "cache")]
    right, wrong = (python("-m", "mypy", *settings, tmp_path / f"{name}.py") for name in ("right", "wrong"))
    assert right.returncode == 0, right.stdout
    for words in ('has no attribute "nothing"', 'expression has type "DataFrame", variable has type "int"', 'Unexpected keyword argument "topk"'):
        assert words in wrong.stdout, wrong.stdout


THINGS = {"classify_image": "images", "complete_image": "top_half", "ask_table": "table questions", "ask_image": "image questions", "ask_document": "document questions",
          "read_document": "document", "match_texts": "images texts", "find_images": "images texts", "encode_text": "texts", "classify_video": "frames", "transcribe": "audio", "draw": "caption"}


@pytest.mark.parametrize("name", THINGS)
def test_one_convention(name):
    "The thing first and the question second; checkpoint and device are keywords of every helper that has a model."
    parameters = inspect.signature(getattr(beyondtext, name)).parameters
    assert " ".join(list(parameters)[: len(THINGS[name].split())]) == THINGS[name]
    for keyword in ("checkpoint", "device"):
        assert parameters[keyword].kind is inspect.Parameter.KEYWORD_ONLY and parameters[keyword].default is None


def test_the_readme_lists_every_helper():
    text = (ROOT / "README.md").read_text()
    assert [n for n in beyondtext.__all__ if n not in ("__version__", "caption", "make_scene") and f"`{n}(" not in text] == []


@pytest.mark.parametrize("name", ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "CITATION.cff", ".pre-commit-config.yaml", ".github/pull_request_template.md"])
def test_what_a_maintainer_looks_for(name):
    assert (ROOT / name).stat().st_size > 200
    if name.endswith((".cff", ".yaml")): assert yaml.safe_load((ROOT / name).read_text())


def test_contributing_names_only_what_exists():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for folder in re.findall(r"`([\w/]+)`", text.split("## Where is what?")[1].split("## A new page")[0]):
        if "/" in folder: assert (ROOT / "nbs" / folder).is_dir() or (ROOT / "nbs" / f"{folder}.ipynb").is_file() or (ROOT / folder).exists(), folder
    for question in ("data made", "is it trained", "is it used", "input read", "live version", "engine of a page", "add a system", "without retraining"): assert question in text


def test_a_long_function_and_a_foreign_private_name_would_be_noticed():
    long = ast.parse("def f():\n" + "    x = 1\n" * 41)
    assert [lines for _, lines in functions(long)] == [42]
    assert list(foreign_private_names(ast.parse("from ..recipes.vit import _watch"))) == ["_watch"]
