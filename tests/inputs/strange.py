"What the toys were not made for, and what they were: (name, call of a helper, what it warns of, or None)."
import numpy as np
from matplotlib import cbook
from PIL import Image, ImageDraw

from beyondtext import ask_document, ask_image, ask_table, classify_image, classify_video, complete_image, draw, encode_text, find_images, match_texts, read_document, transcribe
from beyondtext.world.videos import make_video
from beyondtext.world.receipts import make_document
from beyondtext.world.scenes import make_scene
from beyondtext.world.voices import NEW_VOICES, sentences, speak

PHOTOGRAPH = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
rng = np.random.default_rng(0)


def drawing():
    image = Image.new("RGB", (128, 128), (250, 220, 200))
    ImageDraw.Draw(image).line([(10, 10), (110, 90), (30, 110), (100, 20)], fill=(90, 40, 10), width=7)
    return image


IMAGES = {
    "photograph": PHOTOGRAPH, "the same, opened": Image.open(PHOTOGRAPH), "the same as an array": np.asarray(Image.open(PHOTOGRAPH)), "in grey": Image.open(PHOTOGRAPH).convert("L"), "a face": Image.open(PHOTOGRAPH).crop((150, 50, 400, 300)), "noise": rng.integers(0, 256, (32, 32, 3), dtype=np.uint8),
    "blank": np.full((32, 32, 3), 238, np.uint8), "white": Image.new("RGB", (64, 64), "white"), "black": Image.new("RGB", (64, 64)), "transparent": Image.new("RGBA", (32, 32)), "stripes": np.tile(np.array([0, 255], np.uint8), (32, 16)), "a curve": drawing(),
}
KNOWN = {f"{kind} {i}": make_scene(i, split, kind).image() for kind in ("single", "several") for split in ("test", "test_held_out") for i in (3, 4)}
photograph = np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))
VIDEOS = {
    "across a photograph": [photograph[100:300, x:x + 200] for x in range(0, 200, 40)], "a photograph that stands": [photograph] * 4, "noise": list(rng.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)),
    "nothing": [np.full((32, 32, 3), 238, np.uint8)] * 4, "white": [Image.new("RGB", (64, 64), "white")] * 4, "a curve that turns": [drawing().rotate(40 * i) for i in range(4)],
}
HALVES = {"a photograph": photograph[:256, :512], "noise": rng.integers(0, 256, (16, 32, 3), dtype=np.uint8), "red": Image.new("RGB", (64, 32), "red"), "a curve": drawing().crop((0, 0, 128, 64))}
LETTER = "dear anna , on our way to the coast we met a shepherd who sold us cheese and told us of his sheep . the rain has stopped at last , and we hope to see you soon .".split()
PAGES = {
    "a letter": {"words": LETTER, "boxes": [[60 + 100 * (i % 8), 80 + 30 * (i // 8), 150 + 100 * (i % 8), 100 + 30 * (i // 8)] for i in range(len(LETTER))]}, "a word": {"words": ["hello"], "boxes": [[10, 10, 60, 30]]},
    "numbers": {"words": [str(17 * i) for i in range(24)], "boxes": [[100 + 200 * (i % 4), 100 + 100 * (i // 4), 200 + 200 * (i % 4), 130 + 100 * (i // 4)] for i in range(24)]}, "without places": {"words": make_document(3, "test").words, "boxes": [[0, 0, 0, 0]] * len(make_document(3, "test").words)},
}
ASKED = "how many objects are there?"
IMAGE = "is outside the toy's domain, drawings of"
LOWERED = (IMAGE, "is outside the toy's domain, videos of", "is outside the toy's domain, receipts")  # the scores, too

CASES = [
    *((f"classify_image: {name}", lambda x=x: classify_image(x, 1), IMAGE) for name, x in IMAGES.items()), *((f"match_texts: {name}", lambda x=x: match_texts(x, ["a red star", "a blue ring"]), IMAGE) for name, x in IMAGES.items()),
    *((f"ask_image: {name}", lambda x=x: ask_image(x, ASKED), IMAGE) for name, x in IMAGES.items()), *((f"find_images: {name}", lambda x=x: find_images([x], "a red star"), IMAGE) for name, x in list(IMAGES.items())[:6]),
    *((f"AltCLIP: {name}", lambda x=x: match_texts(x, ["一个红色星形", "一个蓝色圆环"], system="altclip"), IMAGE) for name, x in list(IMAGES.items())[:6]),
    *((f"classify_image: {name}", lambda x=x: classify_image(x, 1), None) for name, x in KNOWN.items() if "single" in name), *((f"match_texts: {name}", lambda x=x: match_texts(x, ["a red star", "a small blue ring and a cross"]), None) for name, x in KNOWN.items()),
    *((f"ask_image: {name}", lambda x=x: ask_image(x, ASKED), None) for name, x in KNOWN.items()), ("one of two", lambda: classify_image([KNOWN["single 3"], PHOTOGRAPH], 1), "images: number 1 is outside"),
    ("a word", lambda: match_texts(KNOWN["single 3"], ["a dog", "a star"]), "texts: number 0 is outside the toy's domain, objects"), ("a word to search for", lambda: find_images(KNOWN["single 3"], "a yellow submarine"), "texts: number 0"), ("a word in a question", lambda: ask_image(KNOWN["single 3"], "is there a purple elephant?"), "never saw"),
    ("a question in other words", lambda: ask_table({"a": ["x", "y"], "b": [1, 2]}, "which mean temperature prevails?"), "questions: number 0"), ("a table with many rows", lambda: ask_table({"a": list("abcdefghi"), "b": range(9)}, "what is the b of c?"), "table: number 0"), ("in parts", lambda: ask_table({"a": list("abcdefghi"), "b": range(9)}, "what is the total b?", chunked=7), None),
    ("a table", lambda: ask_table({"city": ["Rome", "Oslo", "Bonn"], "price": [3, 5, 9]}, "what is the total price?"), None),
    *((f"transcribe: {name}", make, "audio: number 0") for name, make in {
        "other words": lambda: transcribe(speak("she sells sea shells by the sea shore", NEW_VOICES[0])), "another language": lambda: transcribe(speak("heute ist ein schöner Tag und morgen regnet es", "de")),
        "wandering noise": lambda: transcribe(np.cumsum(rng.normal(0, 0.01, 30_000)) % 1 - 0.5, 16_000),
    }.items()),
    *((f"transcribe: {text}", lambda text=text: transcribe(speak(text, NEW_VOICES[1])), None) for text in sentences(4, "test")),
    ("nothing said", lambda: transcribe(rng.normal(0, 0.1, 24_000), 16_000), None), ("a chord", lambda: transcribe(sum(0.1 * np.sin(2 * np.pi * f * np.arange(32_000) / 16_000) for f in (220, 277, 330)), 16_000), None),
    ("a long caption", lambda: match_texts(KNOWN["single 3"], ["a red star " * 40, "a ring"]), "texts: number 0 has 122 tokens, of which 77 are read; the last 45 tokens are cut off"), ("to search for", lambda: find_images(KNOWN["single 3"], "a red star " * 40), "the last 45 tokens are cut off"), ("to encode", lambda: encode_text("a red star " * 40), "the last 45 tokens are cut off"),
    ("in two languages", lambda: match_texts(KNOWN["single 3"], ["一个红色星形" * 40, "一个圆环"], system="altclip"), "are cut off"), ("a long question", lambda: ask_image(KNOWN["single 3"], "how many objects are there " * 20 + "?"), "are cut off: "), ("to a table", lambda: ask_table({"a": ["x", "y"], "b": [1, 2]}, "what is the total b " * 80), "are cut off: "),
    ("to a document", lambda: ask_document(make_document(0, "test"), "what is the total " * 80), "are cut off: "), ("a long document", lambda: read_document({"words": make_document(0, "test").words * 20, "boxes": list(make_document(0, "test").boxes) * 20}), "words are cut off: "),
    ("a long drawing", lambda: draw("a small red star and " * 9 + "a ring", n=1), (ValueError, "accepted are 14 or fewer")), ("an unknown drawing", lambda: draw("a dog", n=1), (ValueError, "that the toy never saw")),
    *((f"classify_video: {name}", lambda x=x: classify_video(x), "frames: number 0 is outside the toy's domain, videos of") for name, x in VIDEOS.items()), *((f"classify_video: video {i}", lambda i=i: classify_video(make_video(i, "test_held_out").frames()), None) for i in range(4)),
    *((f"complete_image: {name}", lambda x=x: complete_image(x, 1), "top_half: number 0 is outside the toy's domain, drawings of") for name, x in HALVES.items()), *((f"complete_image: {name}", lambda x=x: complete_image(x.crop((0, 0, 32, 16)), 1), None) for name, x in KNOWN.items() if "single" in name),
    *((f"{helper.__name__}: {name}", lambda helper=helper, x=x, more=more: helper(x, *more), "document: number 0 is outside the toy's domain, receipts") for name, x in PAGES.items() for helper, more in ((read_document, ()), (ask_document, ("what is the total?",)))),
    *((f"{helper.__name__}: receipt {i}", lambda helper=helper, i=i, more=more: helper(make_document(i, "test"), *more), None) for i in (1, 2, 3) for helper, more in ((read_document, ()), (ask_document, ("what is the total?",)))),
]
