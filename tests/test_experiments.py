"Experiments: their stored tables belong to the code, and an edit has them run again."
import pytest
from conftest import ROOT, python

from beyondtext.toys import experiments
from beyondtext.toys.registry import SYSTEMS, load_recipes

load_recipes()
EXPERIMENTS = sorted(s.name for s in SYSTEMS.values() if s.is_experiment)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_stored_table_is_read_and_nothing_is_trained(name, cache):
    table = experiments.load_experiment(name)
    assert len(table) and not table.empty and not cache.exists()
    assert table.attrs["measured"].startswith("measured on 20") and " seconds (" in table.attrs["measured"]


def test_every_table_is_of_the_present_code():
    assert experiments.outdated_experiments() == [], "run make save"
    assert sorted(p.stem for p in (ROOT / "beyondtext" / "results").iterdir()) == EXPERIMENTS


EDITED = """
import os, sys
sys.path.insert(0, "tests")
import tiny_system
from beyondtext.toys import experiments
from beyondtext.toys.registry import SYSTEMS, System
SYSTEMS["tiny-experiment"] = system = System("tiny-experiment", tiny_system.TINY.recipe, is_experiment=True)
path = experiments.table_path(system)
experiments.TABLES = path.parents[0].parent / sys.argv[1]
experiments.table_path(system).write_text(experiments.table_text(system))
runs = [tiny_system.runs()]
for setting in ("stored", "run"):
    os.environ["BEYONDTEXT_CACHE"] += setting
    os.environ["BEYONDTEXT_EXPERIMENTS"] = setting
    experiments.load_experiment(system)
    runs.append(tiny_system.runs())
stored = experiments.table_path(system)
stored.write_text(stored.read_text().replace('"code": "', '"code": "0'))
del os.environ["BEYONDTEXT_EXPERIMENTS"]
os.environ["BEYONDTEXT_CACHE"] += "more"
print(experiments.load_experiment(system)["step"].tolist(), [*runs, tiny_system.runs()])
"""


def test_what_other_code_measured_is_measured_again(cache, tmp_path, monkeypatch):
    "And with BEYONDTEXT_EXPERIMENTS=run everything is."
    monkeypatch.setenv("TINY_RUNS", str(tmp_path / "runs"))
    run = python("-c", EDITED, tmp_path, cwd=ROOT)
    assert run.stdout.strip() == "[1, 2] [1, 1, 2, 3]", run.stderr[-2000:]


def test_a_system_that_is_no_experiment():
    with pytest.raises(ValueError, match="system is 'vit', which is not an experiment; accepted are altclip-stages, clip-batches"): experiments.load_experiment("vit")
    with pytest.raises(ValueError, match="system is 'none'"): experiments.load_experiment("none")
