"Forms of one recording, and recordings that are none. What is expected stands at 16,000 samples a second."
import io
from types import SimpleNamespace

import numpy as np
import soundfile
import torch

RATE = 16_000
WHOLE = np.round(20_000 * np.sin(np.arange(800) / 9)).astype(np.int16)
SOUND = WHOLE / 32_768


def encoded(samples=WHOLE, kind="WAV", **settings):
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format=kind, **settings)
    return file.getvalue()


def piped():
    "A WAV file that was written to a pipe: its header doesn't know how long it is."
    data = bytearray(encoded())
    data[4:8] = data[40:44] = b"\xff" * 4
    return bytes(data)


def at(array): return array, RATE


CASES = [(name, make, SOUND) for name, make in {
    "int16": lambda: at(WHOLE), "int32": lambda: at(WHOLE.astype(np.int32)), "int64": lambda: at(WHOLE.astype(int)), "a list of integers": lambda: {"array": WHOLE.tolist(), "sampling_rate": RATE}, "float": lambda: at(SOUND), "float32": lambda: at(SOUND.astype(np.float32)),
    "float16": lambda: at(SOUND.astype(np.float16)), "16 bits as floats": lambda: at(WHOLE.astype(float)), "uint16": lambda: at((WHOLE.astype(int) + 32_768).astype(np.uint16)), "16 bits at the upper end of 32": lambda: at(WHOLE.astype(np.int32) * 65_536),
    "24 bits in 32": lambda: at(WHOLE.astype(np.int32) * 256 + 3), "24 bits at the upper end": lambda: at((WHOLE.astype(np.int32) * 256 + 3) * 256), "tensor": lambda: at(torch.tensor(WHOLE)), "bfloat16": lambda: at(torch.tensor(SOUND).bfloat16()),
    "tensor with gradient": lambda: at(torch.tensor(SOUND, requires_grad=True)), "stereo": lambda: at(np.stack([WHOLE, WHOLE])), "stereo, channels last": lambda: at(np.stack([WHOLE, WHOLE], 1)), "six channels": lambda: at(np.stack([SOUND] * 6)),
    "upside down in the second channel": lambda: at(np.stack([SOUND, -0.999 * SOUND])), "rate first": lambda: (RATE, WHOLE), "NumPy's rate": lambda: (np.int64(RATE), WHOLE), "dict": lambda: {"array": SOUND, "sampling_rate": RATE}, "raw dict": lambda: {"raw": SOUND.tolist(), "sampling_rate": RATE},
    "object": lambda: SimpleNamespace(samples=SOUND, sampling_rate=RATE), "decoder": lambda: SimpleNamespace(get_all_samples=lambda: SimpleNamespace(data=torch.tensor(SOUND)[None], sample_rate=RATE)), "samples of torchcodec": lambda: SimpleNamespace(data=torch.tensor(SOUND)[None], sample_rate=RATE),
    "WAV": encoded, "FLAC": lambda: encoded(kind="FLAC"), "WAV of 24 bits": lambda: encoded(subtype="PCM_24"), "WAV of floats": lambda: encoded(SOUND, subtype="FLOAT"), "WAV from a pipe": piped, "open file": lambda: io.BytesIO(encoded()), "bytearray": lambda: bytearray(encoded()),
    "row of datasets": lambda: {"bytes": encoded(), "path": None}, "Big-endian": lambda: at(WHOLE.astype(">i2")),
}.items()] + [
    ("silence", lambda: at(np.zeros(9)), np.zeros(9)), ("silence of integers", lambda: at(np.zeros(9, int)), np.zeros(9)), ("silence of unsigned bytes", lambda: at(np.full(9, 128, np.uint8)), np.zeros(9)), ("int8", lambda: at(np.array([-128, 64], np.int8)), [-1, 0.5]),
    ("one channel is silent", lambda: at(np.stack([SOUND, 0 * SOUND])), SOUND / 2), ("slightly too loud", lambda: at(np.array([0.5, -1.2])), [0.5, -1.2]),
    ("8 or 16 bits", lambda: at(np.array([-90, 100])), (ValueError, "could have 8 bits or 16")), ("floats up to 5", lambda: at(np.array([0.1, 5])), (ValueError, "could have 8 bits or 16")), ("beyond 32 bits", lambda: at(np.array([2**40, 1])), (ValueError, "no common scale of sound")),
    ("unsigned, but not around the middle", lambda: at(np.zeros(9, np.uint8)), (ValueError, "mean is not near 128")), ("huge floats", lambda: at(np.array([1e12, 0.5])), (ValueError, "no common scale of sound")),
    ("no rate", lambda: WHOLE, (ValueError, "sampling_rate is None")), ("a rate of nothing", lambda: (WHOLE, 0), (ValueError, "sampling_rate is 0")), ("a list without rate", lambda: [0.1, 0.2], (ValueError, "sampling_rate is None")), ("empty", lambda: at(np.zeros(0)), (ValueError, "audio is empty")),
    ("not a number", lambda: at(np.array([np.nan])), (ValueError, "not finite")), ("infinite", lambda: at(np.array([np.inf])), (ValueError, "not finite")), ("words", lambda: at(np.array(["a"])), (ValueError, "type <U1")), ("booleans", lambda: at(np.array([True])), (ValueError, "type bool")),
    ("complex", lambda: at(np.zeros(3, complex)), (ValueError, "complex128")), ("three dimensions", lambda: at(np.zeros((2, 2, 9))), (ValueError, "shape (2, 2, 9)")), ("a hundred channels", lambda: at(np.zeros((100, 100))), (ValueError, "up to 32 channels")),
    ("too long", lambda: (np.zeros(1000 * 601), 1000), (ValueError, "601 seconds long")), ("nothing", lambda: None, (TypeError, "NoneType")), ("a number", lambda: 3, (TypeError, "type int")), ("a dict of something else", lambda: {"text": "x"}, (TypeError, "type dict")),
    ("no file", lambda: "dog.wav", (ValueError, "there is no file 'dog.wav'")), ("a name that no file can have", lambda: "x" * 5000, (ValueError, "there is no file")), ("empty bytes", lambda: b"", (ValueError, "not a sound file")), ("text as bytes", lambda: b"hello", (ValueError, "not a sound file")),
    ("half a WAV", lambda: encoded()[:900], (ValueError, "is cut off")), ("half a FLAC", lambda: encoded(np.random.default_rng(0).normal(0, 0.1, 20_000), "FLAC")[:9000], (ValueError, "")), ("a WAV of nothing", lambda: encoded(np.zeros(0)), (ValueError, "audio is empty")),
    ("an hour of silence in a small file", lambda: encoded(np.zeros(RATE * 3600, np.int16), "FLAC"), (ValueError, "3600 seconds long")), ("many channels of silence in a small file", lambda: encoded(np.zeros((RATE * 300, 8), np.int16), "FLAC"), (ValueError, "up to 30,000,000 in all")),
    ("parts that differ in length", lambda: ([[0.1, 0.2], [0.3]], RATE), (ValueError, "differ in length")),
    ("address that isn't there", lambda: "http://localhost:9/x.wav", (ValueError, "could not be read")),
]
