"Drawings: the codes, and what is refused."
from collections import Counter

import numpy as np
import pytest
import torch
from transformers import ResNetForImageClassification

from beyondtext.toys.cache import toy_folder
from beyondtext.multimodal import dalle
from beyondtext.recipes import dalle as dalle_recipe, discrete_vae
from beyondtext.world.scenes import make_scene, make_scenes, image_batch

@pytest.fixture(scope="module")
def judge():
    return ResNetForImageClassification.from_pretrained(toy_folder("dalle-judge")).eval()


def test_an_untrained_vae_keeps_nothing(judge):
    torch.manual_seed(0)
    assert dalle_recipe.evaluate_vae(discrete_vae.DiscreteVAE(), judge, make_scenes(50, "test", "several"))["objects"] < 0.05


def test_the_judge_reads_all_pairs(judge):
    for split in ("test", "test_held_out"):
        scenes = make_scenes(500, split, "several")
        found = dalle_recipe.read_drawings(judge, image_batch(scenes))
        assert sum(f == dalle_recipe.objects_of(s) for f, s in zip(found, scenes)) / 500 > 0.95


def test_tidy_plain_and_crowded_scenes_keep_their_objects():
    scenes = make_scenes(50, "train", "several")
    for scene, neat, full in zip(scenes, map(discrete_vae.tidy, scenes), discrete_vae.crowded(scenes)):
        assert dalle_recipe.objects_of(neat) == dalle_recipe.objects_of(scene) and not dalle_recipe.objects_of(scene) - dalle_recipe.objects_of(full)
        assert discrete_vae.plain(neat).noise is None and all(o.angle == 0 for o in neat.objects)
        assert len({(int(3 * o.x), int(3 * o.y)) for o in full.objects}) == len(full.objects) <= 9


def test_other_colours_are_the_same_in_image_and_target():
    torch.manual_seed(0)
    images = 2 * torch.rand(40, 3, 32, 32) - 1
    ours, targets = discrete_vae._recoloured(images, images)
    assert torch.equal(ours, targets) and ours.abs().max() <= 1
    changed = (ours != images).flatten(1).any(1)
    assert not changed[5:30].any() and changed[30:].all()  # an eighth and a quarter of 40
    assert torch.equal(ours[:5].sort(1).values, images[:5].sort(1).values), "channels in another order"
    dark = 0.4 * images  # no hue of it leaves the range, so that grey stays and lengths do
    turned, _ = discrete_vae._recoloured(dark, dark)
    torch.testing.assert_close(turned.mean(1), dark.mean(1), atol=1e-5, rtol=0)
    torch.testing.assert_close(turned.norm(dim=1), dark.norm(dim=1), atol=1e-5, rtol=0)


def test_the_loss_weighs_objects_and_edges():
    target = torch.full((1, 3, 32, 32), discrete_vae.BACKGROUND / 127.5 - 1)
    target[..., 14:18, 14:18] = 0.0
    wrong = {name: target.clone() for name in ("background", "object", "edges")}
    wrong["background"][..., 2:4, 2:4] += 0.3
    wrong["object"][..., 15:17, 15:17] += 0.3
    wrong["edges"][..., [15, 16, 15, 17], [15, 14, 17, 16]] += 0.3  # as many pixels, none beside another
    near = discrete_vae._near_objects(target)
    assert near.sum() == 8 * 8 and near[..., 12:20, 12:20].all()
    background, thing, edges = (discrete_vae._painting_loss(image, target, near).item() for image in wrong.values())
    assert 10.9 < thing / background < 11.1 and edges > 1.2 * thing
    assert discrete_vae._painting_loss(target, target, near) == 0


def test_ground_shall_have_one_code_and_objects_many():
    "Two codes in equal shares are log 2 nats, near objects and away from them."
    near = torch.zeros(2, 1, 32, 32)
    near[:, :, 13:16, 5:7] = 1  # a pixel of place (3, 1) is enough
    scores = torch.zeros(2, 5, 8, 8)
    scores[:, 0] = 50.0
    scores[:, 4, 3, 1] = 100.0
    assert [e.item() for e in discrete_vae._code_entropies(scores, near)] == pytest.approx([0, 0], abs=1e-5)
    scores[1, 1], scores[1, 4, 3, 1] = 100.0, 200.0
    background, objects = discrete_vae._code_entropies(scores, near)
    assert background == pytest.approx(np.log(2), abs=1e-5) and objects == pytest.approx(0, abs=1e-5)
    scores[1, 3, 3, 1] = 300.0
    assert discrete_vae._code_entropies(scores, near)[1] == pytest.approx(np.log(2), abs=1e-5)
    assert discrete_vae._code_entropies(scores, torch.ones_like(near))[0] == 0, "no background at all"


def test_choosing_is_the_gumbel_softmax():
    "Hard choices are samples of the scores' softmax, with the gradient of the soft ones, and these are spread as PyTorch's."
    scores = torch.tensor([2.0, 1.0, 0.0, -1.0])[None, :, None].expand(1, 4, 100_000)
    torch.manual_seed(0)
    hard, soft = discrete_vae._choose(scores, 0.5, True), discrete_vae._choose(scores, 0.5, False)
    assert torch.equal(hard.round().sort(1).values[0, :, 0], torch.tensor([0.0, 0, 0, 1])) and (hard - hard.round()).abs().max() < 1e-6
    torch.testing.assert_close(hard.mean(2)[0], scores[0, :, 0].softmax(0), atol=0.01, rtol=0)
    theirs = torch.nn.functional.gumbel_softmax(scores, tau=0.5, dim=1)
    for moment in (1, 2): torch.testing.assert_close((soft**moment).mean(2), (theirs**moment).mean(2), atol=0.01, rtol=0)
    gradients = []
    for is_hard in (True, False):
        torch.manual_seed(0)
        few = torch.zeros(1, 4, 5, requires_grad=True)
        (discrete_vae._choose(few, 0.5, is_hard) * torch.arange(20.0).view(1, 4, 5)).sum().backward()
        gradients.append(few.grad)
    assert torch.equal(*gradients) and gradients[0].abs().max() > 0


def test_the_vae_is_stored_and_loaded(tmp_path):
    torch.manual_seed(0)
    vae, images = discrete_vae.DiscreteVAE(codes=16, width=32), torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    vae.save_pretrained(tmp_path)
    again = discrete_vae.DiscreteVAE.from_pretrained(tmp_path)
    codes = vae.encode(images)
    assert codes.shape == (3, 8, 8) and codes.max() < 16 and torch.equal(codes, again.encode(images))
    assert torch.equal(vae.decode(codes), again.decode(codes)) and vae.decode(codes).shape == images.shape


@pytest.mark.parametrize("settings, error, words", [
    ({"caption": ""}, ValueError, "caption is empty"), ({"caption": " . "}, ValueError, "caption is empty"),
    ({"caption": "a red dog"}, ValueError, "caption has dog that the toy never saw; accepted are"),
    ({"caption": "a red [MASK]"}, ValueError, "caption has"), ({"caption": "a red star!"}, ValueError, "caption has"),
    ({"caption": ["a red star"]}, TypeError, "caption is of type list"),
    ({"caption": "a red star and " * 5 + "a red star"}, ValueError, "accepted are 14 or fewer"),
    ({"n": 0}, ValueError, "n is 0"), ({"n": 2.5}, ValueError, "n is 2.5"), ({"n": True}, TypeError, "n is of type bool"),
    ({"n": 8, "candidates": 4}, ValueError, "candidates is 4; accepted is a whole number from 8"),
    ({"temperature": 0}, ValueError, "temperature is 0"),
])
def test_bad_requests(settings, error, words, monkeypatch):
    monkeypatch.setattr(dalle, "checkpoint_folder", lambda *a: pytest.fail("a model was asked for"))
    with pytest.raises(error, match=words.replace("[", r"\[")): dalle.draw(**{"caption": "a red star"} | settings)


def test_draw():
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first, again = (dalle.draw("A large blue star.", n=3, seed=5) for _ in range(2))
    assert torch.equal(state, torch.random.get_rng_state()), "a seed leaves the global one alone"
    assert len(first) == 3 and all(a.tobytes() == b.tobytes() and a.size == (32, 32) for a, b in zip(first, again))
    assert first._repr_png_()[:4] == b"\x89PNG"
    assert dalle.draw("a large blue star", n=2, rerank=False, seed=1)[0].tobytes() != dalle.draw("a large blue star", n=2, rerank=False, seed=2)[0].tobytes()


def test_clip_chooses(judge):
    "The first of sixteen is right more often than the last."
    right = Counter()
    for i, text in enumerate(("a small red ring and a large green square", "a large purple star and a small blue cross", "a small cyan circle and a large pink square")):
        drawings = dalle.draw(text, n=16, seed=i, temperature=1.2)
        wanted = Counter((p.split()[2], p.split()[3]) for p in text.split(" and "))
        seen = dalle_recipe.read_drawings(judge, torch.from_numpy(np.stack([np.array(d) for d in drawings])).permute(0, 3, 1, 2))
        right["first"] += sum(s == wanted for s in seen[:4])
        right["last"] += sum(s == wanted for s in seen[-4:])
    assert right["first"] > right["last"]


def test_no_training_caption_is_cut():
    longest = max((dalle_recipe.read_aloud(make_scene(i, kind="several")) for i in range(2000)), key=lambda t: len(t.split()))
    ids = dalle_recipe.caption_ids([longest])[0]
    assert ids[-1] in (0, dalle_recipe.dalle_tokenizer().sep_token_id) and dalle_recipe.dalle_tokenizer().unk_token_id not in ids
