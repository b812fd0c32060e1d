"The identity of toys: one edit at a time, and exactly those toys have another name whose weights it decides."
import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, python
from tiny_system import TINY

from beyondtext.toys import identity
from beyondtext.toys.cache import toy_folder
from beyondtext.toys.identity import closure, toy_name
from beyondtext.toys.registry import CheckpointError, System, find_system, load_recipes, recipe, systems

NAMES = """
import json, sys
from beyondtext.toys.identity import toy_name
from beyondtext.toys.registry import SYSTEMS, load_recipes
load_recipes()
exec(sys.argv[1] if len(sys.argv) > 1 else "")
print(json.dumps({name: toy_name(name) for name in SYSTEMS}))
"""
ALL = set(systems()["system"])
TRAINED = ALL - {"speech-corpus"}  # all but what is only synthesised


def starting(*prefixes): return {name for name in ALL if name.startswith(prefixes)}


def names(folder, live=""):
    "The names of all toys for the package in `folder`, computed by a process of its own, which may change something first."
    run = python("-c", NAMES, live, env={"PYTHONPATH": str(folder)}, cwd=folder)
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout)


def copy_of_the_package(folder):
    shutil.copytree(ROOT / "beyondtext", folder / "beyondtext", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    "A copy of the package, and the names of its toys."
    folder = copy_of_the_package(tmp_path_factory.mktemp("package"))
    return folder, names(folder)


def renamed(package, edits, live=""):
    "The toys that have another name after edits of the copy, which is restored."
    folder, before = package
    kept = {path: path.read_text() for path in edits}
    try:
        for path, text in edits.items(): path.write_text(text)
        after = names(folder, live)
    finally:
        for path, text in kept.items(): path.write_text(text)
    return {name for name in before if before[name] != after[name]}


WITH_CLIP = {"clip", "altclip", "altclip-stages"}


@pytest.mark.parametrize("module, old, new, wanted", [
    # what no training reaches
    ("toys/training", "ax.grid(alpha=0.3)", "ax.grid(alpha=0.4)", set()),
    ("beyond/tables", "drawn.set_fontsize(9)", "drawn.set_fontsize(10)", set()),
    ("multimodal/clip", "top_k: int = 5,", "top_k: int = 6,", set()),
    ("toys/cache", "indent=1", "indent=2", set()),
    ("toys/hub", "unavailable", "missing", set()),
    ("recipes/vit", 'licence="apache-2.0"', 'licence="mit"', set()),
    ("recipes/clip", "seed: int, size: str)", 'seed: "int", size: "str")', set()),
    ("recipes/vit", "def _watch(model) ->", "def unused():\n    return 1\n\ndef _watch(model) ->", set()),
    # what some training reaches, directly or through other modules and other toys
    ("recipes/vit", "torch.full((3,), 3.0)", "torch.full((3,), 2.0)",
     {"vit", "vit-plain", "vit-optimizers", "vit-ablations", "clip-batches", "dalle-judge", "vqa", "vqa-regions", "vqa-lxmert", "vqa-biased", *WITH_CLIP}),
    ("recipes/byte_pairs", "left of right of above below", "left of right of above", {"clip-batches", *WITH_CLIP}),
    ("recipes/clip", '"batch_size": 96', '"batch_size": 95', WITH_CLIP),
    ("recipes/layoutlm", "strength * torch.eye(quarter)", "2 * torch.eye(quarter)", {"layoutlm", "layoutlm-words", "document-qa"}),
    ("world/receipts", '"Thank you"', '"Thanks"', {"layoutlm", "layoutlm-words", "document-qa"}),
    ("world/tables", "random.Random(", "random.Random(0 or ", {"tables", "tables-unordered"}),
    ("world/voices", "espeak_ng_SetRandSeed(ctypes.c_long(0))", "espeak_ng_SetRandSeed(ctypes.c_long(1))", {"speech", "speech-corpus", "speech-few-labels"}),
    ("recipes/regions", '"toy": (600', '"toy": (601', {"dalle-judge", "vqa", "vqa-regions", "vqa-lxmert", "vqa-biased"}),
    ("toys/training", "warmup: float = 0.1", "warmup: float = 0.2", TRAINED),
    ("toys/training", "return (step + 1) / first", "return step / first", TRAINED),
])
def test_an_edit_renames_what_it_decides(package, module, old, new, wanted):
    path = package[0] / "beyondtext" / f"{module}.py"
    text = path.read_text()
    assert old in text
    assert renamed(package, {path: text.replace(old, new)}) == wanted


def with_other_words(text):
    "The same code with other docstrings, more comments and more lines."
    lines = text.splitlines()
    documented = [n.body[0] for n in ast.walk(ast.parse(text)) if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(n)]
    for node in sorted(documented, key=lambda n: -n.lineno):
        lines[node.lineno - 1 : node.end_lineno] = ["", f"{' ' * node.col_offset}'Other words.'  # and a comment", ""]
    return "# A comment.\n" + "\n".join(lines) + "\n"


def test_comments_and_docstrings_rename_nothing(package):
    paths = [p for p in (package[0] / "beyondtext").rglob("*.py") if p.name not in ("__init__.py", "_modidx.py")]
    assert renamed(package, {p: with_other_words(p.read_text()) for p in paths}) == set()


def test_what_is_in_memory_counts(package):
    "A constant that was changed in the kernel gives the name that the same edit of the file gives."
    path = package[0] / "beyondtext" / "recipes" / "vit.py"
    edited = path.read_text().replace('"toy": (1400, 20_000)', '"toy": (1401, 20_000)')
    live = "import beyondtext.recipes.vit as vit; vit._AMOUNTS['toy'] = (1401, 20_000)"
    wanted = renamed(package, {path: edited})
    assert wanted == starting("vit") and renamed(package, {}, live) == wanted
    patched = names(package[0], live)
    path.write_text(edited)
    try: assert names(package[0]) == patched
    finally: path.write_text(edited.replace("1401", "1400"))


EDITED = """
import importlib, os, sys, time
sys.path.insert(0, sys.argv[1])
import own
from beyondtext.toys.cache import CheckpointError, toy_folder
from beyondtext.toys.identity import toy_name
first = toy_folder("own")
text = open(own.__file__).read()
def edit(text):
    open(own.__file__, "w").write(text)
    os.utime(own.__file__, (time.time() + 10,) * 2)
importlib.invalidate_caches()
edit("# a comment on top\\n" + text)
assert toy_folder("own") == first, "a comment does no harm"
edit(text.replace("factor = 1", "factor = 2"))
import linecache; linecache.checkcache()
from beyondtext.toys import identity
identity._piece_of.cache_clear()  # as in a process that asks for the first time
try: toy_folder("own"); print("stored")
except CheckpointError as error: print("refused:", error)
importlib.reload(own)
second = toy_folder("own")
print(first.name != second.name, (second / "model.safetensors").read_text(), sorted(p.name for p in first.parent.iterdir() if p.is_dir()) == sorted([first.name, second.name]))
"""
OWN = '''
import pandas as pd
from beyondtext.toys.registry import recipe

class Weights:
    "A number."
    def __init__(self, value): self.value = value
    def save_pretrained(self, folder): (folder / "model.safetensors").write_text(str(self.value))

def value():
    factor = 1
    return 21 * factor

@recipe("own")
def train_own(seed, size):
    return (Weights(value()),), pd.DataFrame({"step": [1], "loss": [0.5]})
'''


def test_an_edited_file_is_refused_until_it_is_loaded(cache, tmp_path):
    "A file that was edited after its import is no source of a name: nothing is stored under a name that stands for other code."
    (tmp_path / "own.py").write_text(OWN)
    run = python("-c", EDITED, tmp_path)
    assert run.returncode == 0, run.stderr[-2000:]
    refused, last = run.stdout.strip().splitlines()
    assert refused.startswith("refused: own.value in memory differs from its source") and "Restart the kernel" in refused
    assert last == "True 42 True"


CELLS = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
def run(cell):
    result = shell.run_cell(cell)
    result.raise_error()
    return result.result
run(open(SOURCE).read())
print(run("from beyondtext.toys.cache import toy_folder; toy_folder('own')").name)
run(open(SOURCE).read().replace("factor = 1", "factor = 2"))
print(run("toy_folder('own')").name)
run("def value():\\n    factor = 2\\n    'not a docstring'\\n    return 21 * factor")
run("def value():\\n    'A docstring.'\\n    factor = 1\\n    return 21 * factor")
print(run("toy_folder('own')").name)
"""


def test_a_recipe_that_is_edited_in_a_kernel_is_named_by_what_the_kernel_has(cache, tmp_path):
    "Cells that define a recipe anew: another name for other code, the first name for the first code, the file's name for the file's code."
    (tmp_path / "own.py").write_text(OWN)
    run = python("-c", CELLS.replace("SOURCE", repr(str(tmp_path / "own.py"))))
    assert run.returncode == 0, run.stderr[-2000:]
    first, second, third = re.findall(r"^own-toy-0-\w+$", run.stdout, re.MULTILINE)
    assert first == third != second
    file = python("-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import own; from beyondtext.toys.identity import toy_name; print(toy_name('own'))")
    assert file.stdout.strip() == first


def test_an_undeclared_toy_is_refused(cache):
    other = System("tiny-user", lambda seed, size: toy_folder(TINY))
    with pytest.raises(CheckpointError, match="reads the toy tiny, which it doesn't declare.*needs="): toy_folder(other)


def test_every_recipe_declares_the_toys_that_its_code_names():
    load_recipes()
    for name in ALL:
        system = find_system(name)
        assert closure(system.recipe).toys <= {needed for needed, _, _ in system.required()}, name


def test_the_environment_counts_where_it_is_declared(monkeypatch):
    before = {name: toy_name(name) for name in ALL}
    for key in identity.ENVIRONMENT:
        monkeypatch.setitem(identity.ENVIRONMENT, key, lambda: "another")
        changed = {name for name in ALL if toy_name(name) != before[name]}
        assert changed == {name for name in ALL if key in find_system(name).environment} and changed
        monkeypatch.undo()


def test_two_recipes_cannot_have_one_name():
    with pytest.raises(ValueError, match="name is 'vit', which belongs to train_vit"): recipe("vit")(names)


STRUCTURE = """
import ast, hashlib, pathlib, sys
from beyondtext.toys.identity import read_piece
digest = hashlib.sha256()
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.py")):
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)): digest.update(repr(read_piece(node)).encode())
print(digest.hexdigest())
"""


def other_pythons():
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    folders = [Path(f) for f in os.environ.get("PATH", "").split(os.pathsep)] + sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions").glob("*/bin"))
    for version in ("3.11", "3.12", "3.13", "3.14"):
        for found in (f / f"python{version}" for f in folders):
            works = version != here and found.is_file() and subprocess.run([found, "-c", "pass"], capture_output=True).returncode == 0
            if works:
                yield version, found
                break


def test_the_structure_is_the_same_on_every_python():
    "The hash of every function of the course, by every Python that is installed here."
    others = dict(other_pythons())
    if not others: pytest.skip("no other Python from 3.11 on is installed")
    ours = python("-c", STRUCTURE, ROOT / "beyondtext").stdout
    for version, found in others.items():
        run = subprocess.run([found, "-c", STRUCTURE, ROOT / "beyondtext"], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT)
        assert run.stdout == ours and re.fullmatch(r"[0-9a-f]{64}\n", ours), (version, run.stderr[-1000:])
