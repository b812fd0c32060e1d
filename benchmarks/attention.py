"""How long does attention take, and how much memory? All of the course's variants, PyTorch's own kernel and, where they are
installed, other packages', in one run: `python benchmarks/attention.py`.

Rounds are interleaved: each runs every contestant once, so that what else the machine does falls on all of them, and the
medians are compared. Peers get queries, keys and values, too; their projections are replaced by the identity.
Other packages: `pip install local-attention performer-pytorch memory-efficient-attention-pytorch`.
"""

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import math
import os
import platform
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from beyondtext.attention.cost import memory_efficient_attention, peak_memory
from beyondtext.attention.linear import Favor, linear_attention
from beyondtext.attention.hashing import lsh_attention
from beyondtext.attention.plans import density
from beyondtext.attention.patterns import Band, bigbird, longformer
from beyondtext.attention.sparse import sparse_attention

HEADS, WIDTH, WINDOW, BLOCK, RANDOM, GLOBALS, FEATURES = 4, 64, 128, 64, 3, 64, 266
PATTERNS = {"band": Band(WINDOW), "BigBird": bigbird(BLOCK, RANDOM), "Longformer": longformer(WINDOW, GLOBALS)}
LARGEST = {"naive": 8192}  # what would need more memory than a laptop has
DENSE, CAUSAL = "dense: PyTorch", "causal: PyTorch"


def naive(q, k, v):
    return (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1) @ v


def merged(t):
    "(batch, heads, n, d) -> (batch, n, heads * d)"
    return t.transpose(1, 2).flatten(2)


def without_projections(layer, *names):
    for name in names:
        setattr(layer, name, torch.nn.Identity())
    return layer.eval()


def transformers_longformer(n, positions):
    from transformers import LongformerConfig
    from transformers.models.longformer.modeling_longformer import LongformerSelfAttention

    config = LongformerConfig(hidden_size=HEADS * WIDTH, num_attention_heads=HEADS, attention_window=[2 * WINDOW])
    layer = without_projections(LongformerSelfAttention(config, 0), "query", "key", "value", "query_global", "key_global", "value_global")
    mask = torch.zeros(1, n)
    mask[:, :positions] = 10000.0
    settings = {"attention_mask": mask, "is_index_masked": mask < 0, "is_index_global_attn": mask > 0, "is_global_attn": positions > 0}
    return lambda q, k, v: layer(merged(q).clone(), **settings)[0]  # it takes one tensor for all three, and divides it in place


def transformers_bigbird(n):
    from transformers import BigBirdConfig
    from transformers.models.big_bird.modeling_big_bird import BigBirdBlockSparseAttention, BigBirdModel

    config = BigBirdConfig(
        hidden_size=HEADS * WIDTH, num_attention_heads=HEADS, block_size=BLOCK, num_random_blocks=RANDOM, max_position_embeddings=n
    )
    layer = without_projections(BigBirdBlockSparseAttention(config), "query", "key", "value")
    blocked, band, rows, columns = BigBirdModel.create_masks_for_block_sparse_attn(torch.ones(1, n), BLOCK)
    masks = {"band_mask": band, "from_mask": rows, "to_mask": columns, "from_blocked_mask": blocked, "to_blocked_mask": blocked}
    return lambda q, k, v: layer(merged(q), **masks)[0]


def transformers_reformer(n):
    from transformers import ReformerConfig
    from transformers.models.reformer.modeling_reformer import LSHSelfAttention

    config = ReformerConfig(
        hidden_size=HEADS * WIDTH,
        num_attention_heads=HEADS,
        attention_head_size=WIDTH,
        lsh_attn_chunk_length=64,
        num_hashes=1,
        num_buckets=None,
        max_position_embeddings=n,
        hash_seed=0,
    )
    layer = without_projections(LSHSelfAttention(config), "query_key", "value")
    return lambda q, k, v: layer(merged(q)).hidden_states


def local_attention(n):
    from local_attention import LocalAttention

    return LocalAttention(WINDOW, look_backward=1, look_forward=1, exact_windowsize=True, use_rotary_pos_emb=False)


def performer(n):
    from performer_pytorch import FastAttention

    return FastAttention(WIDTH, nb_features=FEATURES)


def chunked(n):
    from memory_efficient_attention_pytorch import memory_efficient_attention as function

    return lambda q, k, v: function(q * WIDTH**-0.5, k, v, q_bucket_size=256, k_bucket_size=512)


def sparse(name):
    return lambda n: lambda q, k, v: sparse_attention(q, k, v, PATTERNS[name])


def contestants():
    "name -> (what it is compared with, package that it needs, function of n that gives the function of q, k and v)"
    favor, sdpa = Favor(WIDTH, FEATURES), F.scaled_dot_product_attention
    return {
        DENSE: (None, None, lambda n: sdpa),
        CAUSAL: (None, None, lambda n: lambda q, k, v: sdpa(q, k, v, is_causal=True)),
        "naive": (DENSE, None, lambda n: naive),
        "memory-efficient": (DENSE, None, lambda n: memory_efficient_attention),
        "memory-efficient: memory-efficient-attention-pytorch": ("memory-efficient", "memory-efficient-attention-pytorch", chunked),
        "band": (DENSE, None, sparse("band")),
        "band: transformers' Longformer": ("band", "transformers", lambda n: transformers_longformer(n, 0)),
        "band: local-attention": ("band", "local-attention", local_attention),
        "Longformer": (DENSE, None, sparse("Longformer")),
        "Longformer: transformers": ("Longformer", "transformers", lambda n: transformers_longformer(n, GLOBALS)),
        "BigBird": (DENSE, None, sparse("BigBird")),
        "BigBird: transformers": ("BigBird", "transformers", transformers_bigbird),
        "LSH": (DENSE, None, lambda n: lambda q, k, v: lsh_attention(q, v)),
        "LSH: transformers' Reformer": ("LSH", "transformers", transformers_reformer),
        "linear": (DENSE, None, lambda n: linear_attention),
        "linear, causal": (CAUSAL, None, lambda n: lambda q, k, v: linear_attention(q, k, v, causal=True)),
        "FAVOR+": (DENSE, None, lambda n: lambda q, k, v: linear_attention(q, k, v, feature_map=favor)),
        "FAVOR+: performer-pytorch": ("FAVOR+", "performer-pytorch", performer),
    }


def installed(package):
    try:
        return package is None or importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def passes(function, tensors, gradient):
    "The two things that are measured, as functions without arguments."

    def forward():
        with torch.no_grad():
            return function(*tensors)

    def both():
        leaves = [t.detach().requires_grad_() for t in tensors]
        out = function(*leaves)
        out.backward(gradient.view(out.shape))
        return [leaf.grad for leaf in leaves]

    return {"forward": forward, "forward+backward": both}


def measure(n, rounds, device, only=None):
    "One row for each contestant and pass: median of the seconds, and peak memory in bytes."
    torch.manual_seed(0)
    *tensors, gradient = torch.randn(4, 1, HEADS, n, WIDTH, device=device)
    calls = {}
    for name, (_, package, build) in contestants().items():
        if not installed(package) or n > LARGEST.get(name, n) or (only and name not in only):
            continue
        function = build(n)
        if isinstance(function, torch.nn.Module):
            function = function.to(device)
        calls |= {(name, kind): call for kind, call in passes(function, tensors, gradient).items()}
    seconds, memory = {key: [] for key in calls}, {}
    for key, call in calls.items():  # warms up, too
        memory[key] = peak_memory(call, *tensors, gradient)
    for _ in range(rounds):
        for key, call in calls.items():
            start = time.perf_counter()
            call()
            if device != "cpu":
                torch.accelerator.synchronize()
            seconds[key].append(time.perf_counter() - start)
    return [
        {"name": name, "pass": kind, "n": n, "seconds": statistics.median(times), "peak_bytes": memory[name, kind]}
        for (name, kind), times in seconds.items()
    ]


def compare(rows):
    "Add to each row the ratio to what it is compared with and, for patterns, the share of the ideal."
    seconds, table = {(r["name"], r["pass"], r["n"]): r["seconds"] for r in rows}, contestants()
    for row in rows:
        reference, kind, n = table[row["name"]][0], row["pass"], row["n"]
        if (reference, kind, n) in seconds:
            times = seconds[reference, kind, n] / row["seconds"]
            row |= (
                {"faster_than": reference, "times": times}
                if reference in (DENSE, CAUSAL)
                else {"slower_than": reference, "times": 1 / times}
            )
        if row["name"] in PATTERNS and (DENSE, kind, n) in seconds:
            row["density"] = density(PATTERNS[row["name"]], n)
            row["share_of_ideal"] = row["density"] * seconds[DENSE, kind, n] / row["seconds"]
    return rows


def slopes(rows, least=2048):
    "The exponent of n in the time from `least` to the largest length: {pass: {name: exponent}}."
    found = {}
    for (kind, name), group in pd.DataFrame(rows).groupby(["pass", "name"], sort=False):
        group = group[group["n"] >= least]
        if len(group) > 1:
            found.setdefault(kind, {})[name] = float(np.polyfit(np.log(group["n"]), np.log(group["seconds"]), 1)[0])
    return found


def machine(device):
    "What kind of machine it is, without its name."
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    if device != "cpu":
        model = torch.cuda.get_device_name() if torch.cuda.is_available() else device
    return f"{model}, {os.cpu_count()} cores, {torch.get_num_threads()} thread{'s' * (torch.get_num_threads() > 1)} used"


def show(report):
    "Tables for people."
    data = pd.DataFrame(report["results"])
    for column, title, scale in (("seconds", "milliseconds", 1e3), ("peak_bytes", "peak memory, MB", 1e-6)):
        for kind, group in data.groupby("pass", sort=False):
            print(f"\n{title}, {kind}")
            print(
                (group.pivot(index="name", columns="n", values=column).loc[list(dict.fromkeys(group["name"]))] * scale).round(1).to_string()
            )
    last = data[data["n"] == data["n"].max()]
    for column in ("faster_than", "slower_than"):
        if column in last:
            columns = ["name", "pass", column, "times"] + ["share_of_ideal"] * (column == "faster_than" and "share_of_ideal" in last)
            print(f"\nat n = {data['n'].max()}")
            print(last.dropna(subset=[column])[columns].round(2).to_string(index=False, na_rep=""))
    print("\nexponents of n, from 2k tokens on")
    print(pd.DataFrame(report["slopes"]).round(2).to_string(na_rep=""))


def plot(report, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    data = pd.DataFrame(report["results"])
    kinds = list(dict.fromkeys(data["pass"]))
    figure, axes = plt.subplots(1, len(kinds), figsize=(12, 5.5), sharey=True, layout="constrained")
    for ax, kind in zip(axes, kinds):
        for number, (name, group) in enumerate(data[data["pass"] == kind].groupby("name", sort=False)):
            peer = contestants()[name][0] not in (None, DENSE, CAUSAL)
            ax.loglog(group["n"], 1e3 * group["seconds"], "--" if peer else "-", marker="o", ms=3, color=f"C{number % 10}", label=name)
        ax.set(title=kind, xlabel="tokens", xscale="log")
        ax.set_xscale("log", base=2)
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("milliseconds")
    axes[-1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle(f"{report['machine']}; {report['date']}", fontsize=9)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--lengths",
        type=lambda text: [int(n) for n in text.split(",")],
        help="separated by commas; multiples of 256 (default: 1024 to 16384)",
    )
    parser.add_argument("--long", action="store_true", help="up to 65536 tokens")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--only", type=lambda text: text.split(","), help="names of contestants, separated by commas")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"), help="a JSON file; the plot goes beside it")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore")
    lengths = options.lengths or [2**power for power in range(10, 17 if options.long else 15)]
    rows = []
    for n in lengths:
        print(f"n = {n} ...", flush=True)
        rows += measure(n, options.rounds, options.device, options.only)
    packages = {package for _, package, _ in contestants().values()} - {None}
    report = {
        "date": datetime.date.today().isoformat(),
        "machine": machine(options.device),
        "versions": {p: installed(p) for p in ["torch", *sorted(packages)] if installed(p)},
        "settings": {
            "batch": 1,
            "heads": HEADS,
            "width": WIDTH,
            "type": "float32",
            "rounds": options.rounds,
            "window": WINDOW,
            "block": BLOCK,
            "random blocks": RANDOM,
            "global tokens": GLOBALS,
            "features": FEATURES,
        },
        "slopes": slopes(rows),
        "results": compare(rows),
    }
    show(report)
    options.out.write_text(json.dumps(report, indent=1) + "\n")
    plot(report, options.out.with_suffix(".png"))
    print(f"\nwritten: {options.out} and {options.out.with_suffix('.png').name}")


if __name__ == "__main__":
    main()
