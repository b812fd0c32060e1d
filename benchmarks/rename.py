"""After a change that renames toys and leaves their weights as they were: write the present names into what is stored.

`python benchmarks/rename.py OLD_CACHE`, where OLD_CACHE is a copy of the cache from before the change. Toys that are missing in the
present cache are trained first. If every toy of seed 0 has the weights that it had, bit for bit, benchmarks/seeds.csv, the tables of
the experiments, and the notebooks whose own cells are as they were in the last commit get the present names and hashes; if one
differs, nothing is written. All of these must have belonged to the code of that commit, which is what the tests ask for. Notebooks
with other cells are left to `make save`."""
import argparse
import json
import subprocess
import sys
from pathlib import Path

import nbformat
from seeds import TABLE, code_of, read_table

from beyondtext.dev.course import find_notebooks, find_root
from beyondtext.dev.stamp import as_text, code_hash, is_install_cell, read_notebook, stale, write_whole
from beyondtext.toys.cache import load_manifest, toy_folder
from beyondtext.toys.experiments import outdated_experiments, table_path
from beyondtext.toys.identity import identity
from beyondtext.toys.registry import SYSTEMS, find_system, load_recipes


def weights_of(folder: Path) -> dict[str, str]:
    "The check sums of a toy's weights."
    return {name: total for name, total in load_manifest(folder)["files"].items() if name.endswith(".safetensors")}


def old_folders(old: Path, system: str) -> list[Path]:
    return sorted(old.glob(f"{system}-toy-0-????????????"))


def compare(old: Path, systems: list[str]) -> tuple[int, list[str]]:
    "How many check sums were compared, and what differs."
    count, problems = 0, []
    for name in systems:
        before, now = [weights_of(folder) for folder in old_folders(old, name)], weights_of(toy_folder(name))
        count += len(now)
        if now not in before:
            problems.append(f"{name}: {'other weights' if before else 'no toy of seed 0 in the old cache'}")
    return count, problems


def rename_tables() -> list[str]:
    "Write the present hashes into the tables; returns those that have new ones."
    changed, table = [], read_table()
    codes = table["system"].map({system: code_of(system) for system in table["system"].unique()})
    if (codes != table["code"]).any():
        table.assign(code=codes).to_csv(TABLE, index=False)
        changed.append(TABLE.name)
    for name in outdated_experiments():
        path = table_path(system := find_system(name))
        facts, rows = path.read_text(encoding="utf-8").split("\n", 1)
        facts = json.loads(facts.removeprefix("# ")) | {"code": identity(system, environment=False)}
        write_whole(path, f"# {json.dumps(facts)}\n{rows}")
        changed.append(path.name)
    return changed


def own_code(nb) -> list[str]:
    return [c.source for c in nb.cells if c.cell_type == "code" and not is_install_cell(c)]


def rename_notebooks(names: dict[str, str]) -> list[str]:
    "Write the present names and hashes into stale notebooks whose own cells are those of the last commit."
    changed, root = [], find_root()
    for path in filter(stale, find_notebooks(root)):
        committed = subprocess.run(["git", "show", f"HEAD:{path.relative_to(root).as_posix()}"], cwd=root, capture_output=True, text=True)
        nb = read_notebook(path)
        if committed.returncode or own_code(nbformat.reads(committed.stdout, 4)) != own_code(nb):
            continue
        for cell in nb.cells:
            text = json.dumps(cell.get("outputs", []))
            for before, now in names.items():
                text = text.replace(before, now)
            if cell.cell_type == "code":
                cell.outputs = [nbformat.from_dict(output) for output in json.loads(text)]
        nb.metadata["beyondtext"]["code"] = code_hash(nb)
        write_whole(path, as_text(nb))
        changed.append(path.relative_to(root).as_posix())
    return changed


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description="Give stored tables the present names of toys whose weights are as they were.")
    parser.add_argument("old", type=Path, metavar="OLD_CACHE", help="a copy of the cache from before the change")
    options = parser.parse_args(arguments)
    if not options.old.is_dir():
        parser.error(f"OLD_CACHE is {options.old}; accepted is a folder")
    load_recipes()
    systems = sorted(s.name for s in SYSTEMS.values() if not s.is_experiment)
    count, problems = compare(options.old, systems)
    print(*problems, f"{count} check sums compared, {len(problems)} systems differ", sep="\n")
    if not problems:
        names = {folder.name: toy_folder(name).name for name in systems for folder in old_folders(options.old, name)}
        changed = [*rename_tables(), *rename_notebooks(names)]
        print("new names in:", ", ".join(changed) or "none, all were up to date")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
