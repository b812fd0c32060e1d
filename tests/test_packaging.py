"Source distribution and wheel: made as for a release, small, whole, and able to work without the repository; the project's files agree with each other."
import configparser
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import nbformat
import pytest
import yaml
from conftest import NOTEBOOKS, ROOT, python

from beyondtext.dev.install import install_cell
from beyondtext.dev.stamp import is_install_cell

CLASSIFY = "from beyondtext import classify_image, make_scene; import beyondtext; print(beyondtext.__file__); print(set(classify_image(make_scene(2, 'test').image(), top_k=2)['label']))"
KERNEL = set("ipykernel jupyter_client jupyter_core ipython traitlets tornado pyzmq psutil".split())  # what a running kernel lives on


@pytest.fixture(scope="module")
def config():
    config = configparser.ConfigParser(delimiters=["="], interpolation=None)
    config.read(ROOT / "settings.ini")
    return config["DEFAULT"]


def test_the_wheel_is_small_and_holds_the_package_alone(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert wheel.stat().st_size < 400_000
    assert {n.split("/")[0] for n in names} == {"beyondtext", next(n for n in names if ".dist-info/" in n).split("/")[0]}
    modules = {p.relative_to(ROOT / "beyondtext").as_posix() for p in (ROOT / "beyondtext").rglob("*") if p.suffix in (".py", ".pyi", ".typed")}
    assert {f"beyondtext/{m}" for m in modules} <= set(names) and {"py.typed", "__init__.pyi", "recipes/vit.py"} <= modules


def test_the_source_distribution_is_complete(dist):
    names = {n.split("/", 1)[1] for n in tarfile.open(next(dist.glob("*.tar.gz"))).getnames() if "/" in n}
    assert {"settings.ini", "setup.py", "README.md", "LICENSE", "beyondtext/__init__.pyi", "beyondtext/py.typed"} <= names


def test_the_source_distribution_installs_and_works(dist, tmp_path):
    "Built and installed by pip into a folder of its own, which borrows the large libraries; offline."
    run = python("-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "--target", tmp_path / "site", next(dist.glob("*.tar.gz")))
    assert run.returncode == 0, run.stderr[-1500:]
    run = python("-c", CLASSIFY, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "site"), "HF_HUB_OFFLINE": "1"})
    assert run.returncode == 0, run.stderr[-1500:]
    place, labels = run.stdout.strip().splitlines()[-2:]
    assert Path(place).is_relative_to(tmp_path) and len(eval(labels)) == 2


def metadata(wheel): return zipfile.ZipFile(wheel).read(next(n for n in zipfile.ZipFile(wheel).namelist() if n.endswith("METADATA"))).decode()


def imports(path): return {m.replace("PIL", "pillow").replace("yaml", "pyyaml") for m in re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.M)} - set(sys.stdlib_module_names) - {"beyondtext"}


def test_the_wheel_asks_for_what_it_needs_at_run_time(wheel):
    "What the helpers import is a requirement, or it is asked for by `require`, which names the extra that has it."
    needed, extras = set(), {}
    for requirement in re.findall(r"^Requires-Dist: (.*)$", metadata(wheel), re.M):
        name = re.match(r"[\w-]+", requirement)[0].lower().replace("-", "_")
        if "extra ==" not in requirement: needed.add(name)
        for extra in re.findall(r'extra == "(\w+)"', requirement): extras.setdefault(extra, set()).add(name)
    assert {"torch", "transformers", "accelerate", "safetensors"} <= needed and not needed & {"nbdev", "jupyterlab", "pytest", "execnb", "nbclient", "datasets", "ipywidgets"}
    assert {"speech", "curation", "widgets", "datasets", "pages", "course", "dev"} == set(extras)
    assert extras["speech"] | extras["curation"] | extras["widgets"] | extras["datasets"] <= extras["pages"] <= extras["course"] <= extras["dev"]
    assert not extras["pages"] & KERNEL
    assert not [r for r in re.findall("fastcore.*", metadata(wheel)) if "<" in r and "dev" not in r], "nothing that readers install may hold fastcore back"
    for path in (ROOT / "beyondtext").rglob("*.py"):
        if path.name == "_modidx.py": continue
        asked = dict(re.findall(r'require\("(\w+)", "(\w+)"\)', path.read_text()))
        for package, extra in asked.items(): assert package in extras[extra], (path, package, extra)
        allowed = extras["course"] if "dev" in path.parts else set(asked) | {"IPython", "matplotlib_inline", "av", "packaging"}  # IPython, and what it brings, only where it runs already, PyAV only where it is installed; PyTorch and others bring packaging
        assert imports(path) <= needed | allowed, path


@pytest.mark.parametrize("call, package, extra", [
    ("from beyondtext.world.voices import speak; speak('ten')", "espeakng_loader", "speech"), ("from beyondtext.scaling.curation import near_duplicates; near_duplicates(['a b', 'a b'])", "datasketch", "curation"),
    ("from beyondtext.attention.sparse import explore_patterns; explore_patterns()", "ipywidgets", "widgets"), ("from beyondtext.world.dataset import world_dataset; world_dataset(n=1)", "datasets", "datasets")])
def test_a_missing_extra_is_named(call, package, extra):
    run = python("-c", f"import sys; sys.modules['{package}'] = None; {call}")
    assert f'ImportError: {package} is not installed; it comes with: pip install "beyondtext[{extra}]"' in run.stderr, run.stderr[-800:]


def test_the_wheel_works_without_the_repository(wheel, tmp_path):
    "In an environment of its own, which borrows the large libraries, offline, with a toy trained elsewhere or here."
    venv.create(tmp_path / "env", with_pip=False)
    interpreter = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    packages = Path(subprocess.run([interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True, check=True).stdout.strip())
    zipfile.ZipFile(wheel).extractall(packages)
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    run = subprocess.run([interpreter, "-c", CLASSIFY], cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    assert run.returncode == 0, run.stderr[-1500:]
    place, labels = run.stdout.strip().splitlines()[-2:]
    assert Path(place).is_relative_to(packages) and len(eval(labels)) == 2


@pytest.mark.skipif(not os.environ.get("BEYONDTEXT_FULL_INSTALL"), reason="installs PyTorch anew; set BEYONDTEXT_FULL_INSTALL=1")
def test_the_source_distribution_installs_into_an_empty_environment(dist, tmp_path):
    venv.create(tmp_path / "env", with_pip=True)
    interpreter = tmp_path / "env" / "bin" / "python"
    subprocess.run([interpreter, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", next(dist.glob("*.tar.gz"))], check=True)
    run = subprocess.run([interpreter, "-c", CLASSIFY], cwd=tmp_path, capture_output=True, text=True,
                         env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"})
    assert run.returncode == 0, run.stderr[-1500:]


def lock(): return [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]


@pytest.mark.skipif(not lock(), reason="there are no constraints: the newest versions are wanted")
def test_every_requirement_is_locked(config):
    locked = {re.split("[=<>;]", line)[0].strip().lower().replace("_", "-") for line in lock()}
    for key in (k for k in config if k == "requirements" or k.endswith("_requirements")):
        for requirement in config[key].split(): assert re.match(r"[\w-]+", requirement)[0].lower().replace("_", "-") in locked, requirement
    assert any(re.match(r"torch==[\d.]+$", line) for line in lock())


def test_one_version(config):
    import beyondtext
    assert beyondtext.__version__ == config["version"] == yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]
    assert re.search(rf"^## {re.escape(config['version'])} - 20\d\d-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.M)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.relative_to(ROOT / "nbs").with_suffix("").as_posix())
def test_colab_installs_the_version_of_the_page(path, config):
    "The badge leads to a branch, and the first cell installs from the same."
    cells, branch = nbformat.read(path, 4).cells, config["branch"]
    badges = re.findall(r"\(https://colab.research.google.com/github/([^)]*)\)", "".join(c.source for c in cells if c.cell_type == "markdown"))
    assert badges in ([], [f"beyondtext/beyondtext/blob/{branch}/nbs/{path.relative_to(ROOT / 'nbs').as_posix()}"])
    installs = [c.source for c in cells if is_install_cell(c)]
    assert installs in ([install_cell(ROOT)], [] if not badges else None), "run make export"


def test_no_generated_clutter_and_nothing_large_in_git():
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert not [n for n in names if re.search(r"(^|/)(_site|_proc|_course|\.venv|__pycache__|\.ipynb_checkpoints)/|\.(safetensors|bin|pt|pyc)$", n)]
    assert not [n for n in names if (ROOT / n).exists() and (ROOT / n).stat().st_size > 1_000_000]


def test_nothing_generated_by_the_course_is_left_in_the_tree():
    "What the commands write is ignored by git."
    for name in (".venv/x", "_course/x.html", "_site/x.html", "beyondtext.egg-info/x", "nbs/beyond/vit_files/x.png"):
        assert subprocess.run(["git", "check-ignore", "-q", name], cwd=ROOT).returncode == 0, name
