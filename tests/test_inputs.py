"Any input: the right answer, or one clear sentence. The corpus in tests/inputs, properties of its kinds, and what addresses may do."
import contextlib
import io
import re
import threading
import time
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from PIL import Image
from transformers import AutoModelForCausalLM

from beyondtext import allow_urls
from beyondtext.inputs import files
from beyondtext.attention.linear import Favor, linear_attention
from beyondtext.inputs.documents import read_words
from beyondtext.inputs.images import read_image
from beyondtext.inputs.texts import read_texts
from beyondtext.inputs.sound import read_audio
from beyondtext.scaling.challenges import inference_memory
from beyondtext.scaling.fits import fit_power_law
from beyondtext.inputs.tables import read_numbers, read_table, with_plain_numbers
from beyondtext.toys import scope
from inputs import calls, documents, images, sound, strange, tables, texts


@contextlib.contextmanager
def little_memory():
    "At most 300 MB on top of what the process has; measured where the kernel can start its high-water mark anew."
    held = lambda name: int(re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
    try: Path("/proc/self/clear_refs").write_text("5")
    except OSError: before = float("inf")
    else: before = held("VmRSS")
    yield
    assert before == float("inf") or held("VmHWM") - before < 300


def reads(read, make, expected):
    "What comes of an input: the expected value, or the expected error, in one line that isn't too long. It takes little memory."
    value = make()
    with little_memory():
        if not (isinstance(expected, tuple) and isinstance(expected[0], type)): return read(value)
        kind, words = expected
        with pytest.raises(kind) as found: read(value)
    assert type(found.value) is kind and words in str(found.value), found.value
    assert "\n" not in str(found.value).strip() and len(str(found.value)) < 500


def named(cases): return pytest.mark.parametrize("make, expected", [pytest.param(make, expected, id=name) for name, make, expected in cases])


@named(images.CASES)
def test_images(make, expected):
    found = reads(read_image, make, expected)
    if found is None: return
    assert found.mode == "RGB"
    if isinstance(expected, tuple): assert np.asarray(found).shape[:2] == expected  # the size alone
    else: assert np.array_equal(np.asarray(found), expected)


@named(sound.CASES)
def test_sounds(make, expected):
    def read(audio):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = read_audio(*audio) if isinstance(audio, tuple) and not isinstance(audio[1], (np.ndarray, list)) and not np.isscalar(audio[0]) else read_audio(audio)
        assert len(said) <= 1
        return found
    found = reads(read, make, expected)
    if found is not None: assert found.dtype == np.float32 and np.allclose(found, expected, atol=2e-3 if len(found) > 100 else 1e-4)


@named(tables.CASES)
def test_tables(make, expected):
    found = reads(read_table, make, expected)
    if found is not None: assert [list(found.columns), *found.to_numpy().tolist()] == expected and list(found.index) == list(range(len(found)))


@named(documents.CASES)
def test_boxes(make, expected):
    found = reads(read_words, make, expected)
    if found is not None: assert found[1] == expected


@named(texts.CASES)
def test_texts(make, expected):
    found = reads(lambda value: read_texts(value, blank=False), make, expected)
    if found is not None: assert found == expected and all(type(text) is str for text in found)


@pytest.mark.parametrize("cells, expected", tables.NUMBERS, ids=lambda value: str(value))
def test_numbers(cells, expected):
    numbers, reason = read_numbers(cells)
    assert numbers == expected and bool(reason) == (expected is None)
    assert expected is None or [type(n) for n in numbers] == [type(n) if n else type(m) for n, m in zip(expected, numbers)]


@named(calls.CASES)
def test_calls(make, expected):
    found = reads(lambda call: call(), lambda: make, expected)
    if not (isinstance(expected, tuple) and isinstance(expected[0], type)): assert found == expected


@pytest.mark.parametrize("kind", calls.MODELS)
def test_a_cache_is_what_the_model_fills(kind):
    "Counted without memory, and filled for real, for batches and lengths below and above a window."
    config = calls.MODELS[kind]
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()
    for batch_size, context in ((1, 5), (3, 40)):
        with torch.inference_mode(): out = model(torch.zeros(batch_size, context, dtype=torch.long), use_cache=True)
        cache = out.get("past_key_values", out.get("cache_params"))
        layers = [layer for part in (getattr(cache, "self_attention_cache", cache), getattr(cache, "cross_attention_cache", None)) if part is not None for layer in part.layers]
        tensors = [t for layer in layers for value in vars(layer).values() for t in (value.values() if isinstance(value, dict) else [value]) if torch.is_tensor(t) and t.is_floating_point()]
        found = inference_memory(config, batch_size, context)
        assert found["cache"] == sum(t.nbytes for t in tensors) > 0 and found["weights"] == 2 * model.num_parameters()


@pytest.mark.parametrize("call, warned", [pytest.param(call, warned, id=name) for name, call, warned in strange.CASES])
def test_what_toys_know(call, warned):
    "A warning that says what a toy is made for, and a lower score for what it isn't; or no warning at all."
    scope.warned_of.cache_clear()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = reads(lambda call: call(), lambda: call, warned)
    ours = [str(w.message) for w in said if issubclass(w.category, UserWarning) and not issubclass(w.category, (DeprecationWarning, FutureWarning))]
    if isinstance(warned, str):
        assert any(warned in text for text in ours), ours
        assert all(w.filename in (__file__, strange.__file__) for w in said if warned in str(w.message)), [w.filename for w in said]
        assert all(len(text) < 400 for text in ours)
    if isinstance(warned, str) and warned.endswith(strange.LOWERED) and hasattr(found, "score"): assert (found["score"] < 0.9).all()
    if warned is None: assert not any("the toy" in text or "cut off" in text for text in ours), ours


def test_how_many_there_are():
    assert sum(map(len, (calls.CASES, strange.CASES, documents.CASES, images.CASES, sound.CASES, tables.CASES, tables.NUMBERS, texts.CASES))) >= 250


# ------------------------------------------------------------------------------------------------ properties


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-32_768, 32_767), min_size=4, max_size=50).filter(lambda v: max(map(abs, v)) > 128), st.sampled_from(["int16", "int32", "int64", "float32", "float64", "list"]))
def test_sixteen_bits_are_sixteen_bits_in_any_type(values, kind):
    given_as = values if kind == "list" else np.array(values).astype(kind)
    if kind == "list" and max(map(abs, values)) <= 2: return
    assert np.allclose(read_audio({"array": given_as, "sampling_rate": 16_000}), np.array(values) / 32_768, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.floats(-1.2, 1.2), st.floats(0, 0.2))
def test_a_mixture_never_swallows_the_sound(seed, share, noise):
    "Whatever the second channel is of the first, a fraction of it upside down included, something of the sound stays."
    rng = np.random.default_rng(seed)
    first = rng.normal(0, 0.2, 400)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mono = read_audio(np.stack([first, share * first + noise * rng.normal(0, 0.2, 400)]).clip(-1.9, 1.9), 16_000)
    assert (mono**2).mean() > 0.02 * (first**2).mean()


@settings(max_examples=200, deadline=None)
@given(st.integers(-(10**18), 10**18), st.integers(0, 99), st.sampled_from(["1,234.5", "1.234,5", "1 234,5"]))
def test_a_number_written_in_any_notation_is_read_as_it_was(whole, hundredths, notation):
    groups, point = {"1,234.5": ",.", "1.234,5": ".,", "1 234,5": " ,"}[notation]
    text = f"{abs(whole):,}".replace(",", groups)
    column = [f"{'-' if whole < 0 else ''}{text}", f"7{point}{hundredths:02}", f"1{groups}000{point}5"]
    numbers, reason = read_numbers(column)
    assert numbers == [whole, float(f"7.{hundredths:02}"), 1000.5], reason


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(max_size=12), max_size=4))
def test_what_is_read_as_numbers_is_what_was_written(cells):
    "Any text: either a reason, or numbers whose digits are those of the cells."
    import re

    numbers, reason = read_numbers(cells)
    if numbers is None: assert reason
    else:
        for cell, number in zip(cells, numbers):
            digits = re.sub(r"\D", "", cell)
            assert digits and digits.isascii() and (isinstance(number, float) or abs(number) == int(digits))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 9), st.integers(5, 9))
def test_a_box_is_the_same_in_any_unit(seed, width, height):
    rng = np.random.default_rng(seed)
    edges = np.sort(rng.integers(1, 1000, (3, 2, 2)), axis=1).reshape(3, 4)
    wanted = edges.tolist()
    words, (w, h) = ["a"] * 3, (width * 1000, height * 1000)
    pixels = edges * np.array([width, height] * 2)
    for boxes, more in ((edges, {}), (edges / 1000, {}), (pixels, {"size": (w, h)}), (pixels.astype(float), {"size": (w, h)})):
        assert read_words({"words": words, "boxes": boxes.tolist(), **more})[1] == wanted


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 9), st.integers(5, 9))
def test_an_image_is_the_same_in_any_form(seed, height, width):
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    levels[0, 0] = 255  # so that each form tells its scale
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG")
    forms = levels, levels / 255, levels.astype(float), levels.astype(int), levels.astype(np.uint16) * 257, levels.transpose(2, 0, 1), Image.fromarray(levels), file.getvalue()
    for form in forms: assert np.array_equal(np.asarray(read_image(form)), levels)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"P5 ", b"RIFF\x40\0\0\0WEBP", b"\xff\xd8\xff", b"RIFF\x40\0\0\0WAVEfmt ", b"fLaC", b"OggS"]))
def test_bytes_of_any_kind_are_read_or_refused(data, start):
    for read in (read_image, read_audio, read_table):
        try: read(start + data)
        except ValueError as error: assert len(str(error)) < 700


def test_the_rest_of_a_table_keeps_its_texts():
    import pandas as pd

    table = pd.DataFrame({"a": ["1.234,5", "2.000", "none"], "b": ["1,234", "5", "x"], "c": ["007", "8", "9"]})
    assert with_plain_numbers(table).to_dict("list") == {"a": ["1234.5", "2000", "none"], "b": ["1,234", "5", "x"], "c": ["007", "8", "9"]}


# ------------------------------------------------------------------------------------------------ addresses


class Site(BaseHTTPRequestHandler):
    PNG = images.encoded(images.RGB, "PNG")

    def log_message(self, *_): pass

    def do_GET(self):
        kind = self.path.strip("/").split("?")[0]
        if kind == "to_file": return self.answer(302, Location="file:///etc/hostname")
        if kind == "to_private": return self.answer(302, Location=f"http://127.0.0.1:{self.server.server_port}/whole")
        if kind == "circle": return self.answer(302, Location="/circle")
        if kind == "missing": return self.answer(404)
        if kind == "nonsense": return self.wfile.write(b"nonsense\r\n\r\n")
        if kind == "short": return self.answer(200, self.PNG[:60], Content_Length=len(self.PNG))
        if kind == "unfinished":
            self.protocol_version = "HTTP/1.1"
            self.answer(200, b"ff\r\nabc", Transfer_Encoding="chunked")
            return self.connection.close()
        if kind == "slow":
            self.answer(200, b"", Content_Length=1000)
            try:
                for _ in range(100): self.wfile.write(b"x"), time.sleep(0.1)
            except OSError: pass
            return None
        if kind == "endless": 
            self.answer(200)
            try:
                while True: self.wfile.write(bytes(1 << 20))
            except OSError: return None
        return self.answer(200, self.PNG)

    def answer(self, status, data=b"", **headers):
        self.send_response(status)
        for name, value in headers.items(): self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture(scope="module")
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_addresses_that_work(site):
    for path in ("/whole", "/whole?a=b c", "/wh%20ole", "/größe", "/to_private"): assert np.array_equal(np.asarray(read_image(site + path)), images.RGB)


@pytest.mark.parametrize("path, words", [("to_file", "not allowed"), ("circle", "could not be read"), ("missing", "404"), ("nonsense", "could not be read"), ("short", "broke off"), ("unfinished", "could not be read"), ("endless", "larger than 64 MB")])
def test_addresses_that_fail(site, path, words):
    for read, argument in ((read_image, "image"), (read_audio, "audio"), (read_table, "table")):
        with pytest.raises(ValueError, match=f"{argument}: .*{words}"): read(f"{site}/{path}")


def test_a_slow_answer_has_an_end(site, monkeypatch):
    monkeypatch.setattr(files, "_WAIT_IN_ALL", 1)
    with pytest.raises(ValueError, match="not complete after 1 seconds"): read_image(f"{site}/slow")  # to its end, it would be no image


def test_nothing_leads_from_the_internet_into_the_own_network(site, monkeypatch):
    "The first address counts as one of the internet; where it leads is this machine."
    monkeypatch.setattr(files, "_is_private", lambda address: "to_private" not in address)
    with pytest.raises(ValueError, match="it redirects to http://127.0.0.1"): read_image(f"{site}/to_private")
    monkeypatch.undo()
    for address, private in (("http://127.0.0.1/x", True), ("http://10.1.2.3", True), ("http://[::1]/", True), ("http://169.254.169.254/latest", True), ("http://8.8.8.8/", False)):
        assert files._is_private(address) == private, address


def test_a_server_can_switch_addresses_off(site):
    allow_urls(False)
    try:
        with pytest.raises(ValueError, match=r"allow_urls\(False\)"): read_image(f"{site}/whole")
        assert read_image(Site.PNG).size == (6, 4)
    finally: allow_urls(True)
    assert read_image(f"{site}/whole").size == (6, 4)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.1, 300), st.floats(0.1, 300), st.integers(2, 90), st.sampled_from(["float32", "bfloat16", "float16"]))
def test_random_features_see_no_future(seed, first, second, n, kind):
    "Whatever the norms, no answer is zero or infinite or depends on later keys, and all gradients are finite."
    generator = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(1, n, 16, generator=generator) for _ in range(3))
    cut = n // 2
    k = torch.nn.functional.normalize(k, dim=-1) * torch.where(torch.arange(n) < cut, first, second)[:, None]
    q = torch.nn.functional.normalize(q, dim=-1) * first
    given_as = [t.to(getattr(torch, kind)).requires_grad_() for t in (q, k, v)]
    feature_map = Favor(16, 32)
    found = linear_attention(*given_as, causal=True, feature_map=feature_map)
    found.float().square().sum().backward()
    assert found.isfinite().all() and (found.abs().amax(-1) > 0).all() and all(t.grad.isfinite().all() for t in given_as)
    if cut:
        alone = linear_attention(*(t[:, :cut] for t in given_as), causal=True, feature_map=feature_map)
        assert torch.allclose(found[:, :cut].float(), alone.float(), atol=1e-5 if kind == "float32" else 2e-2)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(4, 9), st.floats(0.02, 0.9), st.floats(0, 2), st.sampled_from([0.001, 0.02, 0.1]))
def test_an_offset_never_makes_a_fit_worse(seed, n, alpha, offset, noise):
    rng = np.random.default_rng(seed)
    x = np.sort(10 ** rng.uniform(2, 7, n))
    loss = (offset + 3 * x**-alpha) * np.exp(rng.normal(0, noise, n))
    assert fit_power_law(x, loss, "fit", resamples=0).r2 >= fit_power_law(x, loss, resamples=0).r2 - 1e-9


def test_the_interval_of_an_offset_of_zero():
    "An optimum on the bound isn't certain: the bootstrap's offsets reach above it."
    x = np.geomspace(1e2, 1e7, 12)
    loss = 5 * x**-0.2 * np.exp(np.random.default_rng(3).normal(0, 0.02, 12))
    law = fit_power_law(x, loss, "fit", resamples=40)
    assert law.intervals["offset"][0] < 0.01 < law.intervals["offset"][1] and law.intervals["alpha"][0] < 0.2 < law.intervals["alpha"][1]
