"""After a change that renames toys and leaves their weights as they were: write the present names into what is stored.

`python benchmarks/rename.py OLD_CACHE`, where OLD_CACHE is a copy of the cache from before the change. Toys that are missing in the
present cache are trained first. If every toy of seed 0 has the weights that it had, bit for bit, benchmarks/seeds.csv gets the present
hashes of the code; if one differs, nothing is written. Experiments and pages run code that no toy reaches. With `--tables` the stored
tables of experiments get the present hashes, and with `--pages` the notebooks whose own cells are those of the commit BASE: whoever
says so vouches that only names have changed in the code that they run. All of these must have been up to date at BASE."""
import argparse
import json
import subprocess
import sys
from pathlib import Path

import nbformat
from seeds import TABLE, code_of, read_table

from beyondtext.core import cache_folder
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
    "The toys of a system that were trained before the change."
    found = sorted(old.glob(f"{system}-toy-0-????????????"))
    return [folder for folder in found if folder.name != toy_folder(system).name] or found


def compare(old: Path, systems: list[str]) -> tuple[dict[str, str], int, list[str]]:
    "Old names of toys with the present ones, the number of check sums that were compared, and the differences."
    names, count, problems = {}, 0, []
    for system in systems:
        now, folders = weights_of(toy_folder(system)), old_folders(old, system)
        same = [folder.name for folder in folders if weights_of(folder) == now]
        names |= dict.fromkeys(same, toy_folder(system).name)
        count += len(now)
        if not same:
            problems.append(f"{system}: {'other weights' if folders else 'no toy of seed 0 in the old cache'}")
    return names, count, problems


def rename_seeds() -> list[str]:
    "Write the present hashes into the table of seeds; returns its name if that changed anything."
    table = read_table()
    codes = table["system"].map({system: code_of(system) for system in table["system"].unique()})
    if (codes == table["code"]).all():
        return []
    write_whole(TABLE, table.assign(code=codes).to_csv(index=False))
    return [TABLE.name]


def rename_tables() -> list[str]:
    "Write the present hashes into the tables of experiments; returns those that have new ones."
    changed = []
    for name in outdated_experiments():
        path = table_path(system := find_system(name))
        facts, rows = path.read_text(encoding="utf-8").split("\n", 1)
        facts = json.loads(facts.removeprefix("# ")) | {"code": identity(system, environment=False)}
        write_whole(path, f"# {json.dumps(facts)}\n{rows}")
        changed.append(path.name)
    return changed


def own_code(nb) -> list[str]:
    return [c.source for c in nb.cells if c.cell_type == "code" and not is_install_cell(c)]


def rename_pages(names: dict[str, str], base: str) -> list[str]:
    "Write the present names and hashes into stale notebooks whose own cells are those of the commit; returns these."
    changed, root = [], find_root()
    for path in filter(stale, find_notebooks(root)):
        committed = subprocess.run(["git", "show", f"{base}:{path.relative_to(root).as_posix()}"], cwd=root, capture_output=True, encoding="utf-8")
        if committed.returncode:
            continue
        nb = read_notebook(path)
        if "beyondtext" not in nb.metadata or own_code(nbformat.reads(committed.stdout, 4)) != own_code(nb):
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
    parser = argparse.ArgumentParser(description="Give stored results the present names of toys whose weights are as they were.")
    parser.add_argument("old", type=Path, metavar="OLD_CACHE", help="a copy of the cache from before the change")
    parser.add_argument("--tables", action="store_true", help="also the tables of experiments: you vouch for their code")
    parser.add_argument("--pages", action="store_true", help="also notebooks with the same cells: you vouch for the code that they import")
    parser.add_argument("--base", default="HEAD", help="the commit before the change (default: HEAD)")
    options = parser.parse_args(arguments)
    if not options.old.is_dir() or options.old.resolve() == cache_folder().resolve():
        parser.error(f"OLD_CACHE is {options.old}; accepted is a folder other than the cache in use")
    load_recipes()
    systems = sorted(s.name for s in SYSTEMS.values() if not s.is_experiment)
    names, count, problems = compare(options.old, systems)
    print(*problems, f"{count} check sums compared, {len(problems)} systems differ", sep="\n")
    if not problems:
        changed = rename_seeds() + (rename_tables() if options.tables else []) + (rename_pages(names, options.base) if options.pages else [])
        print("new names in:", ", ".join(changed) or "none, all were up to date")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
