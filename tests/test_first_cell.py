"The first cell of a page: it installs what is missing, moves nothing that a kernel lives on, and notices an older package."
import json
import os
import re
import subprocess
import sys
import venv

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
        sys.path.append(sys.argv[2])
def get_ipython(): return Shell()
exec(compile(open(sys.argv[1], encoding="utf-8").read(), "cell", "exec"))
print(lines, install_missing.__module__)
"""


def package(folder, version):
    "A stand-in for the package, of a version."
    (folder / "beyondtext").mkdir(parents=True)
    (folder / "beyondtext" / "__init__.py").write_text(f"__version__ = {version!r}\n")
    (folder / "beyondtext" / "core.py").write_text("def install_missing(extra): assert extra == 'pages'\n")
    return folder


def first_cell(folder, path=""):
    "Run the cell where only `path` has packages besides Python's own; its pip brings those of folder/installed."
    (folder / "cell.py").write_text(install_cell(ROOT), encoding="utf-8")
    package(folder / "installed", "0.1.0")
    return python("-S", "-c", CELL, folder / "cell.py", folder / "installed", cwd=folder, env={"PYTHONPATH": str(path)})


def test_a_page_installs_the_package_where_there_is_none(tmp_path):
    run = first_cell(tmp_path)
    assert "[('pip', \"install -q 'beyondtext[pages] @ git+https://github.com/beyondtext/beyondtext@main'\")]" in run.stdout, run.stderr


def test_a_folder_with_the_name_of_the_package_is_none(tmp_path):
    "A clone in the working directory, as `git clone` leaves it."
    (tmp_path / "beyondtext" / "beyondtext").mkdir(parents=True)
    run = first_cell(tmp_path, tmp_path)
    assert "'pip'" in run.stdout and run.stdout.strip().endswith("beyondtext.core"), run.stderr


@pytest.mark.parametrize("version", ["0.1.0", "0.1.1", "0.10.0", "1.0.0"])
def test_a_package_that_is_new_enough_is_left_alone(tmp_path, version):
    run = first_cell(tmp_path, package(tmp_path / "there", version))
    assert run.stdout.startswith("[] "), run.stderr


@pytest.mark.parametrize("version", ["0.0.9", "0.0.10"])
def test_an_older_package_is_noticed(tmp_path, version):
    run = first_cell(tmp_path, package(tmp_path / "there", version))
    assert f"ImportError: this page needs beyondtext 0.1.0 or later, and {version} is installed: run %pip install -U 'beyondtext[pages] @ git" in run.stderr
    assert run.stderr.strip().endswith("then restart the kernel")


def test_what_is_missing_of_an_extra_is_installed_and_nothing_else(monkeypatch):
    from importlib import metadata
    here = {"jiwer": "4.0.0", "fastcore": "1.5.0", "datasets": "5.2.0"}
    def version(name):
        if name not in here: raise metadata.PackageNotFoundError(name)
        return here[name]
    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(metadata, "requires", lambda name: ["torch>=2.6", *(f'{r}; extra == "{e}"' for e, rs in {"pages": ["jiwer>=4", "fastcore>=1.8", "datasets>=4", "phonenumbers>=8.13"], "course": ["psutil>=5"]}.items() for r in rs)])
    assert core.missing_packages("pages") == ["fastcore>=1.8", "phonenumbers>=8.13"] and core.missing_packages("course") == ["psutil>=5"]
    calls = []
    def run(command, **settings):
        calls.append(command)
        return subprocess.CompletedProcess(command, int(len(calls) > 1), "", "ERROR: no network\n")
    monkeypatch.setattr(subprocess, "run", run)
    assert core.install_missing("pages") == ["fastcore>=1.8", "phonenumbers>=8.13"]
    assert calls == [[sys.executable, "-m", "pip", "install", "-q", "fastcore>=1.8", "phonenumbers>=8.13"]]
    with pytest.raises(ImportError, match='could not install that .ERROR: no network.: pip install "fastcore>=1.8" "phonenumbers>=8.13"'): core.install_missing("pages")
