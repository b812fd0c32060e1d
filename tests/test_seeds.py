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


def values_of(claim, table):
    "What the seeds reached, of which there must be some."
    found = table[(table["system"] == claim.system) & (table["measure"] == claim.measure)]["value"]
    if not len(found): pytest.skip(f"not measured yet: python benchmarks/seeds.py {claim.system}")
    return found


@pytest.mark.parametrize("system", measures.MEASURES)
def test_the_table_belongs_to_the_present_recipe(system, table):
    "After a recipe has changed, `python benchmarks/seeds.py SYSTEM` measures it anew."
    rows = table[table["system"] == system]
    assert set(rows["code"]) <= {seeds.code_of(system)}
    for seed, part in rows.groupby("seed"):
        assert seed in seeds.SEEDS and set(part["instructions"]) == {seeds.instructions_of(seed)}
        assert {c.measure for c in measures.CLAIMS if c.system == system} <= set(part["measure"])


@pytest.mark.parametrize("system", measures.MEASURES)
def test_the_table_has_ten_seeds(system, table):
    found = table[table["system"] == system]["seed"].nunique()
    if found < len(seeds.SEEDS): pytest.skip(f"{found} of {len(seeds.SEEDS)} seeds are measured so far; python benchmarks/seeds.py {system} goes on")


@pytest.mark.parametrize("claim", measures.CLAIMS, ids=name)
def test_a_bar_has_a_margin(claim, table):
    "Every seed reaches it but those that `measures.py` admits; the mean of ten is four standard deviations away from it, or as many as it says."
    values = values_of(claim, table)
    sign = -1 if claim.most else 1
    assert (sign * (values - claim.bar) < 0).sum() == claim.missed, values.tolist()
    if len(values) == len(seeds.SEEDS):
        assert sign * (values.mean() - claim.bar) >= claim.deviations * values.std() - 1e-9, (values.mean(), values.std())


@pytest.mark.parametrize("claim", [c for c in measures.CLAIMS if c.page], ids=name)
def test_the_page_claims_what_is_compared(claim):
    cells = nbformat.read(ROOT / "nbs" / f"{claim.page}.ipynb", 4).cells
    assert any(claim.line in cell.source for cell in cells if cell.cell_type == "code")


def test_a_bar_without_a_margin_is_found():
    "The comparison can fail: by one seed below the bar, and by a mean that is too near to it."
    claim = measures.Claim("vit", "shape", 0.9, "beyond/vit", "")
    rows = lambda *values: pd.DataFrame({"system": "vit", "measure": "shape", "value": values})
    test_a_bar_has_a_margin(claim, rows(*[0.95, 0.96] * 5))
    for values in ((0.95, 0.95, 0.89), [0.90, 0.92] * 5):
        with pytest.raises(AssertionError): test_a_bar_has_a_margin(claim, rows(*values))


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
