"A system that trains in no time, for the tests of what surrounds training. Counts its runs in a file."
import os
import time
from pathlib import Path

import torch

from beyondtext.toys.registry import System
from beyondtext.toys.training import fit


def recipe(seed, size):
    "A real, tiny ViT; slow if TINY_SECONDS says so."
    from transformers import ViTForImageClassification, ViTImageProcessorPil
    from beyondtext.recipes.vit import vit_config
    with open(os.environ["TINY_RUNS"], "a") as runs: runs.write(f"{os.getpid()}\n")
    torch.manual_seed(seed)
    model = ViTForImageClassification(vit_config(hidden_size=8, intermediate_size=16, num_attention_heads=2, num_hidden_layers=1))
    history = fit(model, {"pixel_values": torch.zeros(8, 3, 32, 32), "labels": torch.zeros(8, 14)}, steps=2)
    time.sleep(float(os.environ.get("TINY_SECONDS", 0)))
    return (model, ViTImageProcessorPil(size={"height": 32, "width": 32})), history


TINY = System("tiny", recipe, "team/tiny", "main")


def runs():
    path = Path(os.environ["TINY_RUNS"])
    return len(path.read_text().splitlines()) if path.exists() else 0
