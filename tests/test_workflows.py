"The workflows are valid, and test what they say."
import re
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
    assert files["test"]["jobs"]["locked"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert all(option in str(files["gpu"]["jobs"]) for option in ("--hub --gpu", "--keep-going", "--limit", "~/.cache/huggingface/hub"))
    assert "vars.GPU_RUNNER" in str(files["gpu"]["jobs"])
    assert files["release"]["jobs"]["build"]["needs"] == "test" and "make test" in str(files["release"]["jobs"]["test"])
    assert "lowest-direct" in str(files["test"]["jobs"]["lowest"]) and files["test"]["jobs"]["elsewhere"]["strategy"]["matrix"]["system"] == ["macos-latest", "windows-latest"]
    assert "~/.cache/beyondtext" in str(files["test"]["jobs"]["locked"])
    assert "-r tests/colab.txt" in str(files["test"]["jobs"]["colab"]) and "schedule" in files["test"]["jobs"]["colab"]["if"]
    assert "password" not in str(files["release"]) and files["release"]["jobs"]["publish"]["permissions"] == {"id-token": "write"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_actions_are_pinned(path):
    "By commit, since a tag can be moved; the tag stands behind it for the reader."
    used = re.findall(r"uses: (.*)", path.read_text())
    assert used and all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}  # v[\d.]+", u) for u in used), used


def test_files_that_the_workflows_name_exist():
    for path in WORKFLOWS:
        for name in re.findall(r"(?:tests|nbs)/[\w/*]+\.\w+", path.read_text()): assert list(ROOT.glob(name)), name


def steps(path): return [step for job in yaml.safe_load(path.read_text())["jobs"].values() for step in job["steps"]]


def test_the_commands_that_the_workflows_run_have_these_options():
    commands = [command for path in WORKFLOWS for step in steps(path) for command in re.findall(r"python -m (beyondtext[\w.]+)([^|\n]*)", step.get("run", ""))]
    assert len(commands) >= 4
    for module, options in commands:
        known = python("-m", module, "--help").stdout
        assert all(option in known for option in re.findall(r"--\w[\w-]*", options)), (module, options)


def test_the_gpu_job_is_a_test_suite():
    "On pushes to main, one at a time and the newest wins; what the checkpoints answered is kept even if one of them differs."
    gpu = yaml.safe_load((ROOT / ".github" / "workflows" / "gpu.yml").read_text())
    assert gpu[True]["push"] == {"branches": ["main"]} and gpu[True]["schedule"] and gpu["concurrency"] == {"group": "gpu", "cancel-in-progress": True}
    job = gpu["jobs"]["everything"]
    assert job["if"] == "vars.GPU_RUNNER != ''"
    names = [step.get("run", step.get("uses", "")) for step in job["steps"]]
    verdicts = next(i for i, run in enumerate(names) if "beyondtext.dev.published --gpu" in run)
    assert job["steps"][verdicts]["shell"] == "bash" and "tee verdicts.md" in names[verdicts]  # with this shell, a failure before a pipe counts
    assert any("upload-artifact" in run and job["steps"][i]["with"]["path"] == "verdicts.md" and job["steps"][i]["if"] == "always()" for i, run in enumerate(names) if i > verdicts)


def test_the_readme_has_the_course_without_make():
    "The same commands as in the Makefile, and the job on Windows runs them."
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    job = str(yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())["jobs"]["elsewhere"]["steps"])
    for command in ("-m beyondtext.dev.course\n", "-m beyondtext.dev.course --test"):
        assert f"python {command}".strip() in readme and command in makefile and f"python {command}".strip() in job
    for line in re.findall(r"python -m pip install -c constraints.txt [^\n]*", readme): assert line in job


def test_the_makefile_knows_its_targets():
    for target in ("course", "test", "lab", "site", "export", "save"):
        assert subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True).returncode == 0, target
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    shown = subprocess.run(["make", "-n", "-B", "course"], cwd=ROOT, capture_output=True, text=True).stdout
    assert ".[course]" in shown and ".[dev]" not in shown
