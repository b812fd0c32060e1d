"Which checkpoint: a toy, a folder, or the hub, which may misbehave."
import hashlib
import json
import re
import shutil
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import python
from tiny_system import TINY

from beyondtext.toys.cache import toy_folder
from beyondtext.toys.hub import checkpoint_folder
from beyondtext.toys.registry import System


@pytest.fixture(autouse=True)
def counted(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("BEYONDTEXT_CHECKPOINT", raising=False)


@pytest.mark.parametrize("checkpoint, message", [("nothing", "accepted are 'toy', 'hub', a folder"), ("a/b/c", "checkpoint is 'a/b/c'"), ("hub", "never published")])
def test_bad_checkpoints(checkpoint, message):
    with pytest.raises(ValueError, match=message): checkpoint_folder(System("own", TINY.recipe), checkpoint)
    with pytest.raises(ValueError, match="system is 'nobody'; accepted are altclip"): checkpoint_folder("nobody", checkpoint)


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
from beyondtext.toys.registry import CheckpointError
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
    said = hub(fault=fault)
    assert said.startswith("CheckpointError: team/tiny could not be fetched") and re.search(words, said) and 'checkpoint="toy"' in said, said
    assert said.count(". ") == 1  # one sentence, and what to do
    assert hub(fault=None).endswith("0123456789" * 4), "after the fault, the same command works"


def test_no_network_at_all(hub):
    said = hub(HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_OFFLINE="0")
    assert "can't be reached" in said
    assert "could not be fetched" in hub(HF_HUB_OFFLINE="1")


def test_pickled_weights_only_where_there_are_no_others(hub, tmp_path):
    "Safetensors are taken where there are any; without any weights, the error says so."
    shutil.copytree(Hub.folder, tmp_path / "both")
    shutil.copy(tmp_path / "both" / "model.safetensors", tmp_path / "both" / "pytorch_model.bin")
    Hub.folder = tmp_path / "both"
    assert (Path(hub()) / "model.safetensors").exists() and not any(path.endswith(".bin") for path in Hub.asked)
    shutil.rmtree(tmp_path / "hf")
    assert (Path(hub(hide=("model.safetensors",))) / "pytorch_model.bin").exists()
    shutil.rmtree(tmp_path / "hf")
    assert "team/tiny has no weights for PyTorch" in hub(hide=("model.safetensors", "pytorch_model.bin"))


class Evil:
    def __init__(self, path): self.path = path
    def __reduce__(self): return open, (str(self.path), "w")


def test_a_pickle_runs_no_code(tmp_path):
    "What transformers does with weights that are no safetensors: it reads them with weights_only=True."
    import torch
    from transformers import ViTConfig, ViTForImageClassification
    config = ViTConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    ViTForImageClassification(config).save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save({"classifier.bias": Evil(tmp_path / "ran")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(Exception, match="(?i)weights.?only"): ViTForImageClassification.from_pretrained(tmp_path)
    assert not (tmp_path / "ran").exists()
