"Questions to images: balanced and biased questions, and what is refused."
import warnings
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies
from transformers import VisualBertForQuestionAnswering

from beyondtext.toys.experiments import load_experiment
from beyondtext.multimodal import vqa
from beyondtext.recipes import regions, vqa as vqa_recipe
from beyondtext.world.language import ANSWERS, questions
from beyondtext.world.scenes import make_scene, make_scenes, image_batch

def test_a_blind_model_is_exposed_by_balanced_questions():
    found = load_experiment("vqa-biased").set_index("model")
    assert found.loc["blind, balanced", "balanced questions"] <= 0.30
    assert found.loc["blind, biased", "biased questions"] >= 0.70 and found.loc["blind, biased", "balanced questions"] < 0.35


def test_an_untrained_model_fails_the_bars():
    torch.manual_seed(0)
    assert vqa_recipe.evaluate_vqa(VisualBertForQuestionAnswering(vqa_recipe.vqa_config()).eval(), "test", 50)["all"] < 0.4


@pytest.fixture(scope="module")
def scenes():
    return make_scenes(1500, "validation", "several")


def test_balanced_questions_have_all_answers_equally_often(scenes):
    rows = vqa_recipe.question_set(scenes, 20_000, {"colour": 1, "count": 1})
    texts = Counter(q.text for _, q in rows)
    for text in ("what colour is the ring?", "how many objects are there?"):
        shares = [n / texts[text] for n in Counter(q.answer for _, q in rows if q.text == text).values()]
        assert texts[text] > 200 and max(shares) < 1.3 / len(shares)


def test_biased_questions_prefer_the_same_answer_in_every_split(scenes):
    for text in ("what colour is the ring?", "what shape is the red object?"):
        liked = set()
        for split in ("train", "validation"):
            rows = vqa_recipe.question_set(scenes if split == "validation" else make_scenes(1500, split, "several"), 8000, {"colour": 1, "shape": 1}, bias=0.85)
            (answer, n), *_ = Counter(q.answer for _, q in rows if q.text == text).most_common()
            liked.add(answer)
            assert n / sum(q.text == text for _, q in rows) > 0.8
        assert len(liked) == 1


def test_every_drawn_question_is_one_of_its_scene(scenes):
    for i, q in vqa_recipe.question_set(scenes, 500, seed="check"): assert q in questions(scenes[i])
    assert vqa_recipe.question_set(scenes, 50, seed="a") == vqa_recipe.question_set(scenes, 50, seed="a") != vqa_recipe.question_set(scenes, 50, seed="b")
    with pytest.raises(ValueError, match="bias is 2"): vqa_recipe.question_set(scenes, 5, bias=2)


@settings(max_examples=100, deadline=None)
@given(strategies.integers(0, 10**6))
def test_neighbours_are_right(index):
    scene = make_scene(index, "train", "several")
    axis = {"left of": ("x", -1), "right of": ("x", 1), "above": ("y", -1), "below": ("y", 1)}
    for q in vqa_recipe.neighbours(scene):
        place = next(p for p in axis if p in q.text)
        other = next(o for o in scene.objects if q.text.endswith(f"the {o.colour} {o.shape}?"))
        (key, sign), what = axis[place], "shape" if "what shape" in q.text else "colour"
        there = [o for o in scene.objects if (getattr(o, key) - getattr(other, key)) * sign > 1 / 6]
        assert [getattr(o, what) for o in there] == [q.answer] and q.answer in ANSWERS


def test_regions_lie_where_objects_are():
    scenes = make_scenes(100, "test", "several")
    model, near = vqa_recipe.toy_detector(), 0
    features, boxes = regions.find_regions(model, image_batch(scenes))
    assert features.shape == (100, 4, 64) and boxes.shape == (100, 4, 4) and 0 <= boxes.min() and boxes.max() <= 1
    middles = (boxes[..., :2] + boxes[..., 2:]) / 2
    for scene, found in zip(scenes, middles):
        near += sum((found - torch.tensor([o.x, o.y])).norm(dim=1).min() < 0.1 for o in scene.objects)
    assert near / sum(len(s.objects) for s in scenes) > 0.97


@pytest.mark.parametrize("question, error, words", [
    ("", ValueError, "questions is empty"), ("  ", ValueError, "questions is empty"), ([], ValueError, "questions is an empty list"),
    (["how many objects are there?", ""], ValueError, "questions has an empty text at position 1"), (7, TypeError, "questions is of type int"), ([7], TypeError, "questions has a int"),
])
def test_bad_questions(question, error, words, monkeypatch):
    monkeypatch.setattr(vqa, "checkpoint_folder", lambda *a: pytest.fail("a model was asked for"))
    with pytest.raises(error, match=words): vqa.ask_image(make_scene(0).image(), question)


def test_bad_images_and_systems(monkeypatch):
    monkeypatch.setattr(vqa, "checkpoint_folder", lambda *a: pytest.fail("a model was asked for"))
    with pytest.raises(ValueError, match="no file"): vqa.ask_image("missing.png", "how many objects are there?")
    with pytest.raises(TypeError): vqa.ask_image(3, "how many objects are there?")
    with pytest.raises(ValueError, match="system is 'clip'"): vqa.ask_image(make_scene(0).image(), "how many objects are there?", system="clip")
    with pytest.raises(ValueError, match="kind is 'bert'"): vqa_recipe.vqa_config("bert")
    with pytest.raises(ValueError, match="size is 'huge'"): vqa_recipe.vqa_config(size="huge")


def test_unknown_words_are_warned_of_and_known_ones_not():
    image = make_scene(0, "test", "several").image()
    with pytest.warns(UserWarning, match="never saw"): assert len(vqa.ask_image(image, "is there a purple elephant?")) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vqa.ask_image(image, "Is there a purple square?")


def test_images_of_any_form_get_the_same_answer(tmp_path):
    scene = make_scene(5, "test", "several")
    scene.image().save(tmp_path / "scene.png")
    asked = "how many objects are there?"
    for system in ("vqa", "vqa-lxmert"):
        answers = [vqa.ask_image(form, asked, system=system) for form in (scene.image(), np.array(scene.image()), str(tmp_path / "scene.png"))]
        assert len({(a["answer"][0], round(a["score"][0], 6)) for a in answers}) == 1
    found = vqa.visual_qa()(image=scene.image(), question=asked, top_k=3)
    assert [set(f) for f in found] == [{"answer", "score"}] * 3 and found[0]["score"] >= found[1]["score"]
