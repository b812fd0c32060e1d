"Reading helpers: every kind of object, every kind of image, and what is refused."
import ast
import asyncio
import functools
import importlib
import inspect
import io
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from conftest import python

from beyondtext.core import label_point, model_card, print_source, versions
from beyondtext.inputs.code import source_code
from beyondtext.figures import show_images
from beyondtext.inputs.images import read_image

MODULES = """argparse asyncio.base_events asyncio.tasks bisect calendar cmd codecs configparser contextlib copy csv
    datetime decimal difflib dis email.message enum fractions functools http.client inspect ipaddress json.decoder logging
    mailbox optparse pathlib pdb pickle statistics subprocess tarfile tempfile threading typing unittest.mock
    urllib.request uuid xml.dom.minidom zipfile tokenize turtle""".split()


def members(module):
    "Functions and classes that a module defines, and the methods of the classes."
    for value in vars(module).values():
        if getattr(value, "__module__", None) != module.__name__: continue
        if inspect.isfunction(value): yield value
        if inspect.isclass(value):
            yield value
            yield from (m for m in vars(value).values() if inspect.isfunction(m))


def reference(obj):
    "The object's own syntax tree without docstrings, found by another way: the lines that inspect gives."
    lines, start = inspect.getsourcelines(inspect.unwrap(obj))
    text = "".join(lines)
    tree = ast.parse("if True:\n" + text if text[:1].isspace() else text).body[0]
    tree = tree.body[0] if text[:1].isspace() else tree
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)): continue
        if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) and isinstance(body[0].value.value, str):
            node.body = body[1:] or [ast.Expr(ast.Constant(...))]
    return tree


def test_print_source_over_the_standard_library():
    compared, refused = 0, 0
    for name in MODULES:
        try: module = importlib.import_module(name)
        except ModuleNotFoundError: continue  # some systems ship tkinter apart
        for obj in members(module):
            try: text = source_code(obj)
            except TypeError as error:
                assert "obj is" in str(error)
                refused += 1
                continue
            try: wanted = reference(obj)
            except (OSError, TypeError, SyntaxError, IndexError): continue  # inspect itself can't say
            if getattr(obj, "__name__", "") == "<lambda>": continue  # inspect gives the whole statement around it
            ours = ast.parse(text).body[0]
            if type(ours) is not type(wanted) or ours.name != wanted.name: pytest.fail(f"{name}: {obj} gave {ours.name}")
            assert ast.dump(ours) == ast.dump(wanted), (name, obj)
            compared += 1
    print(f"{compared} compared, {refused} refused")
    assert compared > 2000 and refused < compared / 10


class Base:
    "Docstring."

    @property
    def both(self):
        "Getter."
        return 1

    @both.setter
    def both(self, value): self.value = value

    @classmethod
    def make(cls, *, n: int = 3) -> "Base": return cls()

    @staticmethod
    def still(): return 0

    @functools.cached_property
    def once(self): return 2

    async def later(self):
        "Goes."
        await asyncio.sleep(0)

    class Inner:
        text = """
not dedented
"""


@functools.wraps(Base.make)
def wrapped(*a): return Base.make(*a)


def two(): return (lambda x: x + 1), (lambda x: x + 2)


@pytest.mark.parametrize("obj, starts", [
    (Base.both, "@property\ndef both(self):\n    return 1\n\n@both.setter"),
    (Base.make, "@classmethod\ndef make(cls, *, n: int=3) -> 'Base':"),
    (Base.__dict__["make"], "@classmethod\ndef make"),
    (Base().make, "@classmethod\ndef make"),
    (Base.__dict__["still"], "@staticmethod\ndef still"),
    (Base.once, "@functools.cached_property\ndef once"),
    (Base.later, "async def later(self):\n    await"),
    (Base.Inner, "class Inner:\n    text = '\\nnot dedented\\n'"),
    (wrapped, "@classmethod\ndef make"),
    (functools.partial(two), "def two"),
    (functools.partialmethod(two), "def two"),
    (functools.lru_cache(two), "def two"),
    (two()[0], "lambda x: x + 1"),
    pytest.param(two()[1], "lambda x: x + 2", marks=pytest.mark.skipif(sys.version_info < (3, 11), reason="before 3.11, code has no columns")),
    (textwrap, "import re"),
])
def test_every_kind_of_object(obj, starts): assert source_code(obj).startswith(starts)


def test_a_frozen_module_has_source(): assert source_code(importlib.import_module("abc").abstractmethod).startswith("def abstractmethod")


def test_docstrings_can_be_kept(): assert '"""Getter."""' in source_code(Base.both, exclude_doc=False)


@pytest.mark.parametrize("obj", [len, dict.get, np.add, 3, None, type("Made", (), {}), importlib.import_module("sys")])
def test_what_has_no_source_is_refused(obj):
    with pytest.raises(TypeError, match="obj is .*accepted"): print_source(obj)


def test_cells_of_a_notebook(tmp_path):
    "Functions, dataclasses and redefinitions in a real kernel, where print_source shows Markdown."
    import nbformat
    from nbclient import NotebookClient
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in (
        "from beyondtext.core import print_source\nfrom dataclasses import dataclass\n@dataclass\nclass P:\n    'Doc.'\n    x: int = 1",
        "@dataclass\nclass P:\n    'Doc.'\n    x: int = 2\ndef f():\n    'Doc.'\n    return '```'", "print_source(P)", "print_source(f)")])
    NotebookClient(nb, timeout=60).execute()
    shown = [c.outputs[0].data["text/markdown"] for c in nb.cells[2:]]
    assert shown[0] == "```python\n@dataclass\nclass P:\n    x: int = 2\n```"
    assert shown[1].startswith("~~~~python\ndef f():")


def test_printed_elsewhere(capsys):
    print_source(two)
    assert capsys.readouterr().out.startswith("def two():")


def test_import_is_light():
    "core loads no large library, and hardly more than the parts of Python that it needs."
    code = "import sys; from beyondtext.core import label_point, print_source; print([m for m in ('torch', 'transformers', 'pandas', 'matplotlib', 'numpy', 'PIL') if m in sys.modules])"
    assert python("-c", code).stdout.strip() == "[]"
    assert python("-c", "import sys, beyondtext; print('torch' in sys.modules)").stdout.strip() == "False"
    count = "import sys; before = set(sys.modules); {}; print(len(set(sys.modules) - before))"
    base, ours = (int(python("-c", count.format(code)).stdout) for code in ("import ast, inspect, textwrap", "from beyondtext.core import print_source"))
    assert ours < base + 30, f"{ours} modules against {base}"


@pytest.fixture
def ax():
    import matplotlib
    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    fig, ax = plt.subplots()
    yield ax
    plt.close(fig)


def test_label_point_places_texts(ax):
    dates = pd.to_datetime(pd.Series(["2020-01-01", "2021-01-01"]))
    texts = label_point(dates, np.array([1e6, 1e9]), ["a", "b"], ax)
    assert [(t.get_text(), t.get_position()[1], t.get_ha(), t.get_va()) for t in texts] == [("a", 1e6, "center", "bottom"), ("b", 1e9, "center", "bottom")]
    ax.set_yscale("log")
    assert len(label_point([1, 2], [0.1, 10], "ab", ax)) == 2
    ax.figure.canvas.draw()


def test_label_point_matches_series_by_label(ax):
    x, y = pd.Series([1, 2], index=["p", "q"]), pd.Series([20, 10], index=["q", "p"])
    assert [t.get_position() for t in label_point(x, y, pd.Series(["P", "Q"], index=["p", "q"]), ax)] == [(1, 10), (2, 20)]
    with pytest.raises(ValueError, match="different indexes"): label_point(x, pd.Series([1, 2]), x, ax)


@pytest.mark.parametrize("x, y, message", [([1], [1, 2], "1, 2 and 2 entries"), ([1, np.nan], [1, 2], "x has no value at position 1"),
                                           ([1, 2], [pd.NaT, 2], "y has no value at position 0"), ([1, 2], [1, pd.NA], "y has no value at position 1")])
def test_label_point_reports(ax, x, y, message):
    with pytest.raises(ValueError, match=message): label_point(x, y, ["a", "b"], ax)
    assert not ax.texts


def test_label_point_on_a_logarithmic_axis(ax):
    ax.set_xscale("log")
    with pytest.raises(ValueError, match="x is not above zero at position 0"): label_point([0, 2], [1, 2], ["a", "b"], ax)


def encoded(image, kind="png", **settings):
    out = io.BytesIO()
    image.save(out, kind, **settings)
    return out.getvalue()


RED = Image.new("RGB", (6, 4), (255, 0, 0))


@pytest.mark.parametrize("image, pixel", [
    (RED, (255, 0, 0)), (encoded(RED), (255, 0, 0)), (RED.convert("L"), (76, 76, 76)), (RED.convert("P"), (255, 0, 0)), (RED.convert("CMYK"), (254, 0, 0)),
    (Image.new("RGBA", (6, 4), (255, 0, 0, 0)), (255, 255, 255)), (Image.new("LA", (6, 4), (0, 0)), (255, 255, 255)), (Image.new("1", (6, 4), 1), (255, 255, 255)),
    (Image.fromarray(np.full((4, 6), 65535, np.uint16)), (255, 255, 255)), (encoded(Image.fromarray(np.full((4, 6), 257 * 7, np.uint16))), (7, 7, 7)),
    (np.zeros((4, 6), np.uint8), (0, 0, 0)), (np.ones((4, 6, 1)), (255, 255, 255)), (np.ones((3, 4, 6), np.float32), (255, 255, 255)),
    (np.full((4, 6, 4), 0.0), (255, 255, 255)), (np.ones((4, 6), bool), (255, 255, 255)), (np.full((4, 6, 3), 9, np.int64), (9, 9, 9)),
])
def test_every_kind_of_image(image, pixel):
    found = read_image(image)
    assert (found.mode, found.size) == ("RGB", (6, 4))
    assert np.abs(np.subtract(found.getpixel((0, 0)), pixel)).max() <= 1


def test_tensors_paths_and_turned_photographs(tmp_path):
    import torch
    assert read_image(torch.zeros(3, 4, 6, requires_grad=True)).size == (6, 4)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    for path in (tmp_path / "a.jpg", str(tmp_path / "a.jpg")):
        RED.save(path, exif=exif)
        assert read_image(path).size == (4, 6)
    transparent = Image.new("P", (6, 4), 0)
    transparent.save(tmp_path / "t.png", transparency=0)
    assert read_image(tmp_path / "t.png").getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("image, error, message", [
    ("nowhere.png", ValueError, "there is no file 'nowhere.png'"), (b"", ValueError, "empty"), (b"hello, world", ValueError, "is not an image"),
    (encoded(RED)[:40], ValueError, "damaged|not an image"), (3, TypeError, "type int"), (None, TypeError, "type NoneType"), (np.zeros((0, 3)), ValueError, "shape \\(0, 3\\)"),
    (np.zeros(5), ValueError, "shape \\(5,\\)"), (np.zeros((2, 2, 2)), ValueError, "shape \\(2, 2, 2\\)"), (np.full((2, 2), 300), ValueError, "from 300 to 300"),
    (np.full((2, 2), 2.5), ValueError, "from 2.5 to 2.5"), (np.full((2, 2), np.nan), ValueError, "not finite"), (np.array([["a"]]), ValueError, "type <U1"),
])
def test_bad_images_are_refused(image, error, message):
    with pytest.raises(error, match=message): read_image(image)


def test_a_text_file_and_an_empty_file(tmp_path):
    for content, message in ((b"", "is not an image"), (b"text", "is not an image")):
        (tmp_path / "x.png").write_bytes(content)
        with pytest.raises(ValueError, match=message): read_image(tmp_path / "x.png")


def test_a_decompression_bomb_is_refused():
    "An image of 400 million pixels in a file of 400 kB is refused before it is unpacked."
    import tracemalloc
    bomb = encoded(Image.new("1", (20_000, 20_000)))
    assert len(bomb) < 400_000
    tracemalloc.start()
    with pytest.raises(ValueError, match="million pixels"): read_image(bomb)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_show_images_and_versions_and_cards():
    assert len(show_images([RED] * 5, columns=3).axes) == 6
    with pytest.raises(ValueError, match="images is empty"): show_images([])
    with pytest.raises(ValueError, match="2 entries for 1"): show_images([RED], ["a", "b"])
    table = versions("numpy", "no-such-package").set_index("package")["version"]
    assert table["numpy"] == np.__version__ and table["no-such-package"] == "not installed"
    with pytest.raises(TypeError, match="model is of type str"): model_card("vit")
