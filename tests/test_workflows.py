"The workflows are valid, and test what they say."
import subprocess

import pytest
import yaml
from conftest import ROOT, python

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_workflows_are_valid(path):
    run = python("-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", path)
    assert run.returncode == 0, run.stdout


def test_dependabot_is_valid():
    run = python("-m", "check_jsonschema", "--builtin-schema", "vendor.dependabot", ROOT / ".github" / "dependabot.yml")
    assert run.returncode == 0, run.stdout


def test_a_broken_workflow_would_be_noticed(tmp_path):
    (tmp_path / "x.yml").write_text(WORKFLOWS[0].read_text().replace("runs-on", "run-on"))
    assert python("-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", tmp_path / "x.yml").returncode != 0


def test_what_they_run():
    files = {p.stem: yaml.safe_load(p.read_text()) for p in WORKFLOWS}
    assert set(files) == {"test", "gpu", "site", "release"}
    assert files["test"]["jobs"]["locked"]["strategy"]["matrix"]["python"] == ["3.10", "3.11", "3.12", "3.13"]
    assert "--hub --gpu" in str(files["gpu"]["jobs"]) and "vars.GPU_RUNNER" in str(files["gpu"]["jobs"])
    assert "password" not in str(files["release"]) and files["release"]["jobs"]["publish"]["permissions"] == {"id-token": "write"}


def test_the_makefile_knows_its_targets():
    for target in ("course", "test", "lab", "site", "export", "save"):
        assert subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True).returncode == 0, target
    assert "make test" in (ROOT / ".ci" / "run").read_text()
