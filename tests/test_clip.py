"CLIP, its text encoder and AltCLIP: the published tokenizer's numbers, and what is refused."
import gzip
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies
from PIL import Image
from transformers import AltCLIPModel, CLIPModel

from beyondtext.toys.cache import toy_folder
from beyondtext.multimodal import clip, text_encoder
from beyondtext.recipes import altclip as altclip_recipe, byte_pairs, clip as clip_recipe
from beyondtext.world.language import caption
from beyondtext.world.scenes import make_scene

MERGES = Path(__file__).parents[2] / "shared/clip/bpe_simple_vocab_16e6.txt.gz"
openai = pytest.mark.skipif(not MERGES.is_file(), reason=f"OpenAI's merges are not at {MERGES.name} beside the clone")

def test_altclip_keeps_the_image_tower_of_its_teacher():
    student, teacher = AltCLIPModel.from_pretrained(toy_folder("altclip")), CLIPModel.from_pretrained(toy_folder("clip"))
    same = [torch.equal(a, b) for a, b in zip(student.vision_model.state_dict().values(), teacher.vision_model.state_dict().values())]
    assert all(same) and len(same) > 10


def test_untrained_models_fail_the_bars():
    torch.manual_seed(0)
    model = CLIPModel(clip_recipe.clip_config())
    assert clip_recipe.zero_shot_accuracy(model, byte_pairs.clip_tokenizer(), "test", 200) < 0.1
    assert altclip_recipe.evaluate_altclip(altclip_recipe.altered(model), "test", 200, ("zh",))["zh"] < 0.1


def test_training_sees_what_the_processor_makes():
    scenes = [make_scene(i, "validation", "several") for i in range(3)]
    made = clip_recipe.clip_processor()(images=[s.image() for s in scenes], return_tensors="pt").pixel_values
    images = torch.from_numpy(np.stack([np.array(s.image()) for s in scenes])).permute(0, 3, 1, 2)
    torch.testing.assert_close(clip_recipe._pixel_values(images), made)
    assert abs(made.mean()) < 0.5 and 0.5 < made.std() < 1.5


def test_no_text_of_the_training_names_a_held_out_pair():
    from beyondtext.world.scenes import HELD_OUT
    texts = [text.split() for text in altclip_recipe.captions(4000)[1]]
    pairs = {(a, b) for words in texts for a, b in zip(words, words[1:])}
    assert not pairs & HELD_OUT and len(pairs) > 40


# ------------------------------------------------------------------------------------------------ tokens


@pytest.fixture(scope="module")
def published(): return byte_pairs.clip_tokenizer(MERGES, pad="!")


@openai
def test_what_the_post_prints_of_tokens(published):
    text = "a highres photo of a woman wearing a red dress"
    tokens = ["a</w>", "high", "res</w>", "photo</w>", "of</w>", "a</w>", "woman</w>", "wearing</w>", "a</w>", "red</w>", "dress</w>"]
    ids = [320, 1487, 934, 1125, 539, 320, 2308, 3309, 320, 736, 2595]
    assert published.tokenize(text) == tokens and published.convert_tokens_to_ids(tokens) == ids
    assert published.decode([49406, *ids, 49407]) == f"<|startoftext|>{text} <|endoftext|>"
    assert published.vocab_size == 49408
    specials = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "!", "unk_token": "<|endoftext|>"}
    assert published.special_tokens_map == specials
    assert published.convert_ids_to_tokens([320, 1125, 49406, 49407]) == ["a</w>", "photo</w>", "<|startoftext|>", "<|endoftext|>"]
    pieces = ["ä½", "ł", "å¥", "½</w>", ",</w>", "ab", "cd</w>", ",</w>", "asdf", "h", "j", "kl", "mn</w>"]
    assert published.tokenize("你好, abcd, asdfhjklmn") == pieces
    found = published("abcd, asdfhjklmn")
    assert found.input_ids == [49406, 596, 4480, 267, 36857, 71, 73, 8498, 4057, 49407] and found.attention_mask == [1] * 10
    assert published.convert_ids_to_tokens(found.input_ids) == ["<|startoftext|>", *pieces[5:], "<|endoftext|>"]


@openai
def test_what_the_post_prints_of_padding(published):
    texts = ["a highres photo of a woman wearing a red dress", " ".join(["a"] + ["very"] * 100 + ["text"])]
    found = published(texts, padding="max_length", max_length=published.model_max_length, truncation=True, return_tensors="pt")
    first = [49406, 320, 1487, 934, 1125, 539, 320, 2308, 3309, 320, 736, 2595, 49407]
    assert found.input_ids.tolist() == [first + [0] * 64, [49406, 320, *[1070] * 74, 49407]]
    assert found.attention_mask.tolist() == [[1] * 13 + [0] * 64, [1] * 77]
    texts = ["a photo of a cat", "a photo of a woman wearing a red dress"]
    cat, woman = [49406, 320, 1125, 539, 320, 2368, 49407], [49406, 320, 1125, 539, 320, 2308, 3309, 320, 736, 2595, 49407]
    for length, how in ((11, {"padding": True}), (77, {"padding": "max_length"})):
        found = published(texts, return_tensors="pt", **how)
        assert found.input_ids.tolist() == [cat + [0] * (length - 7), woman + [0] * (length - 11)]
        assert found.attention_mask.tolist() == [[1] * 7 + [0] * (length - 7), [1] * 11 + [0] * (length - 11)]
    assert len(text_encoder.tokens_left_out(" ".join(["a"] + ["very"] * 100 + ["text"]), published)) == 27


LETTERS = strategies.one_of(
    strategies.characters(exclude_categories=["Cs", "Cn"]),
    strategies.characters(categories=["Mn", "Me", "Zs", "So", "Lu", "Lt", "Nd", "No", "Nl"]),
    strategies.sampled_from(["<|endoftext|>", "<|StartOfText|>", *"'\u200d😀🏽👍é\u0301ÅİΣςßﬁ\t\n\x1c\x85\u180e sdlt<|>"]),
).filter(lambda letter: len(letter) > 1 or not unicodedata.combining(letter) or unicodedata.ucd_3_2_0.combining(letter))  # the library's tables lack the newest marks


def pairs(merges): return byte_pairs.BytePairs(byte_pairs._read_merges(merges) if merges else byte_pairs.toy_merges())


@pytest.mark.parametrize("merges", [None, pytest.param(MERGES, marks=openai)])
def test_byte_pairs_equal_the_library_on_any_text(merges):
    ours, library, seen = pairs(merges), byte_pairs.clip_tokenizer(merges), []

    @settings(max_examples=2000, deadline=None, database=None)
    @given(strategies.lists(LETTERS, max_size=30).map("".join))
    def same(text):
        seen.append(text)
        ids = library(text).input_ids
        assert ours.encode(text) == ids and ours.tokenize(text) == library.tokenize(text)
        if "text|>" not in text.lower():
            assert "".join(ours.decode(ids).split()) == "".join("".join(byte_pairs.split_words(text)).split())

    same()
    assert len(seen) >= 2000


def test_merges_are_learnt_as_by_hand():
    assert byte_pairs.train_bpe(["aab aab ab"], 2) == [("a", "b</w>"), ("a", "ab</w>")]
    assert byte_pairs.train_bpe([]) == [] and byte_pairs.train_bpe(["xyz"]) == []


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b broken", b"one two three\n", bytes(range(200, 256)), gzip.compress(b"\n\n", mtime=0)])
def test_files_without_merges(tmp_path, content):
    (path := tmp_path / "merges.txt").write_bytes(content)
    with pytest.raises(ValueError, match="merges: the file"): byte_pairs.clip_tokenizer(path)
    with pytest.raises(ValueError, match="merges: there is no file"): byte_pairs.clip_tokenizer(tmp_path / "none")


# ------------------------------------------------------------------------------------------------ bad input


@pytest.fixture(scope="module")
def image(): return make_scene(0, "test").image()


@pytest.mark.parametrize("texts, error, message", [
    ([], ValueError, "texts is an empty list"), (b"a star", TypeError, "texts is of type bytes"), (None, TypeError, "texts is of type NoneType"),
    (["a star", 3], TypeError, "texts has a int at position 1"), ({"a": 1}, TypeError, "texts is of type dict")])
def test_bad_texts(image, monkeypatch, texts, error, message):
    monkeypatch.setattr(clip, "checkpoint_folder", lambda *_: 1 / 0)  # before any model is loaded
    monkeypatch.setattr(text_encoder, "checkpoint_folder", lambda *_: 1 / 0)
    for function in (lambda: clip.match_texts(image, texts), lambda: text_encoder.encode_text(texts)):
        with pytest.raises(error, match=message): function()


def test_blank_texts(image):
    with pytest.raises(ValueError, match="empty text at position 1"): clip.match_texts(image, ["a star", " \n"])
    assert torch.equal(text_encoder.encode_text("   "), text_encoder.encode_text("")), "a start and an end"


@pytest.mark.parametrize("system", ["clip", "altclip"])
def test_long_texts_are_cut_off_aloud(image, system):
    long = "a " + "red " * 90 + "star"
    with pytest.warns(UserWarning, match="texts: number 1 has"):
        assert len(clip.match_texts(image, ["a star", long], system=system)) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clip.match_texts(image, "a " + "red " * 60 + "star", system=system)
        text_encoder.encode_text("red " * 75)
    with pytest.warns(UserWarning, match="the last 1 tokens are cut off"): text_encoder.encode_text("red " * 76)


def test_images_of_any_form(image, tmp_path):
    image.save(tmp_path / "p.png")
    wanted = clip.match_texts(image, ["a red star", "a blue ring"])
    for form in (np.array(image), tmp_path / "p.png", str(tmp_path / "p.png"), (tmp_path / "p.png").read_bytes()):
        assert clip.match_texts(form, ["a red star", "a blue ring"]).equals(wanted)
    one_pixel = clip.match_texts(Image.new("RGB", (1, 1), "red"), ["a red star", "a blue ring"])
    assert one_pixel["score"].sum() == 0, "it is enlarged like any other, to a blank sheet, which the toy doesn't know"
    with pytest.raises(ValueError, match="there is no file"): clip.match_texts("dog.jpg", "a dog")
    with pytest.raises(TypeError, match="image is of type"): clip.match_texts(None, "a dog")


def test_many_images_and_many_texts(image):
    "A column more for each list, and the same scores as one by one."
    images, texts = [image, make_scene(1, "test").image()], ["a red star", "a blue ring"]
    matched = clip.match_texts(images, texts)
    assert list(matched.columns) == ["image", "text", "score"] and matched["image"].tolist() == [0, 0, 1, 1]
    for i, one in enumerate(images):
        assert matched[matched["image"] == i]["score"].tolist() == pytest.approx(clip.match_texts(one, texts)["score"].tolist(), abs=1e-5)
    found = clip.find_images(images, texts, top_k=2.0)
    assert list(found.columns) == ["text", "image", "score"] and len(found) == 4
    assert found[found["text"] == texts[1]]["image"].tolist() == clip.find_images(images, texts[1])["image"].tolist()


def test_the_same_text_twice(image):
    found = clip.match_texts(image, ["a red star", "a blue ring", "a red star"])
    assert found["text"].tolist() == ["a red star", "a blue ring", "a red star"] and found["score"][0] == found["score"][2]


def test_what_else_is_refused(image):
    with pytest.raises(ValueError, match="images is an empty list"): clip.find_images([], "a star")
    with pytest.raises(TypeError, match="texts is of type int"): clip.find_images([image], 3)
    with pytest.raises(ValueError, match="top_k is 0"): clip.find_images([image], "a star", 0)
    with pytest.raises(TypeError, match="top_k is of type str"): clip.find_images([image], "a star", "3")
    with pytest.raises(ValueError, match="system is 'vit'"): clip.zero_shot_classifier(system="vit")
    with pytest.raises(ValueError, match="layer is 3; accepted is a whole number from -3 to 2"): text_encoder.encode_text("a", layer=3)
    with pytest.raises(ValueError, match="size is 'huge'"): clip_recipe.clip_config("huge")
    with pytest.raises(ValueError, match="language is 'fr'"): altclip_recipe.translate("a red star", "fr")
    with pytest.raises(ValueError, match="text has dog"): altclip_recipe.translate("a red dog", "ja")


def test_search_and_pipeline_agree():
    scenes = [make_scene(i, "test", "several") for i in range(20)]
    found = clip.find_images([s.image() for s in scenes], caption(scenes[7]), 3)
    assert len(found) == 3 and found["score"].is_monotonic_decreasing and 7 in set(found["image"])
    answer = clip.zero_shot_classifier()(scenes[0].image(), candidate_labels=["a red star", "a blue ring"], hypothesis_template="{}")
    table = clip.match_texts(scenes[0].image(), ["a red star", "a blue ring"])
    assert {a["label"]: a["score"] for a in answer} == pytest.approx(dict(zip(table["text"], table["score"])))


def test_the_checkpoints_load_as_any_other():
    from transformers import AutoModel, AutoProcessor
    for system, name in (("clip", "CLIP"), ("altclip", "AltCLIP")):
        folder = toy_folder(system)
        assert type(AutoModel.from_pretrained(folder)).__name__ == f"{name}Model"
        assert type(AutoProcessor.from_pretrained(folder)).__name__ == f"{name}Processor"
