"What is trained on an accelerator is evaluated there: every recipe and every evaluation, on an accelerator that isn't there."
import json

import pytest
from conftest import ROOT, python

from beyondtext.toys.cache import toy_folder

FAR = """
import json, sys; sys.path.insert(0, "tests")
import far, torch
from beyondtext.toys import cache, training
from beyondtext.toys.registry import SYSTEMS, load_recipes

needed = json.loads(sys.argv[1])
cache.toy_folder = lambda system, *_: needed[system]  # a changed `fit` would give the toy another name
fit = training.fit
def two_steps(model, data, *, steps, every=None, **settings):
    history = fit(model, data, steps=2, **settings)
    assert {p.device.type for p in model.parameters()} == {"far"}
    return history
training.fit = two_steps
load_recipes()

def trained(name): return SYSTEMS[name].train()[0][0]
with far.train_there():
"""

RECIPES = {
    "vit": """
from beyondtext.recipes import vit
vit._AMOUNTS["toy"] = 2, 96
evaluate = vit.evaluate_vit
vit.evaluate_vit = lambda model, split="test", n=20: evaluate(model, split, 20)
for name in ("vit", "vit-plain", "vit-joint"): vit.evaluate_vit(trained(name))
trained("vit-optimizers")
trained("vit-ablations")
trained("vit-masked")""",
    "igpt": """
from beyondtext.recipes import igpt
igpt._AMOUNTS["toy"] = 2, 96
(model, processor), _ = igpt.train_igpt()
igpt.evaluate_igpt(model, (processor.clusters + 1) * 127.5, n=4)""",
    "video": """
from beyondtext.recipes import video
video._AMOUNTS["toy"] = 2, 48
for name in ("video", "video-space", "video-joint"): video.evaluate_video(trained(name), n=20)""",
    "tables": """
from beyondtext.recipes import tables
tables._STEPS["toy"] = 2, 2
for name in ("tables", "tables-unordered"): trained(name)""",
    "clip": """
from beyondtext.recipes import clip
clip._AMOUNTS["toy"] = 2, 2, 96
model = trained("clip")
clip.zero_shot_accuracy(model, clip.clip_tokenizer(), n=20)
clip.recall_at_1(model, clip.clip_tokenizer(), n=100)
clip.choice_accuracy(model, clip.clip_tokenizer(), clip.word_order_tests(n=40)["binding"])
trained("clip-batches")""",
    "altclip": """
from beyondtext.recipes import altclip
altclip._AMOUNTS["toy"] = 2, 2, 400
evaluate = altclip.evaluate_altclip
altclip.evaluate_altclip = lambda model, split="test", n=10, *languages: evaluate(model, split, 10, *languages)
altclip.evaluate_altclip(trained("altclip"))
trained("altclip-stages")""",
    "layoutlm": """
from beyondtext.recipes import layoutlm
layoutlm._AMOUNTS["toy"] = 2, 48
for name in ("layoutlm", "layoutlm-words"): layoutlm.evaluate_layoutlm(trained(name), n=10)
trained("document-qa")""",
    "regions": """
from beyondtext.recipes import regions
regions.REGION_AMOUNTS["toy"] = 2, 96
model = trained("vqa-regions")
regions.evaluate_regions(model, n=20)
regions.find_regions(model, regions.image_batch(regions.make_scenes(5)))""",
    "vqa": """
from beyondtext.recipes import vqa
vqa.REGION_AMOUNTS = {"toy": (2, 96)}
vqa._STEPS["toy"] = 2, 6
for name in ("vqa", "vqa-lxmert"): vqa.evaluate_vqa(trained(name), n=5)
trained("vqa-biased")""",
    "dalle": """
from beyondtext.recipes import clip, dalle, discrete_vae, regions
dalle.DALLE_AMOUNTS["toy"] = 2, 64, 2, 64
regions.REGION_AMOUNTS["toy"] = 2, 96
clip._AMOUNTS["toy"] = 2, 2, 96
(model, _, vae), _ = dalle.train_dalle()
judge, matcher = trained("dalle-judge"), trained("clip")
dalle.evaluate_vae(vae, judge, dalle.make_scenes(5))
dalle.evaluate_dalle(model, vae, matcher, judge, n=2, candidates=2)""",
    "discrete_vae": """
from beyondtext.recipes import discrete_vae
discrete_vae.DALLE_AMOUNTS["toy"] = 2, 64, 2, 64
vae = trained("dalle-vae")
vae.decode(vae.encode(discrete_vae.image_batch(discrete_vae.make_scenes(5))))""",
    "speech": """
from beyondtext.recipes import speech
speech.SPEECH_AMOUNTS["toy"] = 2, 2, 40
(corpus,), _ = speech.make_corpus()
speech.training_speech = lambda size: corpus.examples
speech.evaluate_speech(trained("speech"), n=3)""",
    "speech_pretraining": """
from beyondtext.recipes import speech, speech_pretraining as pretraining
pretraining.training_speech = lambda size: speech.labelled_speech(40)
pretraining._LABELS = 10, 20
pretraining.evaluate_speech = lambda model, split, n: speech.evaluate_speech(model, split, 3)
trained("speech-few-labels")""",
    "punctuation": """
from beyondtext.recipes import punctuation
trained("punctuation")""",
    "scaling": """
from beyondtext.recipes import scaling
scaling._SWEEPS["toy"] |= {"widths": (4, 8), "between": (6,), "most": 6000, "steps": 2}
trained("scaling")
trained("scaling-pixels")""",
}


def run(source, toys=(), device="auto"):
    folders = json.dumps({name: str(toy_folder(name)) for name in toys})
    indented = "".join(f"    {line}\n" for line in source.strip().splitlines())
    return python("-c", FAR + indented, folders, cwd=ROOT, env={"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "BEYONDTEXT_DEVICE": device})


NEEDED = {"altclip": ["clip"], "layoutlm": ["layoutlm"], "vqa": ["vqa-regions"], "dalle": ["dalle-vae"]}  # toys that a recipe loads


@pytest.mark.parametrize("recipe", RECIPES)
def test_trained_and_evaluated_on_an_accelerator(recipe):
    result = run(RECIPES[recipe], NEEDED.get(recipe, ()))
    assert result.returncode == 0, result.stderr[-3000:]


ASKED = """
x = torch.linspace(-1, 1, 8)[:, None]
def place(**settings):
    model = torch.nn.Linear(1, 1)
    fit(model, {"x": x, "y": x}, steps=1, loss=lambda m, b: (m(b["x"]) - b["y"]).square().mean(), **settings)
    return next(model.parameters()).device.type
"""


def test_training_stays_on_the_cpu_unless_asked():
    "One process may be asked for one device after the other, and what is asked last counts."
    result = run(ASKED + 'assert [place(device="auto"), place(device="far"), place(), place(device="cpu")] == ["far", "far", "cpu", "cpu"]', device="")
    assert result.returncode == 0, result.stderr[-2000:]
    result = run(ASKED + 'place(device="cuda")', device="")
    assert "ValueError: device is 'cuda', which this machine can't train on; accepted are 'cpu', 'auto' and 'far'" in result.stderr


def test_accelerate_stays_as_the_reader_has_it():
    "The state that it had before a training is there afterwards, whatever the training used."
    result = run(ASKED + """
from accelerate.state import PartialState
held = dict(PartialState._shared_state)
place(device="cpu")
assert PartialState().device.type == "far" and dict(PartialState._shared_state) == held
PartialState._shared_state.clear()
place()
assert not PartialState._shared_state""", device="")
    assert result.returncode == 0, result.stderr[-2000:]


@pytest.mark.parametrize("variables, device, words", [
    ({"ACCELERATE_USE_CPU": "yes"}, "far", "Accelerate trains on cpu, but far was asked for"),
    ({"ACCELERATE_TORCH_DEVICE": "meta"}, "cpu", "Accelerate trains on meta, but cpu was asked for"),
    ({"WORLD_SIZE": "2"}, "far", "2 processes were started, and Accelerate can't join them on far")])
def test_training_elsewhere_is_an_error(variables, device, words):
    clear = "" if "WORLD_SIZE" in variables else "from accelerate.state import PartialState\nPartialState._shared_state.clear()\n"
    result = run(f"import os\nos.environ |= {variables}\n{clear}" + ASKED + f'place(device="{device}")', device="")
    assert f"RuntimeError: {words}" in result.stderr, result.stderr[-2000:]


def test_the_variable_and_the_launcher_mean_the_same():
    for device in ("far", "cpu"):
        result = run(ASKED + f'assert place() == "{device}"', device=device)
        assert result.returncode == 0, result.stderr[-2000:]
    launched = "import os\nfrom beyondtext.toys.devices import training_device\nos.environ['LOCAL_RANK'] = '0'\n"
    result = run(launched + "assert [training_device(), training_device('cpu')] == ['far', 'cpu']", device="")
    assert result.returncode == 0, result.stderr[-2000:]


def test_every_recipe_is_there():
    from beyondtext.toys.registry import SYSTEMS, load_recipes
    load_recipes()
    modules = {s.recipe.__module__.rsplit(".", 1)[1] for s in SYSTEMS.values()}
    assert modules <= set(RECIPES) | {"__main__"}
    assert [name for name, s in SYSTEMS.items() if f'"{name}"' not in "".join(RECIPES.values()) and name not in ("igpt", "dalle", "speech-corpus")] == []


def test_the_far_device_refuses_what_a_gpu_refuses():
    result = run('torch.ones(3, device="far:0") + torch.ones(3)')
    assert result.returncode == 1 and "Expected all tensors to be on the same device" in result.stderr
    result = run('x = torch.ones(3, device="far:0")\nassert (x + 1).device.type == "far" and (x * 2).cpu().tolist() == [2, 2, 2] and x[torch.tensor([0])].tolist() == [1]')
    assert result.returncode == 0, result.stderr[-2000:]
