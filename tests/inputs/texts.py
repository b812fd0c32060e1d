"Forms of two texts, and what is no list of texts."
import numpy as np
import pandas as pd

CASES = [(name, make, ["a star", "a ring"]) for name, make in {
    "list": lambda: ["a star", "a ring"], "tuple": lambda: ("a star", "a ring"), "Series": lambda: pd.Series(["a star", "a ring"]), "Series with another index": lambda: pd.Series(["a star", "a ring"], index=[7, 3]), "Series of strings": lambda: pd.Series(["a star", "a ring"], dtype="string"),
    "categories": lambda: pd.Series(["a star", "a ring"], dtype="category"), "index": lambda: pd.Index(["a star", "a ring"]), "array": lambda: np.array(["a star", "a ring"]), "array of objects": lambda: np.array(["a star", "a ring"], object), "NumPy's strings": lambda: [np.str_("a star"), np.str_("a ring")],
}.items()] + [
    ("one text", lambda: "a star", ["a star"]), ("no text", lambda: None, (TypeError, "texts is of type NoneType")), ("a number", lambda: 3, (TypeError, "type int")), ("bytes", lambda: b"a star", (TypeError, "type bytes")), ("a dict", lambda: {"a": 1}, (TypeError, "type dict")), ("a set", lambda: {"a"}, (TypeError, "type set")),
    ("a frame", lambda: pd.DataFrame({"a": ["a star"]}), (TypeError, "type DataFrame")), ("None among them", lambda: ["a star", None], (TypeError, "NoneType at position 1")), ("nan among them", lambda: ["a star", float("nan")], (TypeError, "float at position 1")), ("NA in a Series", lambda: pd.Series(["a star", pd.NA], dtype="string"), (TypeError, "at position 1")),
    ("numbers", lambda: [1, 2], (TypeError, "int at position 0")), ("a Series of numbers", lambda: pd.Series([1, 2]), (TypeError, "int at position 0")), ("lists", lambda: [["a"]], (TypeError, "list at position 0")), ("an empty list", lambda: [], (ValueError, "empty list")), ("an empty Series", lambda: pd.Series([], dtype=str), (ValueError, "empty list")),
    ("an empty text", lambda: "", (ValueError, "texts is empty")), ("spaces", lambda: ["a star", "  "], (ValueError, "empty text at position 1")), ("spaces in a Series", lambda: pd.Series(["a star", "\n"]), (ValueError, "empty text at position 1")), ("a table of texts", lambda: np.array([["a"]]), (TypeError, "type ndarray")),
]
