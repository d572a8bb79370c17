"""The promises of the front page: its commands, its links, one list of packages, one style."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import run
from gptlib.instruments.publish import authoring

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", README, re.S)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]
MAKE_ENVIRONMENTS = {
    "conda env create -f environment.yml",
    "conda activate gpt-lectures",
    "python -m pip install -e .[dev]",
}


def test_every_command_of_the_readme_is_run_below_or_makes_an_environment_that_exists():
    tested = {"python run.py lab", "python run.py test", "python run.py refresh 02"}
    tested |= {"python run.py experiments list", "python run.py check", "python run.py html"}
    assert set(COMMANDS) == tested | MAKE_ENVIRONMENTS
    assert (ROOT / "environment.yml").read_text().startswith("name: gpt-lectures\n")


def test_the_readmes_test_command_collects_everything_and_is_what_ci_calls():
    done = subprocess.run(
        [sys.executable, *shlex.split("run.py test --collect-only -q")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for path in [*(ROOT / "tests").glob("test_*.py"), *authoring.NOTEBOOKS.glob("*.ipynb")]:
        assert f"{path.relative_to(ROOT).as_posix()}::" in done.stdout, path
    assert "run.py test" in (ROOT / ".ci" / "run").read_text()
    assert "run.py test" in (ROOT / ".github" / "workflows" / "ci.yml").read_text()


def test_the_readmes_refresh_command_finds_its_notebook_and_a_wrong_number_gets_a_sentence():
    assert [path.name[:2] for path in authoring.chosen(["02"])] == ["02"]
    with pytest.raises(SystemExit, match="no notebook '77'; there are"):
        authoring.chosen(["77"])


def test_the_readme_fits_two_screens_and_its_links_and_picture_exist():
    assert len(README.splitlines()) <= 90
    for target in re.findall(r"\]\(((?!https?:)[^)#]+)", README):
        assert (ROOT / target).exists(), target


def test_the_readmes_map_has_every_notebook_with_what_it_builds():
    for path in sorted(authoring.NOTEBOOKS.glob("*.ipynb")):
        row = next(line for line in README.splitlines() if f"(notebooks/{path.name})" in line)
        for name in re.findall(r"`(\w+)`", row):
            assert name in authoring.definitions(authoring.read(path)), (
                f"{name} is not built in {path.name}"
            )


@pytest.mark.parametrize("file", authoring.PICTURES)
def test_the_readmes_picture_is_the_one_stored_in_its_notebook(file):
    number, words = authoring.PICTURES[file]
    stored = authoring.stored_picture(authoring.read(authoring.chosen([number])[0]), words)
    assert (ROOT / "data" / "pictures" / file).read_bytes() == stored


def test_environment_yml_is_python_pip_and_this_project_and_nothing_else():
    lines = (ROOT / "environment.yml").read_text().splitlines()
    assert lines == [
        "name: gpt-lectures",
        "dependencies:",
        "  - python >=3.11,<3.14",
        "  - pip",
        "  - pip:",
        "      - -e .[dev]",
    ]


def test_every_dependency_is_pinned_exactly_and_says_why_it_is_there():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for package, version in run.pins().items():
        line = next(line for line in text.splitlines() if f'"{package}=={version}"' in line)
        assert re.search(r"# .{10,}", line), f"{package} has no reason beside it"


def test_ruff_finds_nothing_in_code_tests_and_notebooks():
    for task in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *task, "."], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout


def test_taught_modules_import_torch_validate_and_taught_modules_only():
    allowed = {"torch", "gptlib", "contextlib", "dataclasses", "pathlib", "math"}
    for module in authoring.TAUGHT:
        path = ROOT / "gptlib" / f"{module}.py"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for line in re.findall(r"^\s*(?:from|import) ([\w.]+)", text, re.M):
            assert line.split(".")[0] in allowed and not line.startswith("gptlib.instruments"), (
                f"{module}: {line}"
            )


def test_the_taught_part_stays_small_enough_to_be_read():
    paths = {module: ROOT / "gptlib" / f"{module}.py" for module in authoring.TAUGHT}
    lines = {m: len(path.read_text().splitlines()) for m, path in paths.items() if path.exists()}
    todays = lines.pop("modern"), lines.pop("cached")
    assert sum(lines.values()) <= 700 and todays[0] <= 200 and todays[1] <= 70


def test_importing_the_library_prints_nothing_and_seeds_nothing():
    code = "import torch; s = torch.get_rng_state()"
    code += "\nimport gptlib.train, gptlib.sample, gptlib.bigram, gptlib.tokenizer"
    code += "\nassert torch.equal(s, torch.get_rng_state())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
