"The toys in the browser against PyTorch, Pillow and the tokenizer: trained and random weights, without a network, by keyboard alone."
import functools
import http.server
import random
import threading

import numpy as np
import pytest
import torch
from conftest import chromium
from PIL import Image, __version__
from transformers import CLIPModel, GPT2LMHeadModel, ImageGPTForCausalImageModeling, ViTConfig, ViTForImageClassification

from beyondtext.live.layers import named_weights, pack_weights, unpack_weights, with_weights
from beyondtext.live.page import live
from beyondtext.live.vit import LiveViT
from beyondtext.live.clip import LiveCLIP
from beyondtext.live.dalle import LiveDALLE
from beyondtext.live.igpt import LiveIGPT
from beyondtext.recipes.clip import clip_config, clip_processor
from beyondtext.recipes.dalle import TEXT, caption_ids, dalle_config, dalle_tokenizer, read_aloud
from beyondtext.recipes.discrete_vae import DiscreteVAE
from beyondtext.recipes.igpt import igpt_config
from beyondtext.recipes.vit import to_pixel_values, vit_config
from beyondtext.world.language import caption
from beyondtext.world.scenes import make_scenes, image_batch

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not chromium(), reason="no Chromium on the PATH")]
FORMS = ("vit", "igpt", "clip", "dalle")
FORWARD = "pixels => Array.from(forward(Uint8Array.from(pixels)).logits)"
RESIZE = "([pixels, w, h, to, high, filter]) => Array.from(resize(Uint8Array.from(pixels), w, h, to, high, filter))"
COMPARE = "([pixels, texts]) => logits(embedImage(Uint8Array.from(pixels)), texts.map(text => embedText(tokenize(text))))"
SLICES = ((32, 127), (0xC0, 0x250), (0x370, 0x3FF), (0x400, 0x4FF), (0x600, 0x660), (0x2000, 0x2070), (0x3040, 0x30FF), (0x4E00, 0x4E80), (0x1F600, 0x1F640))


def formed(system, weights, precision="float32"):
    "The live form of a toy, or of its untrained twin."
    if weights == "trained": return live(system, precision=precision)
    torch.manual_seed(3)
    trained = live(system)
    if system == "vit": return LiveViT(ViTForImageClassification(vit_config()).eval(), precision)
    if system == "igpt": return LiveIGPT(ImageGPTForCausalImageModeling(igpt_config()).eval(), trained.processor, precision)
    if system == "clip": return LiveCLIP(CLIPModel(clip_config()).eval(), clip_processor(), precision)
    vae = DiscreteVAE(width=16)
    for batch in torch.rand(3, 8, 128, 8, 8): vae.network["decoder"](batch)  # the normalisation needs statistics
    return LiveDALLE(GPT2LMHeadModel(dalle_config()).eval(), vae, CLIPModel(clip_config()).eval(), clip_processor(), precision)


def opened(browser, frame, folder, **settings):
    "A tab with the document from a file, cut off from any network, and what it complained of or asked for."
    frame.save(folder / "live.html")
    complaints, tab = [], browser.new_context(offline=True, **settings).new_page()
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: complaints.append(request.url) if not request.url.startswith(("file:", "blob:")) else None)
    tab.goto((folder / "live.html").as_uri())
    return tab, complaints


def flat(image): return image.permute(1, 2, 0).flatten().tolist()


def generated(model, ids, **settings):
    "The likeliest continuation of rows of tokens, without them."
    return model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, **settings)[:, ids.shape[1]:]


both = pytest.mark.parametrize("weights", ["trained", "random"])


@both
@pytest.mark.parametrize("precision, most", [("float32", 1e-4), ("float16", 2e-2), ("int8", 0.6)])
def test_a_vit_has_the_same_logits(browser, tmp_path, weights, precision, most):
    frame = formed("vit", weights, precision)
    tab, complaints = opened(browser, frame, tmp_path)
    images, stored = image_batch(make_scenes(20, "test")), with_weights(frame.model, unpack_weights(*pack_weights(named_weights(frame.model), precision)))
    found = torch.tensor([tab.evaluate(FORWARD, flat(image)) for image in images])
    with torch.inference_mode():
        for model, far in ((frame.model.eval(), most), (stored.eval(), 1e-4)):
            assert (found - model(to_pixel_values(images)).logits).abs().max() < far
    assert complaints == []


@both
def test_an_igpt_completes_alike(browser, tmp_path, weights):
    frame = formed("igpt", weights)
    tab, complaints = opened(browser, frame, tmp_path)
    known = torch.randint(0, 20, (5, 72), generator=torch.manual_seed(0))
    expected = generated(frame.model, torch.cat([torch.full((5, 1), 20), known], 1), max_new_tokens=72, pad_token_id=20)
    assert [tab.evaluate("known => [...completed(known, 0)]", row) for row in known.tolist()] == expected.tolist() and complaints == []


def test_an_igpt_sees_alike(browser, tmp_path):
    frame = live("igpt")
    tab, _ = opened(browser, frame, tmp_path)
    for image in image_batch(make_scenes(10, "test")):
        large = Image.fromarray(image.permute(1, 2, 0).numpy()).crop((0, 0, 32, 16)).resize((12, 6), Image.Resampling.BILINEAR)
        expected = frame.processor(large, do_resize=False, return_tensors="pt")["input_ids"][0].tolist()
        assert tab.evaluate("pixels => nearest(pixels)", np.asarray(large).flatten().tolist()) == expected


@both
def test_a_clip_has_the_same_logits(browser, tmp_path, weights):
    frame = formed("clip", weights)
    tab, complaints = opened(browser, frame, tmp_path)
    scenes = make_scenes(8, "test", "several")
    texts, images = [*map(caption, scenes), "a photo of a dog", "word " * 90], image_batch(scenes)
    inputs = frame.processor.tokenizer(texts, padding=True, truncation=True, max_length=77, return_tensors="pt")
    inputs.update(frame.processor.image_processor([image.permute(1, 2, 0).numpy() for image in images], return_tensors="pt"))
    with torch.inference_mode(): expected = frame.model(**inputs).logits_per_image
    found = torch.tensor([tab.evaluate(COMPARE, [flat(image), texts]) for image in images])
    assert (found - expected).abs().max() < 1e-4 and complaints == []


def test_the_same_tokens(browser, tmp_path):
    frame = live("clip")
    tab, _ = opened(browser, frame, tmp_path)
    rng = random.Random(0)
    letters = [chr(code) for first, last in SLICES for code in range(first, last)]
    texts = ["".join(rng.choices(letters, k=rng.randint(0, 30))) for _ in range(300)]
    texts += ["", "  ", "It's 12 o'CLOCK", "ΣΊΣΥΦΟΣ", "a<|endoftext|>b", "İstanbul", "x\u0085y\u00a0z\ufeffw\x1cv", "star," * 40]
    expected = frame.processor.tokenizer(texts, truncation=True, max_length=77).input_ids
    for text, ids in zip(texts, expected): assert tab.evaluate("text => tokenize(text)", text) == ids, text


@both
def test_a_dalle_draws_alike(browser, tmp_path, weights):
    frame = formed("dalle", weights)
    tab, complaints = opened(browser, frame, tmp_path)
    captions, words = [read_aloud(scene) for scene in make_scenes(4, "test", "several")], len(dalle_tokenizer())
    ids = caption_ids(captions)
    assert [tab.evaluate("text => captionIds(readable(text)[0])", text) for text in captions] == ids.tolist()
    codes = generated(frame.model, ids, suppress_tokens=list(range(words)), max_new_tokens=64, pad_token_id=0) - words
    assert [tab.evaluate("text => [...written(read(readable(text)[0]), 0)]", text) for text in captions] == codes.tolist()
    images = frame.vae.decode(codes.view(-1, 8, 8))
    painted = np.array([tab.evaluate("codes => Array.from(decode(codes))", row) for row in codes.tolist()])
    assert abs(painted - images.permute(0, 2, 3, 1).flatten(1).numpy()).max() <= 1
    found = [tab.evaluate("text => [...candidates(readable(text)[0], 1, 0)].map(({pixels, score}) => score)[0]", text) for text in captions]
    from beyondtext.recipes.clip import embed_images, embed_texts
    vectors = embed_images(frame.clip, images), embed_texts(frame.clip, clip_processor().tokenizer, captions)
    assert np.abs(np.array(found) - (vectors[0] * vectors[1]).sum(1).detach().numpy()).max() < 2e-3 and complaints == []
    assert TEXT == len(ids[0])


def test_the_same_resizing(browser, tmp_path):
    tab, _ = opened(browser, live(), tmp_path)
    rng = np.random.default_rng(0)
    sizes = [(256, 256, 32, 32), (256, 128, 12, 6), *rng.integers(1, 80, (40, 4)).tolist()]
    for w, h, to, high in sizes:
        if int(__version__.split(".")[0]) < 13 and h - high > 2 * (w - to): continue  # earlier versions always start with the rows
        pixels = rng.integers(0, 256, (h, w, 3), dtype=np.uint8)
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


def test_texts_written_beside_a_drawing(browser, tmp_path):
    tab, complaints = opened(browser, live("clip"), tmp_path)
    scores = lambda: [float(line) for line in tab.inner_text("#answers").split() if line[0].isdigit()]
    tab.fill("#labels", "a blue ring\n\n  a red circle \na <b>zebra</b>")
    assert len(scores()) == 3 and scores()[1] > 0.9 and "<b>zebra</b>" in tab.inner_text("#answers")
    assert "Never seen in training: b, zebra." in tab.inner_text("#unknown")
    tab.fill("#labels", "a dog")
    assert scores() == [1.0]
    tab.fill("#labels", "")
    assert scores() == []
    tab.click("#clear")
    assert "empty" in tab.inner_text("#answers") and complaints == []


def test_half_a_drawing_is_completed(browser, tmp_path):
    tab, complaints = opened(browser, live("igpt"), tmp_path, reduced_motion="reduce")
    counts = lambda: [int(word.strip(",.")) for word in tab.inner_text("#answers").split() if word.strip(",.").isdigit()]
    def usual():
        "The median of twenty completions: each is drawn at random."
        found = []
        for _ in range(5):
            tab.click("#again")
            found += counts()[:4]
        return sorted(found)[10]
    assert len(counts()) == 5 and 4 <= usual() <= 40
    tab.click("#clear")
    assert usual() <= 4  # nearly nothing to go on from
    tab.locator("#clear").focus()
    tab.keyboard.press("Tab"), tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "again" and complaints == []


def test_a_caption_is_drawn_and_ranked(browser, tmp_path):
    tab, complaints = opened(browser, live("dalle"), tmp_path, reduced_motion="reduce")
    tab.fill("#caption", "a large green square.")
    tab.keyboard.press("Enter")
    tab.wait_for_function("document.querySelectorAll('#ranked li').length === 8")
    shown = [float(text) for text in tab.locator("#ranked li").all_inner_texts()]
    assert shown == sorted(shown, reverse=True) and shown[0] > 0.5 and "All 64" in tab.inner_text("#progress")
    for text, words in (("a zebra", "never seen: zebra"), ("  ", "Write something"), ("a ring, " * 10, "too many")):
        tab.fill("#caption", text)
        tab.keyboard.press("Enter")
        assert words in tab.inner_text("#message") and tab.locator("#ranked li").count() == 8
    assert complaints == []


def test_eight_drawings_without_a_worker(browser, tmp_path):
    live("dalle").save(tmp_path / "live.html")
    tab = browser.new_page(reduced_motion="reduce")
    tab.add_init_script("window.Worker = class { constructor() { throw new Error('forbidden'); } }")
    tab.goto((tmp_path / "live.html").as_uri())
    tab.wait_for_function("document.querySelectorAll('#ranked li').length === 8")


@pytest.mark.parametrize("scheme, width", [("light", 710), ("dark", 328)])
@pytest.mark.parametrize("system", FORMS)
def test_inside_the_frame(browser, tmp_path, system, scheme, width):
    from axe_playwright_python.sync_playwright import Axe
    frame = live(system)
    height = frame.heights[width < 700]
    tab, complaints = opened(browser, frame, tmp_path, color_scheme=scheme, reduced_motion="reduce", viewport={"width": width, "height": height})
    if system == "dalle": tab.wait_for_function("document.querySelectorAll('#ranked li').length === 8")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("document.documentElement.scrollHeight") <= height
    found = Axe().run(tab).response["violations"]
    assert not found and complaints == [], [(v["id"], v["nodes"][0]["html"][:200]) for v in found]


def framed(browser, folder, system):
    "A tab with a toy as a notebook and the site show it, in a frame without rights, and what the console complained of."
    (folder / "page.html").write_text(f"<!doctype html><title>t</title>{live(system)._repr_html_()}", encoding="utf-8")
    assert (folder / "page.html").stat().st_size < 1_000_000
    complaints, tab = [], browser.new_context(offline=True, reduced_motion="reduce").new_page()
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto((folder / "page.html").as_uri())
    assert tab.get_attribute("iframe", "sandbox") == "allow-scripts"
    tab.locator("iframe").scroll_into_view_if_needed()
    inside = tab.frame_locator("iframe")
    if system == "dalle": inside.locator("#ranked li").nth(7).wait_for()
    else: inside.locator("#answers").filter(has_text={"vit": "red", "igpt": "coloured pixels", "clip": "a red circle"}[system]).wait_for()
    return tab, inside, complaints


@pytest.mark.parametrize("system", FORMS)
def test_in_a_sandbox(browser, tmp_path, system):
    tab, _, complaints = framed(browser, tmp_path, system)
    assert len(tab.get_attribute("img", "alt")) > 20
    for scheme, ground in (("dark", "rgb(25, 31, 40)"), ("light", "rgb(246, 248, 250)"), ("blue", "rgb(246, 248, 250)")):  # the last is unknown
        tab.evaluate("scheme => document.querySelector('iframe').contentWindow.postMessage({scheme}, '*')", scheme)
        tab.frames[1].wait_for_function("ground => getComputedStyle(document.body).backgroundColor === ground", arg=ground, polling=50)
    assert complaints == []


SHOWN = "part => part.innerHTML + [...part.querySelectorAll('canvas')].map(canvas => canvas.toDataURL()).join()"


def changes(part, act):
    "Does an action change what a part of a page shows, within ten seconds?"
    before = part.evaluate(SHOWN)
    act()
    for _ in range(100):
        if part.evaluate(SHOWN) != before: return True
        part.page.wait_for_timeout(100)
    return False


@pytest.mark.parametrize("system, buttons", [("vit", ["Clear the sheet"]), ("clip", ["Clear the sheet"]), ("igpt", ["Complete again", "Clear the sheet"])])
def test_buttons_and_enter_in_a_sandbox(browser, tmp_path, system, buttons):
    "What a reader does beside drawing: press each button, and Enter on the sheet."
    _, inside, complaints = framed(browser, tmp_path, system)
    answers = inside.locator("#answers")
    assert inside.get_by_role("button").count() == len(buttons)
    for name in buttons: assert changes(answers, inside.get_by_role("button", name=name).click), name
    assert changes(answers, lambda: inside.locator("#paper").press("Enter"))
    assert complaints == []


@pytest.mark.parametrize("act", ["Draw", "Enter"])
def test_draw_in_a_sandbox(browser, tmp_path, act):
    "A new caption is drawn by the button and by the Enter key, and a word that the toy doesn't know is named."
    _, inside, complaints = framed(browser, tmp_path, "dalle")
    field, ranked = inside.locator("#caption"), inside.locator("#ranked")
    def go():
        if act == "Enter": field.press("Enter")
        else: inside.get_by_role("button", name="Draw").click()
    field.fill("a large green square")
    assert changes(ranked, go)
    ranked.locator("li").nth(7).wait_for()
    field.fill("a zebra")
    go()
    inside.locator("#message").filter(has_text="never seen: zebra").wait_for()
    assert complaints == []


def test_served_as_a_page_of_its_own(browser, tmp_path):
    "As the home page of the site frames it: it asks the server for nothing else, not even for an icon."
    live("vit").save(tmp_path / "live.html")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    complaints, asked, tab = [], [], browser.new_page()
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(f"http://127.0.0.1:{server.server_port}/live.html")
    tab.locator("#answers").filter(has_text="red").wait_for()
    tab.wait_for_timeout(500)
    server.shutdown()
    assert complaints == [] and [url.rsplit("/", 1)[1] for url in asked] == ["live.html"]


def test_what_is_refused():
    other = ViTForImageClassification(ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=8))
    for call, words in ((lambda: live("tables"), "system is 'tables'"), (lambda: live(precision="int4"), "precision is 'int4'"), (lambda: LiveViT(other), "accepted is a ViT of the toy world")):
        with pytest.raises(ValueError, match=words): call()
    other.classifier.weight.data.fill_(1e6)
    with pytest.raises(ValueError, match="not finite in float16"): pack_weights(named_weights(other))


def test_weights_come_back():
    model = GPT2LMHeadModel(dalle_config()).eval()
    weights = named_weights(model)
    for precision, far in (("float32", 0), ("float16", 1e-3), ("int8", 4e-3)):
        found = unpack_weights(*pack_weights(weights, precision))
        assert all(found[name].shape == array.shape and abs(found[name] - array).max() <= far for name, array in weights.items())
    same = with_weights(model, weights).state_dict()
    assert all((same[name] == array).all() for name, array in model.state_dict().items())
