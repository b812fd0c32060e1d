"The bars that pages claim, against what ten seeds reached that no choice has seen."
import sys

import nbformat
import pandas as pd
import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import measures
import seeds


@pytest.fixture(scope="module")
def table(): return seeds.read_table()


def name(claim): return f"{claim.system}: {claim.measure}"


@pytest.mark.parametrize("system", measures.MEASURES)
def test_the_table_has_ten_seeds_of_the_present_recipe(system, table):
    "After a recipe has changed, `python benchmarks/seeds.py SYSTEM` measures it anew."
    rows = table[table["system"] == system]
    assert set(rows["code"]) == {seeds.code_of(system)}
    for seed in seeds.SEEDS: assert set(rows[rows["seed"] == seed]["instructions"]) == {seeds.instructions_of(seed)}
    assert (rows.groupby("measure")["seed"].nunique() == 10).all() and {c.measure for c in measures.CLAIMS if c.system == system} <= set(rows["measure"])


@pytest.mark.parametrize("claim", measures.CLAIMS, ids=name)
def test_a_bar_has_a_margin(claim, table):
    "Ten seeds of ten reach it, and the mean of them is four standard deviations away from it, or as many as `measures.py` says."
    values = table[(table["system"] == claim.system) & (table["measure"] == claim.measure)]["value"]
    sign = -1 if claim.most else 1
    assert (sign * (values - claim.bar) >= 0).all(), values.tolist()
    assert sign * (values.mean() - claim.bar) >= claim.deviations * values.std() - 1e-9, (values.mean(), values.std())


@pytest.mark.parametrize("claim", measures.CLAIMS, ids=name)
def test_the_page_claims_what_is_compared(claim):
    cells = nbformat.read(ROOT / "nbs" / f"{claim.page}.ipynb", 4).cells
    assert any(claim.line in cell.source for cell in cells if cell.cell_type == "code")


def test_a_bar_without_a_margin_is_found(table):
    "The comparison can fail: with a bar at the mean."
    claim = measures.CLAIMS[0]
    values = table[(table["system"] == claim.system) & (table["measure"] == claim.measure)]["value"]
    with pytest.raises(AssertionError): test_a_bar_has_a_margin(measures.Claim(claim.system, claim.measure, values.mean(), claim.page, claim.line), table)


def test_a_run_that_was_stopped_goes_on(tmp_path, monkeypatch, capsys):
    "What the table has for the present code is kept; what other code measured is measured again."
    monkeypatch.setattr(seeds, "TABLE", tmp_path / "seeds.csv")
    rows = [("vit", 100, "all", seeds.code_of("vit"), "shape", 0.5), ("vit", 101, "avx2", "other code", "shape", 0.5)]
    pd.DataFrame(rows, columns=seeds.COLUMNS).to_csv(seeds.TABLE, index=False)
    asked = []
    monkeypatch.setattr(seeds, "measured", lambda system, seed: asked.append(seed) or {"shape": seed / 1000})
    assert seeds.main(["vit", "--jobs", "1"]) == 0 and asked == list(range(101, 110))
    found = seeds.read_table()
    assert found["seed"].tolist() == list(seeds.SEEDS) and found["value"].tolist()[:2] == [0.5, 0.101]
    with pytest.raises(SystemExit): seeds.main(["vut"])
    assert "unknown systems vut" in capsys.readouterr().err
