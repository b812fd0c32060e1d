"""As published, rehearsed: every cell that needs the hub runs against a stand-in for it, with the cells that it depends on, up to the
comparison with the published result, which random weights can't reach."""
import json
import re

import nbformat
import pytest
import stand_in
from conftest import NOTEBOOKS, ROOT, python

from beyondtext.dev.published import is_marked, main, run_hub_cells

HUB = {p.relative_to(ROOT / "nbs").with_suffix("").as_posix(): p for p in NOTEBOOKS if any(is_marked(c, "hub") for c in nbformat.read(p, 4).cells)}


@pytest.fixture(scope="module")
def root(tmp_path_factory): return stand_in.build(tmp_path_factory.mktemp("repositories"))


@pytest.fixture
def hub(root, tmp_path):
    with stand_in.serving(root) as env: yield env | {"HF_HOME": str(tmp_path / "hf"), "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "TOKENIZERS_PARALLELISM": "false"}


def outcomes(name, env):
    "Of each hub cell of a notebook: its source, and what became of it. The cells that they depend on must pass."
    cells, rows = nbformat.read(HUB[name], 4).cells, run_hub_cells(HUB[name], env, gpu=True)
    others = [row for row in rows if not row["is_hub"] and row["outcome"] != "passed"]
    assert not others, others
    return {row["cell"]: (cells[row["cell"]].source, row["outcome"]) for row in rows if row["is_hub"]}


def must_differ(source):
    "Does a cell compare what random weights decide with a published result?"
    return ".check(" in source and not ("clip_tokenizer" in source and stand_in.MERGES.is_file())


@pytest.mark.parametrize("name", HUB)
def test_every_hub_cell_reaches_its_comparison(name, hub):
    for number, (source, outcome) in outcomes(name, hub).items():
        print(f"{name}, cell {number}: {outcome[:150]}")
        if must_differ(source):
            assert re.match(r"AssertionError: \S+/\S+ was given .+: expected .+, as published in .+, found .+", outcome, re.S), (name, number, outcome)
        else:
            assert outcome == "passed", (name, number, outcome)


def test_all_of_them():
    "Each repository that they name has a stand-in. (How many there are stands at the head of a run.)"
    assert sum(is_marked(c, "hub") for p in HUB.values() for c in nbformat.read(p, 4).cells) >= 23
    text = "\n".join(c.source for p in HUB.values() for c in nbformat.read(p, 4).cells if c.cell_type == "code")
    named = set(re.findall(r'"((?:google|openai|facebook|EleutherAI|BAAI|impira|dandelin|llava-hf|sd2-community|allenai|hf-internal-testing)/[\w.-]+)"', text))
    assert named <= set(stand_in.REPOSITORIES) | set(stand_in.DATASETS), named - set(stand_in.REPOSITORIES) - set(stand_in.DATASETS)


def test_a_file_that_is_missing_is_noticed(hub):
    "By the cells of its page, and by no other's."
    stand_in.Server.hidden = {"google/vit-base-patch16-224/preprocessor_config.json"}
    assert any("passed" != outcome and not outcome.startswith("AssertionError") for _, outcome in outcomes("beyond/vit", hub).values())
    for source, outcome in outcomes("multimodal/vqa", hub).values(): assert outcome.startswith("AssertionError") if must_differ(source) else outcome == "passed"


HELPERS = """
import json, os, sys, urllib.request, warnings
import numpy as np
from beyondtext import ask_document, ask_image, ask_table, classify_image, classify_video, complete_image, encode_text, find_images, match_texts, transcribe
image = np.zeros((64, 64, 3), np.uint8)
calls = {
    "classify_image": lambda: classify_image(image, checkpoint="hub"),
    "complete_image": lambda: complete_image(image[:32], n=1, checkpoint="hub"),
    "classify_video": lambda: classify_video([image] * 8, checkpoint="hub"),
    "ask_table": lambda: ask_table({"a": ["1", "2"]}, "how many?", checkpoint="hub"),
    "transcribe": lambda: transcribe(np.random.default_rng(0).normal(0, 0.1, 16_000), sampling_rate=16_000, checkpoint="hub"),
    "match_texts": lambda: match_texts(image, ["cats", "text"], checkpoint="hub"),
    "match_texts, AltCLIP": lambda: match_texts(image, ["cats", "text"], system="altclip", checkpoint="hub"),
    "find_images": lambda: find_images([image, image + 9], "cats", checkpoint="hub"),
    "encode_text": lambda: encode_text("cats", checkpoint="hub"),
    "ask_image": lambda: ask_image(image, "how many cats?", checkpoint="hub"),
    "ask_document": lambda: ask_document({"words": ["Total", "9.00"], "boxes": [(0, 0, 100, 20), (200, 0, 300, 20)]}, "what is the total?", checkpoint="hub"),
}
def count(): return int(urllib.request.urlopen(os.environ["HF_ENDPOINT"] + "/count").read())
found = {}
for name, call in calls.items():
    if len(sys.argv) > 1 and name not in sys.argv[1:]: continue
    before = count()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        call()
    first = count()
    call()
    found[name] = {"first": first - before, "second": count() - first, "said": [str(w.message) for w in said]}
print(json.dumps(found))
"""


def helpers(env, *names):
    run = python("-c", HELPERS, *names, env=env)
    assert run.returncode == 0, run.stderr[-2500:]
    return json.loads(run.stdout.strip().splitlines()[-1])


def test_helpers_ask_the_hub_once(hub):
    "No request at the second call; none at all in the next process, where the commit is known. Pickled weights are spoken of."
    found = helpers(hub)
    for name, facts in found.items():
        assert facts["second"] == 0 and (facts["first"] > 0 or name in ("encode_text", "find_images")), (name, facts)
        pickled = [words for words in facts["said"] if "weights_only=True" in words]
        assert len(pickled) == (name in ("classify_video", "ask_image")), (name, facts)
    again = helpers(hub, *(set(found) - {"complete_image"}))  # whose commit isn't known
    assert all(facts["first"] == facts["second"] == 0 for facts in again.values()), again


CLIP = """
import json, sys, warnings
from beyondtext.toys.hub import hub_folder
found = []
for revision in sys.argv[1:]:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        folder = hub_folder("openai/clip-vit-base-patch32", revision)
    found.append([sorted(p.suffix for p in folder.iterdir() if p.suffix in (".bin", ".safetensors")), ["weights_only" in str(w.message) for w in said]])
print(json.dumps(found))
"""


def test_a_conversion_is_taken_for_the_commit_that_was_converted(hub):
    "And for no other, whose weights it may not be: neither when it is fetched nor from the cache."
    newest, other = stand_in.REPOSITORIES["openai/clip-vit-base-patch32"][3], "0123456789" * 4
    for revisions in ((newest, other), (other, newest)):
        run = python("-c", CLIP, *revisions, env=hub)
        assert run.returncode == 0, run.stderr[-1500:]
        found = dict(zip(revisions, json.loads(run.stdout.strip().splitlines()[-1])))
        assert found[newest] == [[".safetensors"], []] and found[other] == [[".bin"], [True]], found


def test_the_hub_as_default_leaves_what_was_never_published_alone(hub):
    run = python("-c", "from beyondtext.toys.hub import checkpoint_folder; print(checkpoint_folder('layoutlm').name)", env=hub | {"BEYONDTEXT_CHECKPOINT": "hub"})
    assert run.returncode == 0 and run.stdout.startswith("layoutlm-toy-0-"), run.stderr[-800:]


def test_the_table_of_verdicts(hub, monkeypatch, capsys):
    "python -m beyondtext.dev.published: a row for each comparison, with the commit; with random weights all differ, and the exit code says so."
    for key, value in hub.items(): monkeypatch.setenv(key, value)
    monkeypatch.chdir(ROOT)
    assert main([str(HUB["multimodal/vqa"])]) == 1
    found = capsys.readouterr().out
    for start in ("dandelin/vilt-b32-finetuned-vqa | d0a1f6a | .* | 2 |", "llava-hf/llava-interleave-qwen-0.5b-hf | [0-9a-f]{7} | .* | a photo of two cats lying on a pink blanket |"):
        row = re.escape("| vqa | ") + start.replace("|", r"\|") + r" .* \| differs \| \d+ \| [\d.]+ \|"
        assert re.search(row, found), found


def test_promises_are_kept():
    "Each system's page is there, builds from scratch what it says, and its checkpoint has a stand-in."
    from beyondtext.toys.registry import promises
    rows = promises()
    assert {p.parent.name for p in (ROOT / "nbs" / f"{page}.ipynb" for _, page, *_ in rows) if p.is_file()} == {"beyond", "multimodal"} and len(rows) >= 11
    for name, page, scratch, _, published in rows:
        text = (ROOT / "nbs" / f"{page}.ipynb").read_text()
        assert not scratch or "scratch" in text.lower() or "gumbel" in text.lower(), name
        assert not published or published in stand_in.REPOSITORIES, name
    assert promises()._repr_markdown_().count("no checkpoint here") == sum(not published for *_, published in rows)
