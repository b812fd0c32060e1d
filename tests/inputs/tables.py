"Forms of one table, tables that are none, and cells that are numbers or not."
import io

import numpy as np
import pandas as pd

FRAME = pd.DataFrame({"city": ["Oslo", "Bergen"], "area": [480, 465]})
ROWS = [["city", "area"], ["Oslo", "480"], ["Bergen", "465"]]
PLAIN = [(name, make, ROWS) for name, make in {
    "frame": lambda: FRAME, "strings": lambda: FRAME.astype(str), "objects": lambda: FRAME.astype(object), "floats": lambda: FRAME.astype({"area": float}), "float32": lambda: FRAME.astype({"area": "float32"}), "nullable": lambda: FRAME.convert_dtypes(),
    "category": lambda: FRAME.astype({"city": "category"}), "shuffled index": lambda: FRAME.set_index(pd.Index([9, 3])), "index of words": lambda: FRAME.set_index(pd.Index(["b", "a"])), "index of dates": lambda: FRAME.set_index(pd.date_range("2026-01-01", periods=2)),
    "named index": lambda: FRAME.set_index("city"), "index that is a column, too": lambda: FRAME.set_index("city", drop=False), "grouped": lambda: FRAME.groupby("city", sort=False).sum(), "grouped categories": lambda: FRAME.astype({"city": "category"}).groupby("city", observed=True, sort=False).sum().loc[["Oslo", "Bergen"]],
    "dict": lambda: FRAME.to_dict("list"), "rows": lambda: FRAME.to_dict("records"), "NumPy's numbers": lambda: {"city": FRAME["city"], "area": np.array([480, 465], np.int16)}, "spaces around": lambda: {"city": [" Oslo", "Bergen "], "area": ["480", " 465"]},
    "commas": lambda: b"city,area\nOslo,480\nBergen,465\n", "semicolons": lambda: b"city;area\nOslo;480\nBergen;465\n", "tabs": lambda: b"city\tarea\nOslo\t480\nBergen\t465", "bars": lambda: b"city|area\nOslo|480\nBergen|465", "byte-order mark": lambda: "\ufeffcity,area\nOslo,480\nBergen,465".encode(),
    "UTF-16": lambda: "city,area\nOslo,480\nBergen,465".encode("utf-16"), "Windows lines": lambda: b"city,area\r\nOslo,480\r\nBergen,465\r\n", "empty lines": lambda: b"city,area\n\nOslo,480\n\nBergen,465\n\n", "quoted": lambda: b'"city","area"\n"Oslo","480"\n"Bergen","465"', "open file": lambda: io.BytesIO(b"city,area\nOslo,480\nBergen,465"),
}.items()]
CASES = PLAIN + [
    ("several levels", lambda: pd.DataFrame({"sold": [1, 2]}, index=pd.MultiIndex.from_tuples([("Oslo", 2025), ("Oslo", 2026)], names=["city", "year"])), [["city", "year", "sold"], ["Oslo", "2025", "1"], ["Oslo", "2026", "2"]]),
    ("levels without names", lambda: pd.DataFrame({"sold": [1, 2]}, index=pd.MultiIndex.from_tuples([("Oslo", 2025), ("Oslo", 2026)])), [["index 0", "index 1", "sold"], ["Oslo", "2025", "1"], ["Oslo", "2026", "2"]]),
    ("pivot", lambda: pd.DataFrame({"c": ["Oslo", "Oslo"], "y": [2025, 2026], "n": [1, 2]}).pivot_table(index="c", columns="y", values="n"), [["c", "2025", "2026"], ["Oslo", "1", "2"]]),
    ("several aggregates", lambda: FRAME.groupby("city").agg({"area": ["sum", "max"]}), [["city", "area sum", "area max"], ["Bergen", "465", "465"], ["Oslo", "480", "480"]]),
    ("commas in quoted cells", lambda: b'city,of\n"Oslo, Viken",Norway\n', [["city", "of"], ["Oslo, Viken", "Norway"]]), ("a line break in a cell", lambda: b'city,of\n"Os\nlo",Norway\n', [["city", "of"], ["Os\nlo", "Norway"]]), ("decimal commas", lambda: b"city;area\nOslo;480,5\n", [["city", "area"], ["Oslo", "480,5"]]),
    ("one column", lambda: b"city\nOslo\n", [["city"], ["Oslo"]]), ("words that pandas takes for nothing", lambda: b"name,code\nNone,NA\n", [["name", "code"], ["None", "NA"]]), ("dates", lambda: pd.DataFrame({"day": pd.to_datetime(["2026-01-02"])}), [["day"], ["2026-01-02"]]),
    ("booleans", lambda: {"a": [True]}, [["a"], ["True"]]), ("a whole number beyond 2^53", lambda: {"a": [9007199254740993]}, [["a"], ["9007199254740993"]]), ("leading zeros", lambda: b"a,b\n007,1\n", [["a", "b"], ["007", "1"]]), ("headings of numbers", lambda: pd.DataFrame({1: [2]}), [["1"], ["2"]]),
    ("one field too many", lambda: b"a,b\n1,2,3\n", (ValueError, "row 1 has 3 fields separated by ',', but there are 2 headings")), ("one field too few", lambda: b"a,b,c\n1,2,3\n1,2\n", (ValueError, "row 2 has 2 fields")), ("an open quotation mark", lambda: b'a,b\n"1,2\n', (ValueError, "not a CSV file")),
    ("Latin-1", lambda: "a,b\nå,1\n".encode("latin-1"), (ValueError, "not in UTF-8")), ("zeros", lambda: b"\0\1\2", (ValueError, "bytes that are not text")), ("an image", lambda: b"\x89PNG\r\n\x1a\n", (ValueError, "not in UTF-8")), ("doubled headings", lambda: b"a,a\n1,2\n", (ValueError, "two columns named 'a'")),
    ("headings that are the same as text", lambda: pd.DataFrame([[1, 2]], columns=[1, "1"]), (ValueError, "two columns named '1'")), ("doubled with the index", lambda: pd.DataFrame({"a": [1]}, index=pd.Index([2], name="a")), (ValueError, "")), ("headings alone", lambda: b"a,b\n", (ValueError, "table is empty")),
    ("nothing in it", lambda: pd.DataFrame(), (ValueError, "table is empty")), ("empty bytes", lambda: b"", (ValueError, "is empty")), ("a missing number", lambda: {"a": [1.0, np.nan]}, (ValueError, "row 1 of column 'a'")), ("None", lambda: {"a": [None]}, (ValueError, "row 0 of column 'a'")), ("NA", lambda: pd.DataFrame({"a": [pd.NA]}), (ValueError, "no value")),
    ("NaT", lambda: pd.DataFrame({"a": [pd.NaT]}), (ValueError, "no value")), ("lists of two lengths", lambda: {"a": [1], "b": [1, 2]}, (ValueError, "dict that can't be read as a table")), ("no table", lambda: None, (TypeError, "NoneType")), ("a list", lambda: [[1]], (TypeError, "type list")), ("a Series", lambda: FRAME["city"], (TypeError, "type Series")),
    ("a number", lambda: 3, (TypeError, "type int")), ("no file", lambda: "none.csv", (ValueError, "there is no file 'none.csv'")), ("CSV as a text", lambda: "a,b\n1,2", (ValueError, "there is no file")),
]

NUMBERS = [  # cells of a column, and what they are as numbers; None where they are none
    (["10", "-2"], [10, -2]), (["+3", "−4"], [3, -4]), (["0", "0.5"], [0, 0.5]), (["1,234,567"], [1234567]), (["1,234.5", "2,000"], [1234.5, 2000]), (["1.234,5", "2.000"], [1234.5, 2000]), (["12,5"], [12.5]), (["0,125"], [0.125]), (["0.125"], [0.125]), (["1 234 567"], [1234567]),
    (["1\u202f234,5"], [1234.5]), (["1'234.50"], [1234.5]), (["9007199254740993"], [9007199254740993]), (["-0.0"], [0]), (["1.5", "1,234"], [1.5, 1234]), (["1,5", "1.234"], [1.5, 1234]), ([" 7 "], [7]),
    (["1,234"], None), (["1.234"], None), (["1,234", "5"], None), (["1.5", "1,5"], None), (["007"], None), (["00"], None), (["nan"], None), (["inf"], None), (["-Infinity"], None), (["1_000"], None), (["1e3"], None), (["0x10"], None), (["$5"], None), (["5 €"], None), (["12 km"], None), (["5%"], None),
    (["(3)"], None), (["--1"], None), (["1,23,456"], None), (["12,34"], [12.34]), (["1.2.3"], None), (["2021-05-03"], None), (["3.5.2021"], None), (["٣"], None), (["½"], None), ([""], None), (["-"], None), (["."], None), (["1."], None), ([".5"], None), (["true"], None), (["1,234.567,8"], None), (["1 23"], None), (["9" * 5000], None), (["9" * 400 + ".5"], None),
]
