"""What toys of ten seeds reach, that no choice has seen, on processors that differ: `python benchmarks/seeds.py [SYSTEM ...]`.

Every second toy is trained with the instructions of processors that have AVX2 and no more, as many laptops do. The table goes to
benchmarks/seeds.csv. What it has for the present code is not measured again, so a run that was stopped goes on where it was. All of it takes about 80 minutes on two cores; the toys stay in the cache."""
import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
TABLE = HERE / "seeds.csv"
SEEDS = range(100, 110)
COLUMNS = ["system", "seed", "instructions", "code", "measure", "value"]
INSTRUCTIONS = {
    "all": {},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
}
ONE = "import json, sys; from measures import measure; print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))"


def instructions_of(seed: int) -> str:
    return "avx2" if seed % 2 else "all"


def read_table() -> pd.DataFrame:
    return pd.read_csv(TABLE) if TABLE.is_file() else pd.DataFrame(columns=COLUMNS)


def code_of(system: str) -> str:
    from beyondtext.toys.identity import identity

    return identity(system, environment=False)[:12]


def measured(system: str, seed: int) -> dict[str, float]:
    "Measure one toy in a process of its own. Raises RuntimeError with what it wrote, if it fails."
    settings = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TQDM_DISABLE": "1", "CUDA_VISIBLE_DEVICES": "", "BEYONDTEXT_DEVICE": "cpu", "BEYONDTEXT_CHECKPOINT": "toy"}
    run = subprocess.run(
        [sys.executable, "-c", ONE, system, str(seed)], cwd=HERE, env={**os.environ, **settings, **INSTRUCTIONS[instructions_of(seed)]}, capture_output=True, text=True
    )
    if run.returncode:
        raise RuntimeError(f"{system}, seed {seed}: {run.stderr[-2000:]}")
    return json.loads(run.stdout.strip().splitlines()[-1])


def main(argv=None) -> int:
    from measures import MEASURES

    parser = argparse.ArgumentParser(description="Measure the toys of ten seeds.")
    parser.add_argument("systems", nargs="*", metavar="SYSTEM", help="which (default: all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many at a time (default: one per core)")
    options = parser.parse_args(argv)
    if unknown := set(options.systems) - set(MEASURES):
        parser.error(f"unknown systems {', '.join(sorted(unknown))}; accepted are {', '.join(MEASURES)}")
    codes, lock = {system: code_of(system) for system in MEASURES}, threading.Lock()
    table = read_table()
    table = table[table["code"] == table["system"].map(codes)]
    done = set(zip(table["system"], table["seed"]))
    wanted = [(system, seed) for seed in SEEDS for system in options.systems or MEASURES if (system, seed) not in done]

    def add(system: str, seed: int) -> None:
        nonlocal table
        rows = [(system, seed, instructions_of(seed), codes[system], *item) for item in measured(system, seed).items()]
        with lock:
            table = pd.concat([table, pd.DataFrame(rows, columns=COLUMNS)]) if len(table) else pd.DataFrame(rows, columns=COLUMNS)
            ordered = table.assign(order=table["system"].map(list(MEASURES).index)).sort_values(["order", "seed"], kind="stable").drop(columns="order")
            temporary = TABLE.with_suffix(".tmp")
            ordered.to_csv(temporary, index=False)
            temporary.replace(TABLE)
            print(f"{system}, seed {seed} ({rows[0][2]}): {', '.join(f'{m} {v:.4g}' for *_, m, v in rows)}", flush=True)

    with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
        failed = [error for job in [pool.submit(add, *pair) for pair in wanted] if (error := job.exception())]
    print(*failed, sep="\n", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
