"Receipts: what is printed, and what is refused."
import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies
from transformers import LayoutLMForTokenClassification

from beyondtext.multimodal import layoutlm
from beyondtext.recipes import layoutlm as layoutlm_recipe
from beyondtext.world import receipts

def test_an_untrained_model_fails_the_bars():
    torch.manual_seed(0)
    model = LayoutLMForTokenClassification(layoutlm_recipe.layoutlm_config()).eval()
    assert layoutlm_recipe.evaluate_layoutlm(model, "test", n=50)["all three"] == 0


@settings(max_examples=150, deadline=None)
@given(strategies.integers(0, 10**6), strategies.booleans())
def test_documents(index, unseen):
    document = receipts.make_document(index, "any", unseen)
    assert document == receipts.make_document(index, "any", unseen) != receipts.make_document(index, "other", unseen)
    assert len(document.words) == len(document.boxes) == len(document.labels) and (document.layout in receipts.UNSEEN) == unseen
    for left, top, right, bottom in document.boxes: assert 0 <= left < right <= 1000 and 0 <= top < bottom <= 1000
    fields = document.fields()
    assert len(fields["date"].split()) == 3 and 2 <= len(fields["company"].split()) <= 3
    assert 0 < float(fields["tax"]) < float(fields["total"])
    assert not [w for w in document.words if "[UNK]" in layoutlm_recipe.layoutlm_tokenizer().tokenize(w)]


def test_words_do_not_lie_on_each_other():
    "Neither in the known layouts nor in the new ones."
    for unseen in (False, True):
        for i in range(150):
            boxes = np.array(receipts.make_document(i, "overlap", unseen).boxes)
            low, high = np.maximum(boxes[:, None, :2], boxes[None, :, :2]), np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
            both = (high - low - 6).clip(0).prod(2)  # letters of two lines may nearly touch
            assert (both - np.diag(np.diag(both)) == 0).all(), (unseen, i)


def test_all_choices_of_new_layouts_occur_in_known_ones():
    known = [layout for layout in receipts.LAYOUTS if layout not in receipts.UNSEEN]
    assert len(receipts.LAYOUTS) == 36 and len(receipts.UNSEEN) == 6
    for layout in receipts.UNSEEN:
        for name, value in vars(layout).items(): assert value in {getattr(other, name) for other in known}


GOOD = {"words": ["Total", "9.00"], "boxes": [(0, 0, 100, 20), (200, 0, 300, 20)]}


@pytest.mark.parametrize("changed, error, words", [
    ({"words": [], "boxes": []}, ValueError, "words is an empty list"),
    ({"words": ["Total"]}, ValueError, "boxes has 2 entries for 1 words"),
    ({"boxes": [(0, 0, 100, 20), (200, 0, 1300, 20)]}, ValueError, "boxes: number 1"),
    ({"boxes": [(-1, 0, 100, 20), (200, 0, 300, 20)]}, ValueError, "boxes: number 0"),
    ({"boxes": [(100, 0, 0, 20), (200, 0, 300, 20)]}, ValueError, "left, top, right, bottom"),
    ({"boxes": [(0, 0, 100), (200, 0, 300, 20)]}, ValueError, "boxes: number 0"),
    ({"boxes": [None, (200, 0, 300, 20)]}, ValueError, "boxes: number 0"),
    ({"words": ["Total", " "]}, ValueError, "words: number 1"), ({"words": ["Total", 9]}, ValueError, "words: number 1 is 9"),
    ({"words": "Total 9.00"}, TypeError, "words is of type str"), ({"boxes": 7}, TypeError, "boxes is of type int"),
])
def test_bad_words_and_boxes(changed, error, words, monkeypatch):
    monkeypatch.setattr(layoutlm, "checkpoint_folder", lambda *a: pytest.fail("a model was asked for"))
    with pytest.raises(error, match=words): layoutlm.read_document(GOOD | changed)
    with pytest.raises(error, match=words): layoutlm.ask_document(GOOD | changed, "what is the total?")


def test_bad_questions_and_images(monkeypatch):
    monkeypatch.setattr(layoutlm, "checkpoint_folder", lambda *a: pytest.fail("a model was asked for"))
    with pytest.raises(ValueError, match="questions is empty"): layoutlm.ask_document(GOOD, " ")
    with pytest.raises(TypeError, match="questions is of type"): layoutlm.ask_document(GOOD, None)
    with pytest.raises(TypeError, match="document is of type str and has no words"): layoutlm.read_document("missing.png")
    with pytest.raises(ValueError, match="document is an empty list"): layoutlm.read_document([])
    with pytest.raises(ValueError, match="index is -1"): receipts.make_document(-1)
    with pytest.raises(ValueError, match="size is 'huge'"): layoutlm_recipe.layoutlm_config("huge")


def test_read_and_asked():
    document = receipts.make_document(3, "test")
    fields = layoutlm.read_document({"words": np.array(document.words), "boxes": np.array(document.boxes)})
    assert dict(zip(fields["field"], fields["text"])) == document.fields()
    page = layoutlm.draw_fields(document.image(), fields)
    assert page.size == receipts.PAGE and page.getcolors(1 << 20) != document.image().getcolors(1 << 20)
    found = layoutlm.ask_document(document, "how much is the tax?", top_k=2)
    assert list(found.columns) == ["question", "answer", "start", "end", "score"] and len(found) == 2
    assert found["answer"][0] == document.fields()["tax"]
    assert layoutlm.read_document({"words": ["hello"], "boxes": [(0, 0, 10, 10)]}).columns.tolist() == ["field", "text", "box", "score"]
    both = layoutlm.ask_document([document, receipts.make_document(4, "test")], ["what is the total?", "how much is the tax?"])
    assert list(both.columns)[:2] == ["document", "question"] and both["document"].tolist() == [0, 0, 1, 1]


def test_long_documents_are_cut_and_not_refused():
    words = ["apples"] * 400
    assert len(layoutlm.read_document({"words": words, "boxes": [(i, 0, i + 1, 10) for i in range(400)]}).columns) == 4
