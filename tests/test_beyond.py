"iGPT, TimeSformer and TAPAS: what untrained models reach, and what people hand to them."
import random

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from beyondtext.inputs.tables import read_table
from beyondtext.beyond import igpt, tables, video
from beyondtext.recipes import igpt as igpt_recipe, tables as tables_recipe, video as video_recipe
from beyondtext.world import tables as world_tables
from beyondtext.world.videos import make_video
from beyondtext.world.scenes import make_scenes, scene_images

def test_untrained_models_fail_the_bars():
    "The evaluations can fail: random weights are near chance."
    from transformers import ImageGPTForCausalImageModeling, TapasForQuestionAnswering, TimesformerForVideoClassification
    torch.manual_seed(0)
    palette = igpt_recipe.colour_palette(scene_images(make_scenes(300), igpt_recipe.SIDE))
    model = ImageGPTForCausalImageModeling(igpt_recipe.igpt_config())
    found = igpt_recipe.evaluate_igpt(model, palette, "test", 50)
    assert found["overlap"] < 0.3
    assert video_recipe.evaluate_video(TimesformerForVideoClassification(video_recipe.timesformer_config()), "test", 200)["forwards"] < 0.5
    assert tables_recipe.evaluate_tables(TapasForQuestionAnswering(tables_recipe.tapas_config()), tables_recipe.table_examples(100, "test"))["all"] < 0.1


# ------------------------------------------------------------------------------------------------ iGPT


@pytest.fixture(scope="module")
def half(): return igpt_recipe.straddling_scenes(1, "test")[0].image().crop((0, 0, 32, 16))


def test_completions_keep_the_given_half(half):
    drawn = igpt.complete_image(half, n=3)
    assert len(drawn) == 3 and {p.size for p in drawn} == {(12, 12)}
    upper = [np.asarray(p)[:6] for p in drawn]
    assert (upper[0] == upper[1]).all() and (upper[0] == upper[2]).all()
    again, other = igpt.complete_image(half, n=3), igpt.complete_image(half, n=3, seed=1, temperature=1.0)
    assert all((np.asarray(a) == np.asarray(b)).all() for a, b in zip(drawn, again)), "the same seed draws the same"
    assert any((np.asarray(a) != np.asarray(b)).any() for a, b in zip(drawn, other))
    assert drawn._repr_png_().startswith(b"\x89PNG")


def test_drawing_leaves_the_random_numbers_alone(half):
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    igpt.complete_image(half, n=1)
    assert torch.equal(torch.rand(2), wanted)


def test_every_form_of_half_an_image(half, tmp_path):
    half.save(tmp_path / "half.png")
    wanted = np.asarray(igpt.complete_image(half, n=1)[0])
    for form in (tmp_path / "half.png", np.asarray(half), np.asarray(half) / 255, torch.tensor(np.asarray(half)), half.convert("RGBA")):
        assert (np.asarray(igpt.complete_image(form, n=1)[0]) == wanted).all()


@pytest.mark.parametrize("settings, error, message", [
    ({"top_half": np.zeros((32, 32, 3), np.uint8)}, ValueError, "top_half is 32 x 32 pixels; accepted is the upper half"), ({"top_half": None}, TypeError, "NoneType"),
    ({"top_half": "none.png"}, ValueError, "no file 'none.png'"), ({"n": 0}, ValueError, "n is 0"), ({"n": True}, TypeError, "n is of type bool"), ({"n": 1.5}, ValueError, "n is 1.5"),
    ({"temperature": 0}, ValueError, "temperature is 0"), ({"temperature": float("nan")}, ValueError, "temperature is nan"), ({"temperature": "1"}, TypeError, "temperature is of type str"),
    ({"checkpoint": "nowhere"}, ValueError, "checkpoint is 'nowhere'")])
def test_bad_halves(half, settings, error, message):
    with pytest.raises(error, match=message): igpt.complete_image(**{"top_half": half} | settings)


def test_bad_sizes_of_models():
    for config in (igpt_recipe.igpt_config, video_recipe.timesformer_config, tables_recipe.tapas_config):
        with pytest.raises(ValueError, match="size is 'huge'; accepted are toy, small, base"): config("huge")
        for size in ("toy", "small", "base"): config(size)


# ------------------------------------------------------------------------------------------------ video


@pytest.fixture(scope="module")
def moving(): return make_video(5, "test")


def test_every_form_of_a_video(moving, tmp_path):
    frames = moving.frames()
    images = [Image.fromarray(f) for f in frames]
    images[0].save(tmp_path / "video.gif", save_all=True, append_images=images[1:])
    wanted = video.classify_video(frames)
    assert list(wanted.columns) == ["label", "score"] and wanted["label"][0] == moving.direction and wanted["score"].is_monotonic_decreasing
    for form in (frames / 255, torch.tensor(frames), frames.transpose(0, 3, 1, 2), images, tuple(images), list(frames)):
        assert np.allclose(video.classify_video(form)["score"], wanted["score"], atol=1e-3)
    for form in (tmp_path / "video.gif", str(tmp_path / "video.gif"), Image.open(tmp_path / "video.gif")):
        assert video.classify_video(form)["label"][0] == moving.direction


def test_frames_are_taken_from_the_start(moving):
    "As in the library's pipeline; a short video is stretched."
    long = moving.frames(12)
    assert video.classify_video(long).equals(video.classify_video(long[:4]))
    assert video.classify_video(long, frame_sampling_rate=2).equals(video.classify_video(long[[0, 2, 4, 6]]))
    assert video.classify_video(moving.frames(2)).equals(video.classify_video(moving.frames(2)[[0, 0, 1, 1]]))
    assert len(video.classify_video(long, top_k=2)) == 2


@pytest.mark.parametrize("frames, error, message", [
    (np.zeros((1, 32, 32, 3), np.uint8), ValueError, "frames has 1 frame; a video has two or more"), ([], ValueError, "frames has 0 frames"),
    (np.zeros((32, 32, 3), np.uint8), ValueError, r"array of shape \(32, 32, 3\)"), (None, TypeError, "NoneType"), (3, TypeError, "int"), ("none.mp4", ValueError, "no file 'none.mp4'"),
    ([np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8)], ValueError, "different sizes, 8 x 8 and 9 x 8 pixels"), ([None, None], TypeError, "NoneType"),
    (np.full((4, 8, 8, 3), np.nan), ValueError, "not finite")])
def test_bad_videos(frames, error, message):
    with pytest.raises(error, match=message): video.classify_video(frames)


def test_a_file_that_is_no_video(tmp_path):
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(ValueError, match="PyAV|not a video"): video.classify_video(tmp_path / "a.mp4")


def test_bad_settings_of_videos(moving):
    for settings, message in (({"top_k": 0}, "top_k is 0"), ({"frame_sampling_rate": 1.5}, "frame_sampling_rate is 1.5"), ({"checkpoint": "nowhere"}, "checkpoint is 'nowhere'")):
        with pytest.raises(ValueError, match=message): video.classify_video(moving.frames(), **settings)


# ------------------------------------------------------------------------------------------------ tables

BOOK, QUESTIONS = tables.book_table(), list(tables.BOOK_QUESTIONS)


@pytest.fixture(scope="module")
def answers():
    found = tables.ask_table(BOOK, QUESTIONS)
    assert list(found["aggregator"]) == ["NONE", "SUM", "NONE", "COUNT"]
    return found


@pytest.mark.parametrize("form", [
    lambda t: t, lambda t: t.astype(str), lambda t: t.astype("string"), lambda t: t.astype(object), lambda t: t.to_dict("list"), lambda t: t.astype({"end_page": float}),
    lambda t: t.set_index(pd.Index([9, 3, 7, 1, 0, 2])), lambda t: t.set_index(pd.Index(["a"] * 6)), lambda t: t.set_index(pd.date_range("2026-01-01", periods=6)),
    lambda t: t.astype({"name": "category"}), lambda t: t.convert_dtypes(), lambda t: t.assign(name=t["name"] + " ")], ids=range(12))
def test_every_form_of_the_book(form, answers):
    found = tables.ask_table(form(BOOK.copy()), QUESTIONS)
    assert list(found.columns) == ["question", "cells", "aggregator", "value", "reason"]
    assert list(found["value"]) == list(answers["value"]) and list(found["aggregator"]) == list(answers["aggregator"])


def test_sorted_rows_and_one_question():
    assert tables.ask_table(BOOK.sort_values("number_of_pages"), QUESTIONS[3])["value"].tolist() == [3]


def test_the_table_is_left_as_it_was():
    table = BOOK.copy()
    tables.ask_table(table, QUESTIONS[0])
    pd.testing.assert_frame_equal(table, BOOK)


def test_cells_as_text():
    table = read_table(pd.DataFrame({"a": [1.0, 2.5], "b": pd.to_datetime(["2026-01-02", "2026-01-03 10:00"], format="ISO8601"), 3: [True, "x "]}))
    assert table.to_numpy().tolist() == [["1", "2026-01-02", "True"], ["2.5", "2026-01-03 10:00:00", "x"]] and list(table.columns) == ["a", "b", "3"]


def test_a_csv_file(tmp_path, answers):
    BOOK.to_csv(tmp_path / "book.csv", index=False)
    assert list(tables.ask_table(tmp_path / "book.csv", QUESTIONS)["value"]) == list(answers["value"])
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(ValueError, match="is empty"): tables.ask_table(tmp_path / "empty.csv", "how many?")
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe\x00,\xd8")
    with pytest.raises(ValueError, match="is not in UTF-16"): tables.ask_table(tmp_path / "bad.csv", "how many?")


@pytest.mark.parametrize("table, queries, error, message", [
    (BOOK.iloc[:0], "how many?", ValueError, "table is empty: it has 0 rows and 5 columns"), (pd.DataFrame(), "how many?", ValueError, "table is empty"),
    (pd.concat([BOOK, BOOK], axis=1), "how many?", ValueError, "two columns named 'chapter'"), (BOOK.rename(columns={"name": 1, "chapter": "1"}), "how many?", ValueError, "two columns named '1'"),
    (BOOK.assign(name=[None] * 6), "how many?", ValueError, "no value in row 0 of column 'name'"), (BOOK.assign(end_page=[1, 2, 3, float("nan"), 5, 6]), "how many?", ValueError, "row 3 of column 'end_page'"),
    (pd.concat([BOOK] * 1667).head(10_000), "how many?", ValueError, "table has 10,000 rows; accepted are up to 63"), (pd.DataFrame([range(40)]), "how many?", ValueError, "table has 40 columns"),
    (BOOK, "", ValueError, "questions is empty"), (BOOK, ["how many?", "  "], ValueError, "empty text at position 1"), (BOOK, [], ValueError, "empty list"),
    (BOOK, None, TypeError, "questions is of type NoneType"), (BOOK, [3], TypeError, "questions has a int at position 0"), (None, "how many?", TypeError, "table is of type NoneType"),
    ("none.csv", "how many?", ValueError, "no file 'none.csv'"), ({"a": [1], "b": [1, 2]}, "how many?", ValueError, "table is a dict that can't be read as a table"), ([[1]], "how many?", TypeError, "table is of type list")])
def test_bad_tables_and_questions(table, queries, error, message):
    with pytest.raises(error, match=message): tables.ask_table(table, queries)


def test_bad_settings_of_tables():
    for chunked, error in ((0, ValueError), (64, ValueError), (2.5, ValueError), (True, TypeError), ("7", TypeError)):
        with pytest.raises(error, match="chunked is"): tables.ask_table(BOOK, QUESTIONS, chunked=chunked)
    with pytest.raises(ValueError, match="checkpoint is 'nowhere'"): tables.ask_table(BOOK, QUESTIONS, checkpoint="nowhere")
    with pytest.raises(ValueError, match="aggregator is 'MAX'"): tables.answer_value(["1"], "MAX")


def test_parts_of_a_long_table():
    "Sums and counts over parts are joined; the highest of each part compete again."
    long = world_tables.make_table(0, "parts", rows=(60, 60))
    frame = long.frame()
    column = long.columns[long.places("amount")[0]]
    questions = [f"total {column.words}?", f"what is the highest number of {column.words}?"]
    assert list(tables.ask_table(frame, questions, chunked=6)["value"]) == [sum(column.cells), max(column.cells)]
    many = pd.concat([frame] * 4, ignore_index=True)
    assert tables.ask_table(many, questions[0], chunked=6)["value"][0] == 4 * sum(column.cells)


@pytest.mark.parametrize("cells, aggregator, value", [
    ([], "NONE", None), ([], "COUNT", 0), ([], "SUM", None), (["7"], "NONE", 7), (["a", "b"], "NONE", "a, b"), (["1", "x"], "SUM", None), (["1,000", "2"], "SUM", None), (["1,000", "2.5"], "SUM", 1002.5),
    (["1", "2"], "AVERAGE", 1.5), (["a"], "COUNT", 1)])
def test_values(cells, aggregator, value):
    found, reason = tables.answer_value(cells, aggregator)
    assert found == value and bool(reason) == (value is None)


def test_selected_cells_are_those_of_the_library():
    tokenizer = tables_recipe.table_tokenizer()
    text = tokenizer(table=read_table(BOOK), queries=QUESTIONS, padding=True, return_tensors="pt")
    logits = torch.randn(text["input_ids"].shape, generator=torch.Generator().manual_seed(0))
    (wanted,) = tokenizer.convert_logits_to_predictions(text, logits.clone())
    assert [tables_recipe.selected_cells(logits[i], text["token_type_ids"][i]) for i in range(4)] == wanted


def test_tables_and_questions_are_always_the_same():
    table = world_tables.make_table(3, "test")
    assert table == world_tables.make_table(3, "test") != world_tables.make_table(4, "test")
    assert [world_tables.ask(random.Random(1), table).text for _ in range(2)] == [world_tables.ask(random.Random(1), table).text] * 2
    a, b = (tables_recipe.table_examples(20, "test") for _ in range(2))
    assert all((a[k] == b[k]).all() for k in a)


def test_wordings_of_the_test_are_never_trained_on():
    known, new = ({w for both in world_tables.WORDINGS.values() for w in both[i].split(" | ")} for i in (0, 1))
    assert not known & new
    assert "[UNK]" in tables_recipe.table_vocabulary() and all(tables_recipe.table_vocabulary()["[UNK]"] not in tables_recipe.tokenize(w.replace("{", "").replace("}", "")) for w in known | new)


def test_answers_of_generated_questions_are_right():
    "Against pandas, for every kind of question."
    for i in range(300):
        table = world_tables.make_table(i, "check")
        question = world_tables.ask(random.Random(i), table, new=i % 2 == 0)
        column = table.columns[question.column]
        if question.kind == "best": assert {column.cells[r] for r in question.rows} in ({max(column.cells)}, {min(column.cells)})
        if question.kind == "count if":
            n = int(next(w for w in question.text.replace("?", "").split() if w.lstrip("-").isdigit()))
            words = f" {question.text} "
            holds = (lambda v: v > n) if any(w in words for w in ("more than", " over ", " above ")) else (lambda v: v == n) if any(w in words for w in ("exactly", " just ")) else (lambda v: v < n)
            assert question.rows == tuple(r for r, v in enumerate(column.cells) if holds(v)) and question.aggregator == "COUNT"
