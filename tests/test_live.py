"The toy in the browser against PyTorch and Pillow: trained and random weights, any size of image, without a network, by keyboard alone."
import numpy as np
import pytest
import torch
from conftest import chromium
from PIL import Image, __version__
from transformers import ViTConfig, ViTForImageClassification

from beyondtext.live import Live, live, pack_weights
from beyondtext.recipes.vit import to_pixel_values, vit_config
from beyondtext.world.scenes import make_scenes, picture_batch

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not chromium(), reason="no Chromium on the PATH")]
FORWARD = "pixels => Array.from(forward(Uint8Array.from(pixels)).logits)"
RESIZE = "([pixels, w, h, to, high, filter]) => Array.from(resize(Uint8Array.from(pixels), w, h, to, high, filter))"


def opened(browser, page, folder, **settings):
    "A tab with the document from a file, cut off from any network, and what it complained of or asked for."
    page.save(folder / "live.html")
    complaints, tab = [], browser.new_context(offline=True, **settings).new_page()
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: complaints.append(request.url) if not request.url.startswith("file:") else None)
    tab.goto((folder / "live.html").as_uri())
    return tab, complaints


@pytest.mark.parametrize("precision, most", [("float32", 1e-4), ("float16", 2e-2)])
@pytest.mark.parametrize("weights", ["trained", "random"])
def test_the_same_logits(browser, tmp_path, weights, precision, most):
    torch.manual_seed(3)
    page = live(precision=precision) if weights == "trained" else Live(ViTForImageClassification(vit_config()).eval(), precision)
    tab, complaints = opened(browser, page, tmp_path)
    images = picture_batch(make_scenes(20, "test"))
    with torch.inference_mode(): expected = page.model.eval()(to_pixel_values(images)).logits
    found = torch.tensor([tab.evaluate(FORWARD, image.permute(1, 2, 0).flatten().tolist()) for image in images])
    assert (found - expected).abs().max() < most and complaints == []


def test_the_same_resizing(browser, tmp_path):
    tab, _ = opened(browser, live(), tmp_path)
    dice = np.random.default_rng(0)
    sizes = [(256, 256, 32, 32), *dice.integers(1, 80, (40, 4)).tolist()]
    for w, h, to, high in sizes:
        if int(__version__.split(".")[0]) < 13 and h - high > 2 * (w - to): continue  # earlier versions always start with the rows
        pixels = dice.integers(0, 256, (h, w, 3), dtype=np.uint8)
        for name, filter in (("bilinear", Image.Resampling.BILINEAR), ("bicubic", Image.Resampling.BICUBIC)):
            found = tab.evaluate(RESIZE, [pixels.flatten().tolist(), w, h, to, high, name])
            assert found == np.asarray(Image.fromarray(pixels).resize((to, high), filter)).flatten().tolist(), (w, h, to, high, name)


def test_drawn_by_keyboard_alone(browser, tmp_path):
    tab, complaints = opened(browser, live(), tmp_path)
    press = lambda *keys: [tab.keyboard.press(key) for key in keys]
    focused = lambda: tab.evaluate("document.activeElement.id || document.activeElement.value")
    press("Tab")
    assert focused() == "paper"
    press("Tab", "ArrowRight", "ArrowRight", "Tab", "ArrowRight", "Tab", "Tab")
    assert focused() == "clear"
    press("Enter", "Shift+Tab", "Shift+Tab", "Shift+Tab", "Shift+Tab", "ArrowLeft", "ArrowUp", "Enter")
    assert "blue" in tab.inner_text("#answers") and "square" in tab.inner_text("#answers")
    assert "120, 120" in tab.inner_text("#how")
    press(*["Tab"] * 4, "Enter")
    assert "not sure" in tab.inner_text("#answers") and complaints == []


def test_by_mouse_and_brush(browser, tmp_path):
    tab, _ = opened(browser, live(), tmp_path)
    tab.click("#clear")
    tab.click("label:has(input[value=orange])")
    tab.click("label:has(input[value=triangle])")
    tab.click("#paper", position={"x": 140, "y": 120})
    assert "orange" in tab.inner_text("#answers") and "triangle" in tab.inner_text("#answers")
    before = tab.evaluate("look().join()")
    tab.click("label:has(input[value=brush])")
    box = tab.locator("#paper").bounding_box()
    tab.mouse.move(box["x"] + 30, box["y"] + 30), tab.mouse.down(), tab.mouse.move(box["x"] + 90, box["y"] + 30, steps=6), tab.mouse.up()
    assert tab.evaluate("look().join()") != before


@pytest.mark.parametrize("scheme, width", [("light", 710), ("dark", 328)])
def test_inside_the_frame(browser, tmp_path, scheme, width):
    from axe_playwright_python.sync_playwright import Axe
    tab, _ = opened(browser, live(), tmp_path, color_scheme=scheme, viewport={"width": width, "height": 430 if width > 700 else 900})
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("document.documentElement.scrollHeight") <= (430 if width > 700 else 900)
    found = Axe().run(tab).response["violations"]
    assert not found, [(v["id"], v["nodes"][0]["html"][:200]) for v in found]


def test_what_is_refused():
    other = ViTForImageClassification(ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=8))
    for call, words in ((lambda: live("clip"), "system is 'clip'"), (lambda: live(precision="int8"), "precision is 'int8'"), (lambda: Live(other), "accepted is a ViT of the toy world")):
        with pytest.raises(ValueError, match=words): call()
    other.classifier.weight.data.fill_(1e6)
    with pytest.raises(ValueError, match="not finite in float16"): pack_weights(other)
