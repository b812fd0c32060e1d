"Scaling: the fits, the sweep on several seeds and processes, the cost of models, and the curation of text."

import numpy as np
import pandas as pd
import pytest
from conftest import python
from transformers import BertConfig, GPT2Config, LlamaConfig

from beyondtext import core
from beyondtext.recipes import scaling
from beyondtext.scaling import challenges, curation, fits
from beyondtext.scaling.fits import Chinchilla, chinchilla_loss, compute_optimal, fit_chinchilla, fit_power_law, kaplan_loss

X, L = [1, 10, 100, 1000], [4.0, 3.0, 2.3, 1.9]


@pytest.mark.parametrize("x, loss, settings, message", [
    (X, [4, 3, -2, 1], {}, "loss is -2.0 at position 2; accepted are finite numbers above zero"),
    (X, [4, 3, 0, 1], {}, "loss is 0.0 at position 2"),
    (X, [4, float("nan"), 2, 1], {}, "loss is nan at position 1"),
    ([1, 10, float("inf"), 1000], L, {}, "x is inf at position 2"),
    ([-1, 10, 100, 1000], L, {}, "x is -1.0 at position 0"),
    ([1], [4], {}, "x has 1 point; accepted are 3 or more"),
    ([], [], {}, "x has 0 points"),
    ([1, 100, 10, 1000], L, {}, "x falls after position 1; accepted are points in ascending order"),
    (X, L[:3], {}, "x, loss have 4, 3 points; accepted are equal lengths"),
    ([5, 5, 5, 5], L, {}, "x is 5 at every point"),
    (X, [2, 2, 2, 2], {}, "loss is 2 at every point"),
    (["a", "b", "c"], [1, 2, 3], {}, "x is .*accepted are numbers"),
    ([[1, 2], [3, 4]], [1, 2], {}, "x has 2 dimensions"),
    (X, L, {"offset": 2.0}, "offset is 2.0; accepted is a number from 0 to below the lowest loss, 1.9"),
    (X, L, {"offset": -1}, "offset is -1"),
    (X, L, {"offset": "guess"}, "offset is 'guess'; accepted are a number and 'fit'"),
    (X[:3], L[:3], {"offset": "fit"}, "x has 3 points; accepted are 4 or more"),
])
def test_power_law_refuses(x, loss, settings, message):
    with pytest.raises(ValueError, match=message): fit_power_law(x, loss, **settings)


@pytest.mark.parametrize("N, D, loss, message", [
    ([1e8] * 3, [1e9] * 3, [3] * 3, "N has 3 points; accepted are 6 or more"),
    (np.geomspace(1, 9, 8), np.geomspace(1, 9, 8), [3] * 7, "have 8, 8, 7 points"),
    (np.geomspace(1, 9, 8), [1e9] * 8, np.geomspace(3, 2, 8), "D is 1e\\+09 at every point"),
    (-np.geomspace(1, 9, 8), np.geomspace(1, 9, 8), np.geomspace(3, 2, 8), "N is -1.0 at position 0"),
    (np.geomspace(1, 9, 8), np.geomspace(1, 9, 8), [float("nan")] * 8, "loss is nan at position 0"),
])
def test_chinchilla_refuses(N, D, loss, message):
    with pytest.raises(ValueError, match=message): fit_chinchilla(N, D, loss)


@pytest.mark.parametrize("call, message", [
    (lambda: compute_optimal(0), "flops is \\[0\\]; accepted are numbers above zero"),
    (lambda: compute_optimal(float("nan")), "flops is \\[nan\\]"),
    (lambda: compute_optimal(1e20, "gpt"), "law is 'gpt'; accepted are 'hoffmann', 'hoffmann unrounded', 'besiroglu'"),
    (lambda: compute_optimal(1e20, {"E": 1, "A": 2}), "law is .*accepted are"),
    (lambda: chinchilla_loss(-1, 1e9), "N is -1"),
    (lambda: chinchilla_loss("many", 1e9), "N is 'many'"),
    (lambda: kaplan_loss(1e9, 0), "D is 0"),
    (lambda: fits.PowerLaw(0.1, 5.0).predict([1, 0]), "x is \\[1, 0\\]"),
])
def test_laws_refuse(call, message):
    with pytest.raises(ValueError, match=message): call()


def test_power_law_takes_what_is_at_hand():
    "Lists, Series with any index, one-dimensional arrays; repeated x from several seeds."
    plain = fit_power_law(X, L, resamples=0)
    for kind in (np.array, lambda v: pd.Series(v, index=list("dcba")), tuple): assert fit_power_law(kind(X), kind(L), resamples=0) == plain
    twice = fit_power_law(np.repeat(X, 2), np.repeat(L, 2), resamples=0)
    assert twice.alpha == pytest.approx(plain.alpha) and twice.intervals == {}


@pytest.mark.parametrize("alpha, coefficient, offset", [(0.05, 20, 0.0), (0.3, 8, 1.2), (0.5, 400, 2.0), (1.0, 50, 0.3)])
def test_power_law_recovers(alpha, coefficient, offset):
    x = np.geomspace(1e2, 1e8, 25)
    loss = offset + coefficient * x**-alpha
    known = fit_power_law(x, loss, offset=offset)
    assert known.alpha == pytest.approx(alpha, rel=1e-6) and known.coefficient == pytest.approx(coefficient, rel=1e-5) and known.r2 == pytest.approx(1)
    if offset:
        found = fit_power_law(x, loss, offset="fit", resamples=0)
        assert [found.alpha, found.coefficient, found.offset] == pytest.approx([alpha, coefficient, offset], rel=1e-3)
        assert found.predict([1e3, 1e12]) == pytest.approx(offset + coefficient * np.array([1e3, 1e12])**-alpha, rel=1e-3)


@pytest.mark.parametrize("truth", [fits.LAWS["besiroglu"], Chinchilla(1.69, 406.4, 410.7, 0.34, 0.28), Chinchilla(0.8, 60, 900, 0.25, 0.45)])
def test_chinchilla_recovers_without_noise(truth):
    "To four digits, whatever the order of the points."
    rng = np.random.default_rng(3)
    N, D = np.exp(rng.uniform(np.log(7e7), np.log(1.6e10), 245)), np.exp(rng.uniform(np.log(5e9), np.log(5e11), 245))
    found = fit_chinchilla(N, D, chinchilla_loss(N, D, truth), resamples=0)
    assert list(found.coefficients().values()) == pytest.approx(list(truth.coefficients().values()), rel=1e-4)


def test_a_wild_run_does_not_bend_the_law():
    "Huber's loss: three of 245 runs that went wrong move the exponents by less than two per cent."
    N, D = (g.ravel() for g in np.meshgrid(np.geomspace(1e7, 1e11, 35), np.geomspace(1e8, 1e12, 7)))
    loss = chinchilla_loss(N, D)
    loss[[5, 100, 200]] *= 1.5
    found, truth = fit_chinchilla(N, D, loss, resamples=0), fits.LAWS["besiroglu"]
    assert found.alpha == pytest.approx(truth.alpha, rel=0.02) and found.beta == pytest.approx(truth.beta, rel=0.02)


def test_published_laws_agree_with_their_papers():
    "Kaplan's joint law at both limits; Hoffmann's at Chinchilla; several budgets at once; all forms of coefficients."
    assert kaplan_loss(6.4e13) == pytest.approx(1) and kaplan_loss(1e30, 1.8e13) == pytest.approx(1, abs=1e-3)
    assert chinchilla_loss(70e9, 1.4e12, "hoffmann") == pytest.approx(1.93, abs=0.01)
    table = compute_optimal([1e20, 1e22, 1e24], "hoffmann unrounded")
    assert np.allclose(6 * table["parameters"] * table["tokens"], table["flops"]) and table["loss"].is_monotonic_decreasing
    law = fits.LAWS["besiroglu"]
    for form in (law, law.coefficients(), pd.Series(law.coefficients()), law.table()["value"]):
        assert compute_optimal(1e23, form).equals(compute_optimal(1e23))


LAUNCHED = """
import sys
from beyondtext.recipes import scaling
scaling._SWEEPS["small"] = {"steps": 200, "batch_size": 24, "widths": (4, 8), "between": (6,), "data_width": 8, "most": 2_000}
from beyondtext.train import main
sys.exit(main(["scaling", "--size", "small", "--output", sys.argv[1]]))
"""


def test_sweep_on_two_processes(tmp_path):
    "accelerate launch with gloo: half the batch on each process, and the same losses within noise."
    (tmp_path / "launched.py").write_text(LAUNCHED)
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no",
              "--dynamo_backend", "no", "--main_process_port", "0"]
    curves = {}
    for name, how in (("one", []), ("two", launch)):
        run = python(*how, tmp_path / "launched.py", tmp_path / name, env={"OMP_NUM_THREADS": "1"})
        assert run.returncode == 0, run.stderr[-2000:]
        curves[name] = pd.read_csv(tmp_path / name / "history.csv").dropna(subset=["test"])
    one, two = (c.groupby(["sweep", "width"])[["tokens", "test"]].last() for c in curves.values())
    assert (one["tokens"] == two["tokens"]).all() and ((one["test"] / two["test"] - 1).abs() < 0.05).all(), pd.concat([one, two], axis=1)


def test_no_source_no_sweep(monkeypatch, tmp_path):
    monkeypatch.setattr(scaling.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(FileNotFoundError, match="holds 0 source files; accepted is a Python with the source"): scaling.library_text()


@pytest.mark.parametrize("call, message", [
    (lambda: challenges.training_flops(0, 1), "parameters is 0; accepted is a finite number above zero"),
    (lambda: challenges.training_flops(1, float("nan")), "tokens is nan"),
    (lambda: challenges.training_cost(1e20, price="dear"), "price is 'dear'"),
    (lambda: challenges.training_cost(1e20, price=True), "price is True"),
    (lambda: challenges.training_time(float("inf")), "flops is inf"),
    (lambda: challenges.training_time(1e20, devices=[1, 2]), "devices is \\[1, 2\\]"),
    (lambda: challenges.training_memory("gpt"), "model is 'gpt'; accepted are a transformers model"),
    (lambda: challenges.training_memory(-5), "model is -5"),
    (lambda: challenges.training_memory(1e9, optimizer="lion"), "optimizer is 'lion'; accepted are adamw, adamw-8bit, sgd-momentum, sgd"),
    (lambda: challenges.training_memory(1e9, precision="fp64"), "precision is 'fp64'; accepted are fp32"),
    (lambda: challenges.training_memory(1e9, zero=4), "zero is 4"),
    (lambda: challenges.training_memory(1e9, data_parallel=0), "data_parallel is 0"),
    (lambda: challenges.training_memory(1e9, 8), "batch_size and context need a model"),
    (lambda: challenges.training_memory(BertConfig(num_hidden_layers=1)), "model is of type bert; accepted are GPT-2"),
    (lambda: challenges.training_memory(GPT2Config(n_layer=1), batch_size=-1), "batch_size is -1"),
    (lambda: challenges.training_memory(GPT2Config(n_layer=1), batch_size=0), "batch_size is 0"),
    (lambda: challenges.inference_memory(1e9), "model is .*its configuration, which determine the size of the cache"),
    (lambda: challenges.inference_memory(GPT2Config(n_layer=1), precision="int2"), "precision is 'int2'"),
    (lambda: challenges.inference_memory(GPT2Config(n_layer=1), batch_size=0), "batch_size is 0"),
    (lambda: curation.near_duplicates("one text"), "texts is one text; accepted is a list"),
    (lambda: curation.near_duplicates(["a"], threshold=0), "threshold is 0"),
    (lambda: curation.curate(pd.DataFrame({"text": []})), "licence is missing"),
    (lambda: core.compare_latency({}), "functions is empty"),
    (lambda: challenges.plan_budget(0), "dollars is 0"),
    (lambda: challenges.plan_budget(1, "TPU"), "device is 'TPU'; accepted are V100, A100, H100, B200"),
    (lambda: challenges.plan_budget(1, utilisation=1.5), "utilisation is 1.5"),
])
def test_challenges_refuse(call, message):
    with pytest.raises(ValueError, match=message): call()


def test_memory_of_parallel_training():
    "Dividing never adds memory, and each kind divides what it should."
    config = GPT2Config(n_embd=1024, n_layer=8, n_head=16, vocab_size=1000, activation_function="gelu")
    base = challenges.training_memory(config, precision="bf16-mixed")
    for stage, divided in ((1, ["optimizer"]), (2, ["optimizer", "gradients"]), (3, ["optimizer", "gradients", "weights"])):
        found = challenges.training_memory(config, precision="bf16-mixed", zero=stage, data_parallel=4)
        assert (found[divided] * 4 == base[divided]).all() and found["activations"] == base["activations"]
    tensor, pipeline = (challenges.training_memory(config, precision="bf16-mixed", **{how: 4}) for how in ("tensor_parallel", "pipeline_parallel"))
    assert base["activations"] / 4 < tensor["activations"] < base["activations"] == pipeline["activations"]
    assert tensor["weights"] == pipeline["weights"] == base["weights"] / 4
    assert challenges.training_memory(config, checkpointing=True)["activations"] < 0.5 * challenges.training_memory(config)["activations"]
    assert challenges.training_memory(1e9, precision="bf16")["total"] == 8e9  # states as wide as the weights
    assert challenges.training_memory(1e9, optimizer="adamw-8bit")["optimizer"] == pytest.approx(2e9, rel=0.02)
    assert base["total"] == base.drop("total").sum()


def test_cache_of_grouped_heads():
    "Eight times fewer heads of keys and values, an eighth of the cache."
    full, grouped = (LlamaConfig(num_hidden_layers=2, num_attention_heads=32, num_key_value_heads=n) for n in (32, 4))
    assert challenges.inference_memory(full, 2, 100)["cache"] == 8 * challenges.inference_memory(grouped, 2, 100)["cache"]
    assert challenges.inference_memory(full)["cache"] == challenges.inference_memory(full, 1, full.max_position_embeddings)["cache"]


@pytest.mark.parametrize("text, found", [
    ("write to a.b-c+d@mail.example.co.uk, soon", ["a.b-c+d@mail.example.co.uk"]),
    ("ends with me@example.org.", ["me@example.org"]),
    ("call 555-555-0123 or (555) 555-0123", ["555-555-0123", "(555) 555-0123"]),
    ("call +49 30 1234567 now", ["+49 30 1234567"]),
    ("on 2026-11-20, 3.11.7, 10 000 of 1 234 567, x@y, @name, 12-34", []),
    ("", []),
])
def test_personal_data(text, found):
    assert sorted(curation.find_personal_data([text])["text"]) == sorted(found)


def test_curation_keeps_one_of_each():
    "Empty corpora, short texts, any index; a second pass finds nothing more."
    documents = pd.DataFrame({"text": ["a b c", "A  b, c!", "", "quite another text with words", "mail me@example.org"], "licence": "CC0-1.0"}, index=list("vwxyz"))
    verdicts = curation.curate(documents)["verdict"]
    assert verdicts.to_dict() == {"v": "kept", "w": "copy", "x": "kept", "y": "kept", "z": "personal data"}
    repeated = documents.set_axis([0] * len(documents))  # labels needn't tell rows apart
    assert curation.curate(repeated)["verdict"].tolist() == verdicts.tolist()
    again = curation.curate(documents[verdicts == "kept"])
    assert (again["verdict"] == "kept").all() and "verdict" not in documents
    assert curation.curate(documents.iloc[:0])["verdict"].empty and curation.near_duplicates([]).empty


def test_explorer_follows_its_controls():
    "Moving a slider draws anew; the output carries an image for pages."
    instrument = challenges.explore_budget()
    dollars, device, *_, image = instrument.children
    before = image.value
    dollars.value = 1e8
    assert image.value != before
    before = image.value
    device.value = "V100"
    assert image.value != before and bytes(image.value[:4]) == b"\x89PNG"
    assert {"image/png", "text/plain"} <= set(instrument._repr_mimebundle_())
