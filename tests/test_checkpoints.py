"Checkpoints under fire: killed runs, two at once, damage, full and read-only disks, and a hub that misbehaves."
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import python
from tiny_system import TINY, runs

from beyondtext import checkpoints
from beyondtext.toys.cache import CheckpointError, load_history, toy_folder
from beyondtext.toys.hub import checkpoint_folder
from beyondtext.toys.identity import toy_name
from beyondtext.toys.registry import System

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


def test_a_changed_recipe_or_world_has_another_name(monkeypatch):
    before = {toy_name(TINY), toy_name(TINY, seed=1), toy_name(TINY, size="small")}
    assert len(before) == 3
    monkeypatch.setattr(checkpoints.world, "VERSION", "0")
    assert toy_name(TINY) not in before
    monkeypatch.undo()
    monkeypatch.setattr(checkpoints, "_code", lambda module: "changed")
    assert toy_name(TINY) not in before


def test_an_edited_recipe_is_noticed_at_once(tmp_path, monkeypatch):
    "In one process: an edit of the code gives another name, an edit of a docstring or a comment does not."
    monkeypatch.syspath_prepend(tmp_path)
    path, names = tmp_path / "edited_recipe.py", []
    for second, text in enumerate(("def recipe(seed, size): return 1", "def recipe(seed, size):\n    'Words.'\n    return 1  # more", "def recipe(seed, size): return 2")):
        path.write_text(text)
        os.utime(path, (second, second))
        names.append(toy_name(System("edited", "edited_recipe:recipe")))
    assert names[0] == names[1] != names[2]


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


@pytest.mark.parametrize("checkpoint, message", [("nothing", "accepted are 'toy', 'hub', a folder"), ("a/b/c", "checkpoint is 'a/b/c'"), ("hub", "never published")])
def test_bad_checkpoints(checkpoint, message):
    with pytest.raises(ValueError, match=message): checkpoint_folder(System("own", TINY.recipe), checkpoint)
    with pytest.raises(ValueError, match="system is 'nobody'; accepted are scaling"): checkpoint_folder("nobody", checkpoint)


def test_the_environment_sets_the_default(monkeypatch, tmp_path):
    monkeypatch.setenv("BEYONDTEXT_CHECKPOINT", str(tmp_path))
    assert checkpoint_folder(TINY) == tmp_path
    assert checkpoint_folder(TINY, "toy") != tmp_path


# A hub on this machine: the model's page, its files, and faults.

class Hub(BaseHTTPRequestHandler):
    "Serves one toy by the hub's protocol; `fault` decides how it misbehaves."
    folder, fault, asked, hide = None, None, [], ()
    protocol_version = "HTTP/1.1"

    def log_message(self, *_): pass
    def do_HEAD(self): self.answer(body=False)
    def do_GET(self): self.answer(body=True)

    def reply(self, status, data=b"", headers=(), body=True):
        self.send_response(status)
        for key, value in {"Content-Length": str(len(data)), "Connection": "close", **dict(headers)}.items(): self.send_header(key, value)
        self.end_headers()
        if body: self.wfile.write(data)
        self.close_connection = True

    def answer(self, body):
        Hub.asked.append(self.path)
        if isinstance(self.fault, int):
            codes = {404: "RepoNotFound", 403: "GatedRepo"}
            return self.reply(self.fault, b"{}", {"X-Error-Code": codes[self.fault]} if self.fault in codes else {}, body)
        if self.fault == "hang": return time.sleep(8)
        files = {p.name: p for p in self.folder.iterdir() if p.name not in self.hide}
        commit = "0123456789" * 4
        if "/tree/" in self.path:
            page = [{"type": "file", "path": n, "size": p.stat().st_size, "oid": hashlib.sha1(p.read_bytes()).hexdigest()} for n, p in files.items()]
            return self.reply(200, json.dumps(page).encode(), {"Content-Type": "application/json"}, body)
        if self.path.startswith("/api/models/"):
            page = {"id": "team/tiny", "sha": commit, "siblings": [{"rfilename": n} for n in files], "private": False, "downloads": 0, "tags": [], "likes": 0}
            return self.reply(200, json.dumps(page).encode(), {"Content-Type": "application/json"}, body)
        path = files.get(self.path.split("/")[-1])
        if path is None: return self.reply(404, b"", {"X-Error-Code": "EntryNotFound"}, body)
        data = path.read_bytes()
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if body and self.fault == "cut" and path.suffix == ".safetensors":
            self.send_response(200)
            for key, value in {"Content-Length": str(len(data)), **headers}.items(): self.send_header(key, value)
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
            return self.connection.close()
        self.reply(200, data, headers, body)


LOAD = """
import sys, time
sys.path.insert(0, 'tests')
from tiny_system import TINY
from beyondtext.toys.cache import CheckpointError
from beyondtext.toys.hub import checkpoint_folder
try: print(checkpoint_folder(TINY, sys.argv[1]))
except CheckpointError as error: print("CheckpointError:", error)
"""


@pytest.fixture
def hub(cache, tmp_path):
    "A server, and a function that loads from it in a fresh process and gives what it printed."
    Hub.folder, Hub.fault, Hub.asked, Hub.hide = toy_folder(TINY), None, [], ()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    def load(checkpoint="hub", fault=None, hide=(), **env):
        Hub.fault, Hub.hide = fault, hide
        env = {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DOWNLOAD_TIMEOUT": "2", "HF_HUB_ETAG_TIMEOUT": "2",
               "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", **env}
        run = python("-c", LOAD, checkpoint, env=env)
        assert run.returncode == 0, run.stderr[-1500:]
        return run.stdout.strip().splitlines()[-1]
    yield load
    server.shutdown()


def test_the_hub_serves_a_toy(hub):
    folder = Path(hub())
    assert (folder / "model.safetensors").read_bytes() == (Hub.folder / "model.safetensors").read_bytes()
    assert not any(path.endswith(".csv") for path in Hub.asked)
    assert Path(hub("team/tiny@main")) == folder
    assert Path(hub(HF_HUB_OFFLINE="1")) == folder  # found in the hub's own cache


@pytest.mark.parametrize("fault, words", [(404, "no such repository"), (401, "no such repository|status 401"), (403, "accept conditions|status 403"), (503, "status 503|can't be reached"),
                                          ("hang", "can't be reached"), ("cut", "can't be reached, or the transfer broke off")])
def test_a_hub_that_misbehaves(hub, fault, words):
    start = time.monotonic()
    said = hub(fault=fault)
    import re
    assert said.startswith("CheckpointError: team/tiny could not be fetched") and re.search(words, said) and 'checkpoint="toy"' in said, said
    assert said.count(". ") == 1  # one sentence, and what to do
    assert time.monotonic() - start < 120
    assert hub(fault=None).endswith("0123456789" * 4), "after the fault, the same command works"


def test_no_network_at_all(hub):
    said = hub(HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_OFFLINE="0")
    assert "can't be reached" in said
    assert "could not be fetched" in hub(HF_HUB_OFFLINE="1")


def test_only_safetensors(hub, tmp_path):
    shutil.copytree(Hub.folder, tmp_path / "pickled")
    (tmp_path / "pickled" / "model.safetensors").rename(tmp_path / "pickled" / "pytorch_model.bin")
    Hub.folder = tmp_path / "pickled"
    assert "no weights in the safetensors format" in hub()
    assert not any(path.endswith(".bin") for path in Hub.asked)
