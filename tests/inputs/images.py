"Forms of one image of 4 by 6 greys, and inputs that are not images."
import io

import numpy as np
import torch
from PIL import Image

GREY = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)
RGB = np.stack([GREY, GREY // 2, 255 - GREY], -1)


def encoded(array, kind, **settings):
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **settings)
    return file.getvalue()


def with_alpha(alpha): return Image.fromarray(np.dstack([RGB, np.full(GREY.shape, alpha, np.uint8)]))


def palette(image, **settings):
    file = io.BytesIO()
    image.save(file, "PNG", **settings)
    return file.getvalue()


def frames(n):
    file = io.BytesIO()
    Image.new("P", (8, 8)).save(file, "GIF", save_all=True, append_images=[Image.new("P", (8, 8), i % 200) for i in range(n)])
    return file.getvalue()


def turned():
    "On its side, as its EXIF says."
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(RGB)).save(file, "PNG", exif=exif)
    return file.getvalue()


def huge(kind, side=20_000): return encoded(np.zeros((side, side), bool), kind)


SAME = {  # all of them are GREY
    "uint8": lambda: GREY, "int64": lambda: GREY.astype(int), "int16": lambda: GREY.astype(np.int16), "float, 0 to 255": lambda: GREY.astype(float), "float, 0 to 1": lambda: GREY / 255,
    "float32": lambda: (GREY / 255).astype(np.float32), "uint16": lambda: GREY.astype(np.uint16) * 257, "int32 of 16 bits": lambda: GREY.astype(np.int32) * 257,
    "one channel last": lambda: GREY[..., None], "one channel first": lambda: GREY[None], "three channels": lambda: np.stack([GREY] * 3, -1), "three channels first": lambda: np.stack([GREY] * 3),
    "channels first, fractions": lambda: np.stack([GREY] * 3) / 255, "opaque": lambda: np.dstack([GREY, GREY, GREY, np.full_like(GREY, 255)]), "tensor": lambda: torch.tensor(GREY), "tensor with gradient": lambda: torch.tensor(GREY / 255, requires_grad=True),
    "Fortran order": lambda: np.asfortranarray(GREY), "backwards": lambda: GREY[::-1][::-1], "Pillow L": lambda: Image.fromarray(GREY), "Pillow RGB": lambda: Image.fromarray(GREY).convert("RGB"),
    "Pillow I;16": lambda: Image.fromarray(GREY.astype(np.uint16) * 257), "Pillow I": lambda: Image.fromarray(GREY.astype(np.int32)), "Pillow I of 16 bits": lambda: Image.fromarray(GREY.astype(np.int32) * 257),
    "Pillow F": lambda: Image.fromarray(GREY.astype(np.float32)), "Pillow F, fractions": lambda: Image.fromarray((GREY / 255).astype(np.float32)), "Pillow LA": lambda: Image.fromarray(GREY).convert("LA"),
    "Pillow RGBA": lambda: Image.fromarray(GREY).convert("RGBA"), "PNG": lambda: encoded(GREY, "PNG"), "PNG of 16 bits": lambda: encoded(GREY.astype(np.uint16) * 257, "PNG"), "BMP": lambda: encoded(GREY, "BMP"), "TIFF": lambda: encoded(GREY, "TIFF"), "PGM": lambda: encoded(GREY, "PPM"),
    "lossless WebP": lambda: encoded(np.stack([GREY] * 3, -1), "WEBP", lossless=True), "bytearray": lambda: bytearray(encoded(GREY, "PNG")), "memoryview": lambda: memoryview(encoded(GREY, "PNG")), "open file": lambda: io.BytesIO(encoded(GREY, "PNG")),
    "row of datasets": lambda: {"bytes": encoded(GREY, "PNG"), "path": None},
}
CASES = [(name, make, np.stack([GREY] * 3, -1)) for name, make in SAME.items()] + [
    ("bfloat16", lambda: torch.tensor([[0.0, 0.5], [1.0, 0.25]], dtype=torch.bfloat16), np.stack([[[0, 128], [255, 64]]] * 3, -1)),
    ("float16", lambda: np.array([[0.0, 0.5], [1.0, 0.25]], np.float16), np.stack([[[0, 128], [255, 64]]] * 3, -1)),
    ("mask", lambda: np.eye(3, dtype=bool), np.stack([255 * np.eye(3)] * 3, -1)), ("mask of integers", lambda: np.eye(3, dtype=int), np.stack([255 * np.eye(3)] * 3, -1)),
    ("Pillow 1", lambda: Image.fromarray(np.eye(3, dtype=bool)), np.stack([255 * np.eye(3)] * 3, -1)), ("black", lambda: np.zeros((2, 3)), np.zeros((2, 3, 3))), ("black uint16", lambda: np.zeros((2, 3), np.uint16), np.zeros((2, 3, 3))),
    ("nearly black video frame", lambda: np.eye(3, dtype=np.uint8), np.stack([np.eye(3)] * 3, -1)), ("transparent", lambda: with_alpha(0), np.full((4, 6, 3), 255)), ("opaque image", lambda: with_alpha(255), RGB),
    ("transparent array", lambda: np.zeros((2, 2, 4), np.uint8), np.full((2, 2, 3), 255)), ("palette with a transparent colour", lambda: palette(Image.new("P", (2, 2), 0), transparency=0), np.full((2, 2, 3), 255)),
    ("CMYK", lambda: Image.new("CMYK", (2, 2), (0, 0, 0, 0)), np.full((2, 2, 3), 255)), ("turned by its camera", turned, RGB), ("a video of which the first frame counts", lambda: frames(5), np.zeros((8, 8, 3))),
    ("large JPEG", lambda: encoded(np.full((6000, 8000), 90, np.uint8), "JPEG"), (3000, 4000)),
    ("dark uint16", lambda: GREY.astype(np.uint16), (ValueError, "uint16 from 0 to 230; accepted")), ("fractions above 1", lambda: GREY / 200, (ValueError, "from 0.0 to 1.15; accepted")), ("negative", lambda: GREY - 1.0, (ValueError, "from -1.0")),
    ("beyond 16 bits", lambda: GREY.astype(int) * 1000, (ValueError, "to 230000")), ("not a number", lambda: np.array([[np.nan, 1]]), (ValueError, "not finite")), ("infinite", lambda: np.array([[np.inf, 1]]), (ValueError, "not finite")),
    ("no pixels", lambda: np.zeros((0, 4)), (ValueError, "shape (0, 4)")), ("no pixels in Pillow", lambda: Image.new("RGB", (0, 3)), (ValueError, "0 by 3 pixels")), ("two channels", lambda: np.zeros((5, 5, 2)), (ValueError, "shape (5, 5, 2)")),
    ("a row", lambda: np.zeros(5), (ValueError, "shape (5,)")), ("a video", lambda: np.zeros((2, 4, 4, 3)), (ValueError, "shape (2, 4, 4, 3)")), ("complex", lambda: np.zeros((2, 2), complex), (ValueError, "complex128")), ("words", lambda: np.array([["a"]]), (ValueError, "type <U1")),
    ("nothing", lambda: None, (TypeError, "NoneType")), ("a number", lambda: 3, (TypeError, "type int")), ("a list", lambda: [[1, 2]], (TypeError, "type list")), ("a dict", lambda: {"image": 1}, (TypeError, "type dict")), ("empty bytes", lambda: b"", (ValueError, "empty and not an image")),
    ("text as bytes", lambda: b"hello", (ValueError, "not an image")), ("an open file of text", lambda: io.StringIO("x"), (ValueError, "open text file")), ("half a PNG", lambda: encoded(np.tile(GREY, (50, 50)), "PNG")[:300], (ValueError, "damaged")),
    ("half a JPEG", lambda: encoded(np.tile(GREY, (50, 50)), "JPEG")[:900], (ValueError, "damaged")), ("half a GIF", lambda: encoded(np.tile(GREY, (50, 50)), "GIF")[:900], (ValueError, "damaged")), ("half a BMP", lambda: encoded(GREY, "BMP")[:-30], (ValueError, "damaged")),
    ("half a WebP", lambda: encoded(np.tile(RGB, (50, 50, 1)), "WEBP")[:100], (ValueError, "")), ("a PNG of 400 million pixels", lambda: huge("PNG"), (ValueError, "24 million pixels")), ("a TIFF of 400 million pixels", lambda: huge("TIFF"), (ValueError, "24 million pixels")),
    ("PostScript", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage", (ValueError, "not an image")), ("an image in words", lambda: "<svg xmlns='http://www.w3.org/2000/svg'/>", (ValueError, "there is no file")),
    ("no file", lambda: "dog.jpg", (ValueError, "there is no file 'dog.jpg'")), ("a folder", lambda: ".", (ValueError, "there is no file '.'")), ("a name that no file can have", lambda: "x" * 5000, (ValueError, "there is no file 'xxx")), ("a name with a zero", lambda: "a\0b", (ValueError, "there is no file")),
    ("base64 without an address", lambda: "iVBORw0KGgo" * 400, (ValueError, "there is no file")), ("data address", lambda: "data:image/png;base64," + __import__("base64").b64encode(encoded(RGB, "PNG")).decode(), RGB),
    ("damaged data address", lambda: "data:image/png;base64,###", (ValueError, "data: address is damaged")), ("address of another kind", lambda: "ftp://example.org/x.png", (ValueError, "there is no file")), ("address without a host", lambda: "http://", (ValueError, "could not be read")),
    ("address with a bad port", lambda: "http://localhost:x/", (ValueError, "could not be read")), ("address that isn't there", lambda: "http://localhost:9/x.png", (ValueError, "could not be read")),
]
