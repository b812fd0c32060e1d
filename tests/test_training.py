"The training loop: on one process and on two, and what it refuses."
import json

import pandas as pd
import pytest
import torch
from accelerate import Accelerator
from conftest import python

from beyondtext import train
from beyondtext.toys import training
from beyondtext.toys.registry import System
from beyondtext.toys.training import fit, predict

LOOP = """
import json, sys, torch
from accelerate import PartialState
from beyondtext.toys.training import fit
torch.manual_seed(0)
model = torch.nn.Linear(1, 1)
x = torch.linspace(-1, 1, 64)[:, None]
history = fit(model, {"x": x, "y": 3 * x - 1}, steps=200, batch_size=16, lr=0.1, weight_decay=0,
              loss=lambda m, b: (m(b["x"]) - b["y"]).square().mean())
state = PartialState()
json.dump([state.num_processes, *(p.item() for p in model.parameters())], open(f"{sys.argv[1]}/{state.process_index}.json", "w"))
state.wait_for_everyone()
state.destroy_process_group()
"""


def test_two_processes_agree(tmp_path):
    "accelerate launch on two CPU processes with gloo: both end with the same weights, the right ones."
    (tmp_path / "loop.py").write_text(LOOP)
    run = launch(2, tmp_path / "loop.py", tmp_path)
    assert run.returncode == 0, run.stderr[:4000]
    first, second = (json.loads((tmp_path / f"{i}.json").read_text()) for i in (0, 1))
    assert first == second and first[0] == 2
    assert abs(first[1] - 3) < 0.02 and abs(first[2] + 1) < 0.02


NEEDY = """
import sys
from beyondtext import train
from beyondtext.toys.cache import toy_folder
from beyondtext.toys.registry import SYSTEMS, System, load_recipes
load_recipes()
recipe = SYSTEMS["punctuation"].recipe
def continued(seed, size):
    toy_folder("punctuation")
    from beyondtext.toys import training
    fit, training.fit = training.fit, lambda *a, **k: fit(*a, **k | {"steps": 2})
    return recipe(seed, size)
SYSTEMS["needy"] = System("needy", continued, needs=("punctuation",))
sys.exit(train.main(["needy", "--output", sys.argv[1]]))
"""


def launch(processes, *arguments):
    return python("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", processes, "--num_machines", "1", "--mixed_precision", "no",
                  "--dynamo_backend", "no", "--main_process_port", "0", *arguments, env={"OMP_NUM_THREADS": "1"})


def test_a_needed_toy_is_made_before_processes_are_joined(tmp_path, cache):
    "From a cold cache, on two processes: the one that waits for the other's toy must not be waited for."
    (tmp_path / "needy.py").write_text(NEEDY)
    run = launch(2, tmp_path / "needy.py", tmp_path / "out")
    assert run.returncode == 0, run.stderr[:4000]
    assert (tmp_path / "out" / "model.safetensors").is_file() and len([p for p in cache.iterdir() if p.is_dir()]) == 1


def test_two_processes_agree_with_muon_and_grouped_batches(tmp_path):
    loop = LOOP.replace("torch.nn.Linear(1, 1)", "torch.nn.Sequential(torch.nn.Linear(1, 1))").replace(
        '"y": 3 * x - 1}', '"y": 3 * x - 1, "length": torch.arange(64)}').replace("lr=0.1", 'lr=0.3, optimizer="muon", group_by_length="length"')
    (tmp_path / "loop.py").write_text(loop)
    run = launch(2, tmp_path / "loop.py", tmp_path)
    assert run.returncode == 0, run.stderr[:4000]
    first, second = (json.loads((tmp_path / f"{i}.json").read_text()) for i in (0, 1))
    assert first == second and abs(first[1] - 3) < 0.2 and abs(first[2] + 1) < 0.2


def test_fewer_batches_than_processes_are_refused(tmp_path):
    (tmp_path / "loop.py").write_text(LOOP.replace("batch_size=16", "batch_size=64"))
    run = launch(2, tmp_path / "loop.py", tmp_path)
    assert run.returncode and "data has 1 batches of 64 for 2 processes; accepted is one each, or more" in run.stderr


class Watched(torch.nn.Linear):
    "Notes whether it computes in half precision."
    halved = None

    def forward(self, x):
        self.halved = torch.is_autocast_enabled("cpu")
        return super().forward(x)


def test_one_precision_after_the_other():
    for precision in ("no", "bf16", "no", "bf16"):
        model = Watched(1, 1)
        fit(model, {"x": torch.ones(4, 1)}, steps=1, loss=lambda m, b: m(b["x"]).float().square().mean(), mixed_precision=precision)
        assert model.halved == (precision == "bf16")


def test_train_command(tmp_path, monkeypatch, capsys):
    "python -m beyondtext.train saves model and history, and refuses a folder that is in use."
    class Saved:
        def save_pretrained(self, folder): (folder / "weights").write_text("w")
    tiny = System("tiny", lambda seed, size: ((Saved(),), pd.DataFrame({"step": [1], "loss": [0.25]})))
    monkeypatch.setitem(train.SYSTEMS, "tiny", tiny)
    assert train.main(["tiny", "--output", str(tmp_path / "out")]) == 0
    assert "its loss ended at 0.2500" in capsys.readouterr().out
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["history.csv", "weights"]
    with pytest.raises(SystemExit): train.main(["tiny", "--output", str(tmp_path / "out")])
    assert "not empty" in capsys.readouterr().err


@pytest.mark.parametrize("settings, error, message", [
    ({"steps": 0}, ValueError, "steps is 0"), ({"steps": 1, "lr": -1}, ValueError, "lr is -1"), ({"steps": 1, "batch_size": 0}, ValueError, "batch_size is 0"),
    ({"steps": 1, "group_by_length": "n"}, ValueError, "group_by_length is 'n'; accepted are the columns of data, x"),
    ({"steps": 1, "lr": float("nan")}, ValueError, "lr is nan"), ({"steps": 1, "optimizer": "sgd"}, ValueError, "optimizer is 'sgd'; accepted are adamw, muon"),
])
def test_bad_settings(settings, error, message):
    with pytest.raises(error, match=message): fit(torch.nn.Linear(1, 1), {"x": torch.zeros(4, 1)}, **settings)


@pytest.mark.parametrize("data", [{}, {"x": torch.zeros(0, 1)}, {"x": torch.zeros(4), "y": torch.zeros(5)}])
def test_bad_data(data):
    with pytest.raises(ValueError, match="data has columns of lengths"): fit(torch.nn.Linear(1, 1), data, steps=1)


def test_batches_of_similar_length_cover_an_epoch():
    "Each example once, as far as whole batches go; far fewer places are padded; another order in each epoch, the same for a seed."
    lengths = torch.randint(1, 100, (1000,), generator=torch.Generator().manual_seed(0))
    def epochs(seed): return [[b["i"].tolist() for b in loader] for loader in [training._loader({"i": torch.arange(1000), "n": lengths}, 16, seed, "n")] for _ in range(2)]
    first, second = epochs(0)
    assert len(first) == 1000 // 16 and first != second and epochs(0) == [first, second] and epochs(1) != [first, second]
    places = [i for batch in first for i in batch]
    assert len(set(places)) == len(places) == 16 * len(first)
    def padded(batches): return sum(len(b) * max(lengths[i] for i in b) for b in batches) / sum(lengths[i] for b in batches for i in b)
    assert padded(first) < 1.15 < 1.5 < padded([range(i, i + 16) for i in range(0, 992, 16)])


def test_muon_takes_the_matrices_and_adamw_the_rest(monkeypatch):
    "Where the matrices are split over processes, AdamW takes all, and that is said."
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 1))
    kinds = [type(o).__name__ for o in training._optimizers(model, "muon", scale=0.2, lr=0.1, weight_decay=0.0, fused=None)]
    assert kinds == ["AdamW", "Muon"]
    accelerator = Accelerator(cpu=True)
    monkeypatch.setattr(type(accelerator), "distributed_type", "FSDP")
    monkeypatch.setattr(accelerator, "prepare", lambda *made: made)
    with pytest.warns(UserWarning, match="Muon needs whole matrices"):
        _, _, optimizers = training._prepare(accelerator, model, training._loader({"x": torch.zeros(8, 4)}, 4, 0), "muon", scale=0.2, lr=0.1, weight_decay=0.0, fused=None)
    assert [type(o).__name__ for o in optimizers] == ["AdamW"]


def test_fused_updates_are_the_same_updates(monkeypatch):
    asked, adamw, weights = [], torch.optim.AdamW, []
    monkeypatch.setattr(torch.optim, "AdamW", lambda *a, **k: asked.append(k["fused"]) or adamw(*a, **k))
    for fused in (None, True):
        torch.manual_seed(0)
        model, x = torch.nn.Linear(1, 1), torch.linspace(-1, 1, 64)[:, None]
        fit(model, {"x": x}, steps=30, lr=0.1, loss=lambda m, b: (m(b["x"]) - 3 * b["x"] + 1).square().mean(), fused=fused)
        weights.append([p.item() for p in model.parameters()])
    assert asked == [None, True] and weights[0] == pytest.approx(weights[1], abs=1e-4)


def test_a_diverging_loss_is_named():
    with pytest.raises(FloatingPointError, match="the loss is nan at step 1: try a lower lr"):
        fit(torch.nn.Linear(1, 1), {"x": torch.zeros(4, 1)}, steps=50, loss=lambda m, b: m(b["x"]).mean() * float("nan"))


def test_prediction_covers_every_row_and_keeps_the_mode():
    "In evaluation mode dropout is off, so all rows agree; afterwards the model trains on."
    model = torch.nn.Sequential(torch.nn.Linear(1, 2), torch.nn.Dropout(0.9)).train()
    out = predict(model, {"input": torch.ones(10, 1)}, batch_size=3, output=lambda o: o)
    assert out.shape == (10, 2) and (out == out[0]).all() and model.training
