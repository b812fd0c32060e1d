"The first cell of a page: it installs what is missing, moves nothing that a kernel lives on, and notices an older package."
import json
import os
import re
import subprocess
import sys
import venv
from email.message import Message
from importlib import metadata
from pathlib import Path

import pytest
from conftest import ROOT, python

from beyondtext import core
from beyondtext.dev.install import install_cell

COLAB = dict(line.split("==") for line in (ROOT / "tests" / "colab.txt").read_text().splitlines() if line[0] != "#")
KERNEL = "ipykernel jupyter_client jupyter_core ipython traitlets tornado pyzmq ipywidgets psutil torch torchvision torchaudio numpy pandas scipy matplotlib pillow fastcore google-auth ipyparallel notebook portpicker requests"


def normal(name): return re.sub("[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def network():
    probe = python("-m", "pip", "install", "--dry-run", "--no-deps", "--ignore-installed", "--quiet", "iniconfig")
    if probe.returncode: pytest.skip("no package index can be reached")


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    "An environment in which pip believes that Colab's versions are installed."
    folder = tmp_path_factory.mktemp("colab")
    venv.create(folder, with_pip=False)
    packages = next(folder.rglob("site-packages"))
    for name, version in COLAB.items():
        information = packages / f"{name.replace('-', '_')}-{version}.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def moved(colab, *requirements):
    "Of Colab's packages those that pip would replace, and what it would add."
    run = python("-m", "pip", "--python", colab, "install", "--dry-run", "--quiet", "--report", "-", *requirements)
    assert run.returncode == 0, run.stderr[-3000:]
    found = {normal(item["metadata"]["name"]): item["metadata"]["version"] for item in json.loads(run.stdout)["install"]}
    there = {normal(name) for name in COLAB}
    return {name: version for name, version in found.items() if name in there}, set(found) - there


def test_the_list_names_what_a_kernel_lives_on():
    assert {normal(name) for name in KERNEL.split()} <= {normal(name) for name in COLAB}


@pytest.mark.parametrize("extra", ["pages", "course"])
def test_nothing_of_colab_moves(network, colab, wheel, extra):
    "As the line of the first cell is resolved there; the runner's own packages move nothing, either."
    replaced, added = moved(colab, f"beyondtext[{extra}] @ {wheel.as_uri()}")
    assert replaced == {} and "jiwer" in added


@pytest.mark.parametrize("requirement, name", [("ipykernel>=6.29", "ipykernel"), ("fastcore<2", "fastcore"), ("tokenizers>=0.23.1", "tokenizers")])
def test_a_bound_that_moves_something_is_noticed(network, colab, wheel, requirement, name):
    replaced, _ = moved(colab, f"beyondtext[pages] @ {wheel.as_uri()}", requirement)
    assert name in replaced


CELL = """
import sys
lines = []
class Shell:
    def run_line_magic(self, name, line):
        lines.append((name, line))
        if len(sys.argv) > 2: sys.path.append(sys.argv[2])
def get_ipython(): return Shell()
exec(compile(open(sys.argv[1], encoding="utf-8").read(), "cell", "exec"))
print(lines, prepare_page.__module__)
"""


def package(folder, has="def prepare_page(version, source): assert version.count('.') == 2 and source.startswith('beyondtext[pages] @ git+')"):
    "A stand-in for the package."
    (folder / "beyondtext").mkdir(parents=True)
    (folder / "beyondtext" / "__init__.py").write_text("")
    (folder / "beyondtext" / "core.py").write_text(f"{has}\n")
    return folder


def first_cell(folder, path="", brings=True):
    "Run the cell where only `path` has packages besides Python's own; its pip brings those of folder/installed, or fails."
    (folder / "cell.py").write_text(install_cell(ROOT), encoding="utf-8")
    package(folder / "installed")
    return python("-S", "-c", CELL, folder / "cell.py", *[folder / "installed"] * brings, cwd=folder, env={"PYTHONPATH": str(path)})


def test_a_page_installs_the_package_where_there_is_none(tmp_path):
    run = first_cell(tmp_path)
    assert """[('pip', 'install -q "beyondtext[pages] @ git+https://github.com/beyondtext/beyondtext@main"')]""" in run.stdout, run.stderr


def test_a_folder_with_the_name_of_the_package_is_none(tmp_path):
    "A clone in the working directory, as `git clone` leaves it."
    (tmp_path / "beyondtext" / "beyondtext").mkdir(parents=True)
    run = first_cell(tmp_path, tmp_path)
    assert "'pip'" in run.stdout and run.stdout.strip().endswith("beyondtext.core"), run.stderr


def test_a_package_that_is_there_is_left_alone(tmp_path):
    run = first_cell(tmp_path, package(tmp_path / "there"))
    assert run.stdout.startswith("[] "), run.stderr


@pytest.mark.parametrize("state", ["an older package", "pip fails", "pip fails beside a clone"])
def test_what_is_older_or_could_not_be_installed_is_noticed(tmp_path, state):
    if state == "an older package": path = package(tmp_path / "there", has="")
    elif state == "pip fails": path = ""
    else: (path := tmp_path / "clone").joinpath("beyondtext").mkdir(parents=True)
    run = first_cell(tmp_path, path, brings=False)
    assert re.search(r'ImportError: this page needs beyondtext [\d.]+ or later: run %pip install -U "beyondtext\[pages\] @ git\S+" and restart the kernel$', run.stderr.strip()), run.stderr


@pytest.mark.parametrize("version, old", [("0.0.9", True), ("0.1.0rc1", True), ("0.1.0.dev3", True), ("0.1", False), ("0.1.0", False), ("0.1.0+local", False), ("0.1.0.post1", False), ("0.10.0.dev0", False), ("1.0.0", False)])
def test_versions_are_compared(monkeypatch, version, old):
    import beyondtext
    monkeypatch.setattr(beyondtext, "__version__", version)
    monkeypatch.setattr(core, "install_missing", lambda extra: [])
    if not old: return core.prepare_page("0.1.0", "SOURCE")
    with pytest.raises(ImportError, match=rf'needs beyondtext 0.1.0 or later, and {re.escape(version)} is installed: run %pip install -U "SOURCE" and restart'): core.prepare_page("0.1.0", "SOURCE")


@pytest.fixture
def environment(monkeypatch):
    "An environment of a few packages, and what pip was asked for; pip answers with what is in `errors`."
    installed, calls, errors = {"jiwer": "4.0.0", "datasets": "5.2.0", "torch": "2.11.0+cpu"}, [], []
    monkeypatch.setattr(core, "_installed", lambda: installed)
    asked = {"pages": ["jiwer>=4", "fastcore>=1.8", "datasets>=4", "python_stdnum>=1.20"], "course": ["psutil>=5"]}
    monkeypatch.setattr(metadata, "requires", lambda name: ["torch>=2.6", *(f'{r}; extra == "{e}"' for e, rs in asked.items() for r in rs)])
    def run(command, **settings):
        calls.append((command, Path(command[command.index("-c") + 1]).read_text()))
        return subprocess.CompletedProcess(command, bool(errors), "", "\n".join(errors))
    monkeypatch.setattr(subprocess, "run", run)
    return installed, calls, errors


def test_what_is_missing_is_installed_and_nothing_else_moves(environment):
    _, calls, _ = environment
    assert core.missing_packages("course") == (["psutil>=5"], [])
    assert core.install_missing("pages") == ["fastcore>=1.8", "python_stdnum>=1.20"]
    [(command, constraints)] = calls
    assert command[:5] == [sys.executable, "-m", "pip", "install", "-q"] and command[-2:] == ["fastcore>=1.8", "python_stdnum>=1.20"]
    assert constraints == "jiwer==4.0.0\ndatasets==5.2.0\ntorch==2.11.0+cpu\n"


def test_why_nothing_could_be_installed_is_said(environment):
    _, _, errors = environment
    errors += ["WARNING: x", "ERROR: no such version", "", "[notice] a new release of pip"]
    with pytest.raises(ImportError, match=r'could not be installed beside what is there \(ERROR: no such version\): run %pip install "fastcore>=1.8" "python_stdnum>=1.20" and restart'): core.install_missing("pages")
    errors[:] = ["/usr/bin/python: No module named pip"]
    with pytest.raises(ImportError, match="No module named pip"): core.install_missing("pages")


def test_a_package_that_is_too_old_is_left_to_the_reader(environment):
    installed, calls, _ = environment
    installed |= {"fastcore": "1.5.0", "python-stdnum": "2.2"}
    with pytest.raises(ImportError, match=r'fastcore>=1.8 is needed, and what is installed is older: run %pip install "fastcore>=1.8"'): core.install_missing("pages")
    assert calls == []


def test_metadata_of_another_state_is_noticed(monkeypatch):
    with pytest.raises(LookupError, match="no extra 'page'"): core.missing_packages("page")
    def missing(name): raise metadata.PackageNotFoundError(name)
    for replaced in (missing, lambda name: Message()):
        monkeypatch.setattr(metadata, "metadata", replaced)
        with pytest.raises(ImportError, match='needs beyondtext with its extra pages, and it can\'t be found .+: run %pip install -U "SOURCE"'): core.prepare_page("0.0.1", "SOURCE")
