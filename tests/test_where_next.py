"The loop of all systems."
import zlib

import pandas as pd
import pytest

from beyondtext import where_next
from beyondtext.world import voices
from beyondtext.world.language import caption
from beyondtext.world.scenes import make_scene


def test_captions_are_held_out_and_distinct():
    scenes = where_next.capstone_scenes(60)
    texts = [caption(scene) for scene in scenes]
    low, high = voices._SHARES["test"]
    assert len(set(texts)) == 60 and all(low <= zlib.crc32(text.encode()) % 10 < high for text in texts)
    assert where_next.capstone_scenes(20, skip=10) == scenes[10:30]


def test_the_table_of_what_is_seen():
    right = 0
    for i in range(60):
        scene = make_scene(i, "test", "several")
        table = where_next.table_of_objects(scene.image())
        wanted = {(f"{o.colour} {o.shape}", o.size, where_next.CORNERS[o.shape]) for o in scene.objects}
        right += set(zip(table["shape"], table["size"], table["corners"])) == wanted
    assert right >= 54


def test_an_empty_image_has_an_empty_table():
    from PIL import Image

    table = where_next.table_of_objects(Image.new("RGB", (32, 32), (238, 238, 238)))
    assert len(table) == 0 and where_next._value(table, "how many objects are there?") is None


def test_the_account_loses_nobody():
    runs = pd.DataFrame({"heard": [1, 1, 1, 0], "found": [1, 1, 0, 1], "answered": [1, 1, 0, 1], "tabled": [1, 0, 0, 1], "in Chinese": [1, 1, 0, 1], "drawn": [1, 1, 1, 0]}).astype(bool)
    found = where_next.account(runs)
    assert found["lost here"].tolist() == [1, 1, 0, 1, 0, 0] and found["chain"].iloc[-1] == 0.25
    assert found.loc["answered", "with right input"] == 1 and found.loc["drawn", "with right input"] == 1 and found.loc["found", "right"] == 0.75


def test_thirty_captions_through_all_links():
    "Other captions than the page's two hundred."
    runs = where_next.follow_all(30, skip=200)
    assert runs["found"].mean() >= 0.85 and runs["heard"].mean() >= 0.8 and runs["drawn"].mean() >= 0.7
    assert set(where_next.LINKS) <= set(runs.columns) and runs["said"].is_unique


def test_a_misheard_word_is_a_failure_and_no_crash(monkeypatch):
    monkeypatch.setattr(where_next, "transcribe", lambda *a, **k: pd.DataFrame({"text": ["A small rad star."]}))
    scenes = where_next.capstone_scenes(21)
    found = where_next.follow(scenes[0], scenes[1:20], judge=None)
    assert not found["drawn"] and not found["heard"]


def test_the_demonstration_draws(monkeypatch):
    figure = where_next.show_loop("a small red star")
    assert len(figure.axes) == 3
    with pytest.raises(ValueError, match="text is empty"): where_next.show_loop(" ")
