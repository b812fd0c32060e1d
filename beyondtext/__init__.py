"""Beyond size, beyond n², beyond text: the helpers that the course's notebooks export.

What `from beyondtext import ...` offers is listed in `__init__.pyi`, which type checkers read. A name is imported when it is
used for the first time (PEP 562), so importing the package costs next to nothing and loads no PyTorch."""
import re
from importlib import import_module
from pathlib import Path

__version__ = "0.1.0"

_STUB = Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8")
_HOMES = {name: module for module, name in re.findall(r"^from (\.[\w.]+) import (\w+) as \2$", _STUB, re.MULTILINE)}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name], __name__), name)
    return value


def __dir__():
    return sorted({*globals(), *__all__})
