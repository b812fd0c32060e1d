"The wheel: small, whole, and able to work without the repository; the project's files agree with each other."
import configparser
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, python

CLASSIFY = "from beyondtext.beyond.vit import classify_image; from beyondtext.world.scenes import make_scene; import beyondtext; print(beyondtext.__file__); print(set(classify_image(make_scene(2, 'test').image(), top_k=2)['label']))"


@pytest.fixture(scope="module")
def config():
    config = configparser.ConfigParser(delimiters=["="], interpolation=None)
    config.read(ROOT / "settings.ini")
    return config["DEFAULT"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    "The project's wheel, built from the tracked files alone."
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in names:
        if not (ROOT / name).exists() or name.startswith("nbs/"): continue
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    run = python("-m", "build", "--wheel", "--no-isolation", "--outdir", out, source)
    assert run.returncode == 0, run.stderr[-1500:]
    return next(out.glob("*.whl"))


def test_the_wheel_is_small_and_holds_the_package_alone(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert wheel.stat().st_size < 300_000
    assert {n.split("/")[0] for n in names} == {"beyondtext", next(n for n in names if ".dist-info/" in n).split("/")[0]}
    for module in ("core", "world", "training", "checkpoints", "course", "train", "scaling/timeline", "beyond/vit", "beyond/igpt", "beyond/video", "beyond/tables", "voices", "multimodal/speech", "multimodal/unsupervised_speech", "multimodal/clip", "multimodal/text_encoder", "multimodal/altclip", "multimodal/vqa", "multimodal/layoutlm", "multimodal/dalle", "where_next"): assert f"beyondtext/{module}.py" in names


def test_the_wheel_asks_for_what_it_needs_at_run_time(wheel, config):
    text = zipfile.ZipFile(wheel).read(next(n for n in zipfile.ZipFile(wheel).namelist() if n.endswith("METADATA"))).decode()
    needed = {re.match(r"[\w-]+", r)[0].lower() for r in re.findall(r"^Requires-Dist: (.*)$", text, re.M) if "extra ==" not in r}
    assert "torch" in needed and not needed & {"nbdev", "jupyterlab", "pytest", "execnb", "nbclient"}
    imported = set()
    for path in (ROOT / "beyondtext").rglob("*.py"):
        if path.name not in ("course.py", "_modidx.py"): imported |= {m.replace("PIL", "pillow").replace("espeakng_loader", "espeakng-loader") for m in re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.M)}
    assert imported - set(sys.stdlib_module_names) - {"beyondtext"} <= needed | {"IPython", "av"}, "every import of the helpers is a requirement (IPython only where it runs already, PyAV only where it is installed)"


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
def test_the_wheel_installs_into_an_empty_environment(wheel, tmp_path):
    venv.create(tmp_path / "env", with_pip=True)
    interpreter = tmp_path / "env" / "bin" / "python"
    subprocess.run([interpreter, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel], check=True)
    run = subprocess.run([interpreter, "-c", CLASSIFY], cwd=tmp_path, capture_output=True, text=True,
                         env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"})
    assert run.returncode == 0, run.stderr[-1500:]


def test_every_requirement_is_locked_for_every_python(config):
    locked = {re.split("[=<>;]", line)[0].strip().lower().replace("_", "-") for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"}
    for key in ("requirements", "course_requirements", "dev_requirements"):
        for requirement in config[key].split(): assert re.match(r"[\w-]+", requirement)[0].lower().replace("_", "-") in locked, requirement
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text()


def test_one_version(config):
    import beyondtext
    assert beyondtext.__version__ == config["version"]


def test_no_generated_clutter_and_nothing_large_in_git():
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert not [n for n in names if re.search(r"(^|/)(_site|_proc|_course|\.venv|__pycache__|\.ipynb_checkpoints)/|\.(safetensors|bin|pt|pyc)$", n)]
    assert not [n for n in names if (ROOT / n).exists() and (ROOT / n).stat().st_size > 1_000_000]


def test_nothing_generated_by_the_course_is_left_in_the_tree():
    "What the commands write is ignored by git."
    for name in (".venv/x", "_course/x.html", "_site/x.html", "beyondtext.egg-info/x", "nbs/beyond/vit_files/x.png"):
        assert subprocess.run(["git", "check-ignore", "-q", name], cwd=ROOT).returncode == 0, name
