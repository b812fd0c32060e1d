"The cache under fire: killed runs, two at once, damage, full and read-only disks, and what is pruned."
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import python
from tiny_system import TINY, runs

from beyondtext.toys.cache import load_history, prune, toy_folder
from beyondtext.toys.identity import toy_name
from beyondtext.toys.registry import CheckpointError

TRAIN = "import sys; sys.path.insert(0, 'tests'); from tiny_system import TINY; from beyondtext.toys.cache import toy_folder; print(toy_folder(TINY))"


@pytest.fixture(autouse=True)
def counted(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("BEYONDTEXT_CHECKPOINT", raising=False)


def content(folder): return sorted(p.name for p in folder.iterdir() if p.suffix != ".lock")


def test_trained_once_and_whole(cache):
    folder = toy_folder(TINY)
    assert toy_folder(TINY) == folder and runs() == 1
    assert content(cache) == [folder.name]
    assert {"config.json", "model.safetensors", "preprocessor_config.json", "history.csv", "manifest.json"} <= set(content(folder))
    assert list(load_history(folder)["step"]) == [1, 2]
    from transformers import AutoImageProcessor, AutoModelForImageClassification
    assert AutoModelForImageClassification.from_pretrained(folder).config.id2label[0] == "red"
    assert AutoImageProcessor.from_pretrained(folder).size["height"] == 32


def test_training_leaves_random_numbers_alone():
    import random

    import numpy as np
    import torch

    draw = lambda: (random.random(), np.random.rand(), torch.rand(()).item())
    drawn = []
    for train in (False, True):
        random.seed(1), np.random.seed(1), torch.manual_seed(1)
        if train: toy_folder(TINY)
        drawn.append(draw())
    assert drawn[0] == drawn[1] and runs() == 1


def test_a_killed_run_leaves_nothing_half_made(cache):
    "SIGKILL in the middle of training: no checkpoint, and the next run cleans up and trains."
    process = subprocess.Popen([sys.executable, "-c", TRAIN], env=os.environ | {"TINY_SECONDS": "60"})
    while runs() == 0: time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert all(name.startswith(".") for name in content(cache))
    folder = toy_folder(TINY)
    assert content(cache) == [folder.name] and runs() == 2


def test_two_processes_train_once():
    both = [subprocess.Popen([sys.executable, "-c", TRAIN], env=os.environ | {"TINY_SECONDS": "2"}, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    first, second = (p.communicate(timeout=120)[0].strip().splitlines()[-1] for p in both)
    assert first == second and Path(first).is_dir() and runs() == 1


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "preprocessor_config.json"])
@pytest.mark.parametrize("damage", ["cut", "changed", "missing"])
def test_damage_is_named_and_mended(name, damage):
    path = toy_folder(TINY) / name
    whole = path.read_bytes()
    if damage == "cut": path.write_bytes(whole[: len(whole) // 2])
    if damage == "changed": path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    if damage == "missing": path.unlink()
    with pytest.warns(UserWarning, match=f"damaged.*{name} differs"): toy_folder(TINY)
    assert path.read_bytes() == whole and runs() == 2


def test_a_manifest_that_is_no_manifest():
    (toy_folder(TINY) / "manifest.json").write_text("{")
    with pytest.warns(UserWarning, match="manifest.json"): toy_folder(TINY)


AS_NOBODY = """
import os, sys
sys.path.insert(0, 'tests')
import filelock
from tiny_system import TINY
from beyondtext.toys.cache import toy_folder
from beyondtext.toys.identity import toy_name
toy_name(TINY)
if os.getuid() == 0: os.setuid(65534)  # root may write anywhere
try: print(toy_folder(TINY))
except Exception as error: print(type(error).__name__, error)
"""


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_read_only_cache(cache):
    "One clear error before any training; but a toy that is there already is used."
    cache.mkdir()
    for folder in (cache, *list(cache.parents)[:-1]): os.chmod(folder, os.stat(folder).st_mode | 0o055)
    os.chmod(cache, 0o555)
    said = python("-c", AS_NOBODY).stdout
    assert said.startswith("CheckpointError The cache folder") and "BEYONDTEXT_CACHE" in said
    assert runs() == 0
    os.chmod(cache, 0o755)
    folder = toy_folder(TINY)
    os.chmod(cache, 0o555)
    assert python("-c", AS_NOBODY).stdout.strip() == str(folder) and runs() == 1


def test_a_cache_that_is_a_file(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BEYONDTEXT_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(CheckpointError, match="can't be written to .*BEYONDTEXT_CACHE"): toy_folder(TINY)
    assert runs() == 0


def test_a_full_disk(cache):
    "A limit on the size of files stands for the full disk: one error, and nothing is left behind."
    code = TRAIN.replace("import sys;", "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000));")
    said = python("-c", code)
    assert said.returncode != 0
    assert "CheckpointError: The cache folder" in said.stderr and "Make room there" in said.stderr, said.stderr[-800:]
    assert content(cache) == []


def test_a_manifest_says_how_the_toy_came_about(cache):
    facts = json.loads((toy_folder(TINY) / "manifest.json").read_text())
    assert (facts["system"], facts["seed"], facts["size"], facts["needs"]) == ("tiny", 0, "toy", [])
    assert facts["device"] and facts["seconds"] >= 0 and facts["versions"]["torch"] and facts["identity"].startswith(toy_name(TINY)[-12:])
    assert facts["recipe"].startswith("def recipe(seed, size):") and "beyondtext.toys.training.fit" in facts["reached"]


def test_a_manifest_without_weights_is_damage():
    path = toy_folder(TINY) / "manifest.json"
    facts = json.loads(path.read_text())
    facts["files"] = {name: value for name, value in facts["files"].items() if not name.endswith(".safetensors")}
    path.write_text(json.dumps(facts))
    with pytest.warns(UserWarning, match="lists no weights"): toy_folder(TINY)
    assert runs() == 2


def test_an_edit_while_it_trains_loses_nothing(cache, tmp_path):
    "The manifest tells what was trained, though the file says something else by then."
    source = Path("tests/tiny_system.py").read_text()
    (tmp_path / "tiny_system.py").write_text(source)
    process = subprocess.Popen([sys.executable, "-c", TRAIN.replace("'tests'", repr(str(tmp_path)))], env=os.environ | {"TINY_SECONDS": "1"}, stdout=subprocess.PIPE, text=True)
    while runs() == 0: time.sleep(0.05)
    (tmp_path / "tiny_system.py").write_text("# lost\n")
    folder = Path(process.communicate(timeout=120)[0].strip().splitlines()[-1])
    assert "ViTForImageClassification" in json.loads((folder / "manifest.json").read_text())["recipe"]


def test_pruning_removes_what_no_recipe_names(cache):
    "Toys with another identity and of systems that are gone; toys of other seeds and foreign folders stay."
    wanted = [cache / toy_name("vit", seed) for seed in (0, 1)]
    gone = [cache / "vit-toy-0-0123456789ab", cache / "nobody-base-3-0123456789ab"]
    foreign = [cache / "speech_dataset", cache / "a-b-c-d", cache / "vit-toy-0-0123456789ac"]
    for folder in (*wanted, *gone, *foreign):
        folder.mkdir(parents=True)
        if folder not in foreign: (folder / "manifest.json").write_text("{}")
    assert sorted(prune(remove=False)["toy"]) == sorted(f.name for f in gone) and all(f.is_dir() for f in gone)
    assert sorted(prune()["toy"]) == sorted(f.name for f in gone)
    assert all(f.is_dir() for f in (*wanted, *foreign)) and not any(f.exists() for f in gone) and len(prune()) == 0
