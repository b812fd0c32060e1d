"The runner: what it writes, what it leaves alone, and that it stops when told."
import json
import os
import re
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
from conftest import ROOT, python

from beyondtext.dev import pages, run as runner, stamp


def cell(source): return nbformat.v4.new_code_cell(source)


@pytest.fixture
def clone(tmp_path):
    "A clone of three notebooks: one that works, one that fails, one with optional cells."
    (tmp_path / "settings.ini").write_text("[DEFAULT]\n")
    notebooks = {"good": ["print('hello')", "import os; os.environ['OMP_NUM_THREADS'], os.environ.get('HF_HUB_OFFLINE')"],
                 "sub/bad": ["1 + 1", "#| fig-alt: x\nint('one')", "print('never')"], "optional": ["#| hub\nprint('hub')", "#| gpu\nprint('gpu')", "print('always')"]}
    for name, sources in notebooks.items():
        front = nbformat.v4.new_raw_cell(f"---\ntitle: The {name} one\ndescription: About it.\n---")
        path = tmp_path / "nbs" / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=[front, nbformat.v4.new_markdown_cell("Say $x^2$."), *map(cell, sources)]), path)
    return tmp_path


FRESH = ("-m", "beyondtext.dev.course")
FORKED = ("-c", "import sys; from beyondtext.dev import course, forks; course._MUCH, forks.Seed.__init__.__defaults__ = 0, ((),); sys.exit(course.main(sys.argv[1:]))")
both_kinds = pytest.mark.parametrize("course", [FRESH, pytest.param(FORKED, marks=pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux alone"))], ids=["fresh", "forked"])


def run(clone, *arguments, course=FRESH): return python(*course, *arguments, cwd=clone)


def texts(path): return ["".join(o.get("text", "") for o in c.outputs) for c in nbformat.read(path, 4).cells if c.cell_type == "code"]


def test_what_fails_is_shown_where_it_happened(clone):
    "With --keep-going: the cells after it run, and its page is written, but it has no record."
    result = run(clone, "--keep-going", "--jobs", "1")
    assert result.returncode == 1
    assert "nbs/sub/bad.ipynb failed: cell 3 (int('one')): ValueError" in result.stderr and "left as it was" not in result.stderr
    assert texts(clone / "_course" / "sub" / "bad.ipynb") == ["", "", "never\n"]
    assert "invalid literal" in (clone / "_course" / "sub" / "bad.html").read_text()
    assert "(failed)" in (clone / "_course" / "start.html").read_text()
    assert "2 notebooks have run" in run(clone, "--keep-going").stderr


def test_a_notebook_that_takes_too_long_is_stopped(clone):
    path = clone / "nbs" / "long.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_raw_cell("---\ntitle: Long\ndescription: x\n---"), cell("print('begun')"), cell("import time; time.sleep(600)")]), path)
    result = run(clone, "--limit", "5", "--keep-going", path)
    assert result.returncode == 1
    assert "nbs/long.ipynb failed: it was stopped after 5 seconds" in result.stderr
    assert texts(clone / "_course" / "long.ipynb") == ["begun\n", ""]
    for wrong in ("0", "-1", "nan"):
        assert "accepted is a number of seconds above 0" in run(clone, "--limit", wrong).stderr


@both_kinds
def test_pages_are_written_and_the_clone_stays_as_it_is(clone, course):
    before = {p: p.read_bytes() for p in clone.rglob("*.ipynb")}
    result = run(clone, "--jobs", "2", course=course)
    assert result.returncode == 1
    assert "nbs/sub/bad.ipynb failed and was left as it was: cell 3 (int('one')): ValueError: invalid literal" in result.stderr
    assert "nbs/good.ipynb" in result.stdout and "peak MB" in result.stdout
    assert {p: p.read_bytes() for p in clone.joinpath("nbs").rglob("*.ipynb")} == before
    made = sorted(p.relative_to(clone / "_course").as_posix() for p in (clone / "_course").rglob("*") if p.is_file())
    assert made == ["good.html", "good.ipynb", "optional.html", "optional.ipynb", "records.json", "start.html"]
    page = (clone / "_course" / "good.html").read_text()
    assert "The good one" in page and "<msup><mi>x</mi><mn>2</mn></msup>" in page 
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=.https?:", page), "a page needs no network"
    assert "good.html" in (clone / "_course" / "start.html").read_text()
    assert texts(clone / "_course" / "optional.ipynb") == ["", "", "always\n"]


def test_saving_stamps_the_notebook_and_check_notices_an_edit(clone):
    path = clone / "nbs" / "good.ipynb"
    assert run(clone, "--check").returncode == 1
    assert run(clone, "--save", path).returncode == 0
    nb = nbformat.read(path, 4)
    found = nb.metadata["beyondtext"]
    assert found["code"] == stamp.code_hash(nb) and set(found) == {"code", "date", "versions", "flags", "seconds", "cpu_seconds", "peak_mb"}
    assert found["versions"]["torch"] and found["peak_mb"] > 20
    assert nb.cells[-1].id == "last-verified" and nb.cells[-1].source.startswith("*Last verified on 20")
    assert [c.execution_count for c in nb.cells if c.cell_type == "code"] == [None, None]
    assert run(clone, "--check", path).returncode == 0
    nb.cells[2].source = "print('hullo')"
    nbformat.write(nb, path)
    result = run(clone, "--check", path)
    assert result.returncode == 1 and "nbs/good.ipynb: its code changed since its outputs were stored on" in result.stdout
    assert run(clone, "--save", "--changed", path).returncode == 0 and texts(path)[0] == "hullo\n"
    before = path.read_bytes()
    assert run(clone, "--save", "--changed", path).returncode == 0 and path.read_bytes() == before


def test_a_failing_notebook_is_left_untouched_and_the_others_are_saved(clone):
    bad, good = clone / "nbs" / "sub" / "bad.ipynb", clone / "nbs" / "good.ipynb"
    before = bad.read_bytes()
    assert run(clone, "--save").returncode == 1
    assert bad.read_bytes() == before and texts(good)[0] == "hello\n"
    assert not [p for p in (clone / "nbs").rglob(".*")]


def test_flags_choose_optional_cells_and_their_outputs_stay(clone):
    path = clone / "nbs" / "optional.ipynb"
    assert run(clone, "--save", "--hub", "--gpu", path).returncode == 0
    assert texts(path) == ["hub\n", "gpu\n", "always\n"]
    assert run(clone, "--save", path).returncode == 0
    assert texts(path) == ["hub\n", "gpu\n", "always\n"], "verified outputs of optional cells are kept"
    nb = nbformat.read(path, 4)
    nb.cells[4].source = "print('ever')"
    nbformat.write(nb, path)
    assert run(clone, "--save", path).returncode == 0
    assert texts(path) == ["", "", "ever\n"], "but not after an edit"


def test_threads_are_shared_and_the_hub_is_off(clone):
    assert run(clone, "--save", "--jobs", "1", clone / "nbs" / "good.ipynb").returncode == 0
    shown = nbformat.read(clone / "nbs" / "good.ipynb", 4).cells[3].outputs[0].data["text/plain"]
    assert shown == repr((str(len(os.sched_getaffinity(0))), "1"))


def test_a_run_goes_on_where_it_was(clone):
    "What has run needs no second time, unless all has, or it is asked for by name, or its code has changed."
    times = lambda: {name: (clone / "_course" / f"{name}.html").stat().st_mtime_ns for name in ("good", "optional")}
    assert run(clone).returncode == 1
    first = times()
    again = run(clone)
    assert again.returncode == 1 and "2 notebooks have run with this code already" in again.stderr and "nbs/sub/bad.ipynb failed" in again.stderr
    assert times() == first
    bad, good = clone / "nbs" / "sub" / "bad.ipynb", clone / "nbs" / "good.ipynb"
    nb = nbformat.read(bad, 4)
    nb.cells[3].source = "int('1')"
    nbformat.write(nb, bad)
    assert run(clone, "--missing").returncode == 0 and times() == first
    assert run(clone, "--missing").returncode == 0 and times() == first
    assert run(clone, good).returncode == 0 and times()["good"] > first["good"]
    nb = nbformat.read(good, 4)
    nb.cells[2].source = "print('hullo')"
    nbformat.write(nb, good)
    second = times()
    assert run(clone, "--missing").returncode == 0 and times()["good"] > second["good"] and times()["optional"] == first["optional"]
    assert run(clone, "--missing", "--hub").returncode == 0 and times()["optional"] > first["optional"]
    assert run(clone, "--hub").returncode == 0 and times()["good"] > second["good"]


TINY = """
import json, sys
sys.path.insert(0, "tests")
import tiny_system
from beyondtext.dev import run
from beyondtext.toys.registry import SYSTEMS, System
for name, seconds, needs in json.loads(sys.argv[1]): SYSTEMS[name] = System(name, tiny_system.TINY.recipe, seconds=seconds, needs=tuple(needs))
print(list(run.training_seconds(json.loads(sys.argv[2]))))
"""


def test_the_longest_chain_of_toys_comes_first():
    toys = [["a", 50, []], ["b", 30, []], ["c", 40, ["b"]], ["d", 45, ["b"]], ["e", 80, []], ["f", 1, []]]
    order = python("-c", TINY, json.dumps(toys), json.dumps(["a", "c", "d", "e"]), cwd=ROOT).stdout.strip()
    assert order == "['e', 'b', 'a', 'd', 'c']"  # b is waited for by d, so 75 seconds hang on it


def test_toys_are_trained_before_the_pages_that_ask_for_them(clone, cache):
    "A page only loads what is there; a toy that fails is reported, and its page says why."
    nb = nbformat.read(clone / "nbs" / "good.ipynb", 4)
    nb.cells[2].source = "from beyondtext.toys.cache import is_trained, toy_folder\nprint(is_trained('vqa-regions'))\ntoy_folder"
    nb.cells[3].source = "if False: toy_folder('vqa-regions')"
    nbformat.write(nb, clone / "nbs" / "good.ipynb")
    result = run(clone, "nbs/good.ipynb")
    assert result.returncode == 0, result.stderr
    assert "toy vqa-regions" in result.stdout and texts(clone / "_course" / "good.ipynb")[0] == "True\n"


@both_kinds
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_leaves_no_kernel_and_no_half_written_file(clone, number, course):
    path = clone / "nbs" / "good.ipynb"
    nb = nbformat.read(path, 4)
    nb.cells[3].source = f"open({str(clone / 'started')!r}, 'w').close(); import time; time.sleep(600)"
    nbformat.write(nb, path)
    before = path.read_bytes()
    process = subprocess.Popen([sys.executable, *course, *["--save"][: course == FRESH], "--jobs", "2", str(path), "nbs/optional.ipynb"], cwd=clone, stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # a shell's background jobs ignore it
    for _ in range(600):
        if (clone / "started").exists(): break
        time.sleep(0.1)
    kernels = psutil.Process(process.pid).children(recursive=True)
    assert kernels
    process.send_signal(number)
    assert process.wait(30) == 130
    assert "Stopped." in process.stderr.read()
    psutil.wait_procs(kernels, timeout=10)
    assert not [k for k in kernels if k.is_running() and k.status() != psutil.STATUS_ZOMBIE]
    assert path.read_bytes() == before and not list((clone / "nbs").glob(".*"))


@both_kinds
def test_a_dying_kernel_is_reported(clone, course):
    path = clone / "nbs" / "good.ipynb"
    nb = nbformat.read(path, 4)
    nb.cells[2].source = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    nbformat.write(nb, path)
    result = run(clone, path, course=course)
    assert result.returncode == 1 and "the kernel died" in result.stderr


def test_all_checks_in_one_command(clone):
    "What has no stored outputs ends it; then what has not run yet runs; then pytest, with the tests that are named from where one is."
    assert run(clone, "--test").returncode == 1 and not (clone / "_course").exists()
    assert "--test goes with no other option, and there is --hub" in run(clone, "--test", "--hub").stderr
    (clone / "nbs" / "sub" / "bad.ipynb").unlink()
    assert run(clone, "--save").returncode == 0
    for name, line in (("good", "pass"), ("bad", "assert False")): (clone / "nbs" / f"test_{name}.py").write_text(f"def test_it(): {line}\n")
    for name, code in (("good", 0), ("bad", 1)): assert run(clone / "nbs", "--test", f"test_{name}.py").returncode == code


def test_toys_of_an_accelerator_have_a_cache_of_their_own(clone, cache):
    path = clone / "nbs" / "good.ipynb"
    nb = nbformat.read(path, 4)
    nb.cells[2].source = "import os; print(os.environ['BEYONDTEXT_CACHE'], os.environ['BEYONDTEXT_DEVICE'])"
    nbformat.write(nb, path)
    for flags, words in (((), f"{cache} cpu\n"), (("--gpu",), f"{cache / 'gpu'} auto\n")):
        assert run(clone, *flags, path).returncode == 0 and texts(clone / "_course" / "good.ipynb")[0] == words


@pytest.mark.parametrize("arguments, message", [(["--jobs", "0"], "--jobs is 0"), (["nbs/none.ipynb"], "accepted are notebooks below"), (["settings.ini"], "accepted are notebooks below")])
def test_bad_arguments(clone, arguments, message):
    result = run(clone, *arguments)
    assert result.returncode != 0 and message in result.stderr


FAILING = """
import asyncio, sys
from beyondtext.dev import forks, run
async def main():
    seed = forks.Seed(run._environment(1, []), preloaded=()) if sys.argv[1] == "forked" else None
    result = await run._train("nothing", run._environment(1, []), [], seed)
    print(result.error)
    if seed: await seed.close()
asyncio.run(main())
"""


@pytest.mark.parametrize("kind", ["fresh", "forked"])
def test_why_a_toy_failed_is_said(kind):
    if kind == "forked" and sys.platform != "linux": pytest.skip("forks on Linux alone")
    said = python("-c", FAILING, kind).stdout
    assert "system is 'nothing'" in said


def test_outside_a_clone(tmp_path):
    result = python("-m", "beyondtext.dev.course", cwd=tmp_path)
    assert result.returncode != 0 and "no settings.ini" in result.stderr


def test_writing_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("old")
    def full(*_): raise OSError(28, "No space left on device")
    monkeypatch.setattr(stamp.os, "replace", full)
    with pytest.raises(OSError): stamp.write_whole(path, "new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_formulas_become_mathml_but_not_prices_or_code():
    found = {}
    text = pages._formulas("It cost $4 and $5. `$x$` is $x$:\n\n$$\\frac{a}{b}$$", found)
    assert len(found) == 2 and "$4 and $5. `$x$` is formula-0000-here" in text
    assert "<mfrac>" in found["formula-0001-here"]


def test_the_readme_is_that_of_the_home_page(): assert (ROOT / "README.md").read_text() == pages.readme(ROOT), "run make export"


def test_widgets_leave_an_image_or_nothing():
    "Without a kernel a widget is a blank: its image stays, and a progress bar goes."
    live = {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "controls"}
    outputs = [nbformat.v4.new_output("display_data", data=data) for data in (live, {**live, "image/png": "aGk="}, {"text/plain": "42"})]
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=outputs), nbformat.v4.new_markdown_cell("y")])
    runner._still(nb)
    assert [sorted(o.data) for o in nb.cells[0].outputs] == [["image/png", "text/plain"], ["text/plain"]]


def test_pages_go_to_the_cache_where_the_clone_cannot_be_written_to(tmp_path, cache, monkeypatch):
    from beyondtext.dev import pages
    assert pages.course_folder(tmp_path) == tmp_path / "_course"
    monkeypatch.setattr(pages.os, "access", lambda *_: False)
    folder = pages.course_folder(tmp_path)
    assert cache in folder.parents and folder == pages.course_folder(tmp_path) != pages.course_folder(tmp_path / "other")
