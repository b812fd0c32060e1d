"nbdev's filter in a process of its own; apart, since the process imports whatever stands in this file."
import os
import sys

PRELOAD = ["torch", "transformers", "matplotlib.pyplot", "pandas", "nbformat", "accelerate", "ipywidgets", "nbdev.cli"]


def filtered(folder, page, out, err):
    "Read a page, write what Quarto gets, and what was complained of."
    os.chdir(folder)
    sys.stdin, sys.stdout, sys.stderr = open(page), open(out, "w"), open(err, "w")
    from nbdev.cli import nbdev_filter
    nbdev_filter()
    sys.stdout.flush()
