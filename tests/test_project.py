"""The promises of the front page: its commands, its links, one list of packages, one style."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest
from importlinter.cli import lint_imports

import run
from gptlib.instruments.install.wanted import pins
from gptlib.instruments.publish import authoring

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", README, re.S)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]


def test_every_command_of_the_readme_is_one_that_run_py_knows_or_installs_this_project():
    for command in COMMANDS:
        words = shlex.split(command)
        if words[:2] == ["python", "run.py"]:
            assert words[2] in run.COMMANDS, f"{command}: run.py knows {', '.join(run.COMMANDS)}"
        else:
            known = ("conda env create -f environment.yml", "conda activate gpt-lectures")
            assert command in (*known, "python -m pip install -e .[dev]"), (
                f"the README says {command!r}; no test knows what that does: try it in one, or list it here"
            )


@pytest.mark.parametrize("words", ["experiments list", "check", "--help", "bench"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_what_only_prints_prints_in_any_console(words, encoding):
    done = subprocess.run(
        [sys.executable, "run.py", *words.split()],
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        capture_output=True,
    )
    said = done.stdout.decode(encoding)
    assert (done.returncode, done.stderr) == (0, b"") and len(said) > 50, done.stderr.decode()


def test_the_readmes_test_command_collects_everything_and_is_what_ci_calls():
    done = subprocess.run(
        [sys.executable, "run.py", "test", "--collect-only", "-q"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for path in [*(ROOT / "tests").glob("test_*.py"), *authoring.NOTEBOOKS.glob("*.ipynb")]:
        assert f"{path.relative_to(ROOT).as_posix()}::" in done.stdout, (
            f"run.py test does not run {path.name}; see testpaths in pyproject.toml"
        )
    for path in (ROOT / ".ci" / "run", ROOT / ".github" / "workflows" / "ci.yml"):
        assert "run.py test" in path.read_text(encoding="utf-8"), f"{path} runs something else"


def test_the_readmes_refresh_command_finds_its_notebook_and_a_wrong_number_gets_a_sentence():
    assert [path.name[:2] for path in authoring.chosen(["02"])] == ["02"]
    with pytest.raises(SystemExit, match="no notebook '77'; there are"):
        authoring.chosen(["77"])


def test_the_readmes_links_and_picture_exist():
    for target in re.findall(r"\]\(((?!https?:)[^)#]+)", README):
        assert (ROOT / target).exists(), f"the README links to {target}, which is not there"


def test_the_readmes_table_has_every_notebook_with_what_it_builds():
    rows = {
        path: [line for line in README.splitlines() if f"(notebooks/{path.name})" in line]
        for path in authoring.chosen([])
    }
    for path, found in rows.items():
        assert len(found) == 1, (
            f"the README's table needs one row for {path.name}: "
            f"| [{path.name[:2]}](notebooks/{path.name}) | question | `names it builds` |"
        )
        built = authoring.definitions(authoring.read(path))
        for name in re.findall(r"`(\w+)`", found[0]):
            assert name in built, f"the README says that {path.name} builds {name}, and it does not"


@pytest.mark.parametrize("file", authoring.PICTURES)
def test_the_readmes_picture_is_the_one_stored_in_its_notebook(file):
    number, words = authoring.PICTURES[file]
    stored = authoring.stored_picture(authoring.read(authoring.chosen([number])[0]), words)
    assert (ROOT / "data" / "pictures" / file).read_bytes() == stored, (
        f"data/pictures/{file} is not what {number} shows; python run.py refresh {number}"
    )


def test_conda_gets_the_same_python_and_packages_as_pip():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert text.startswith("name: gpt-lectures\n") and "\n  - pip\n" in text
    assert f"python {project['requires-python']}\n" in text, "another Python than in pyproject.toml"
    assert "- -e .[dev]" in text and "==" not in text, "the list of packages is pyproject.toml's"


def test_every_dependency_is_pinned_exactly_and_says_why_it_is_there():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for package, version in pins(ROOT).items():
        line = next(line for line in text.splitlines() if f'"{package}=={version}"' in line)
        assert re.search(r"# .{10,}", line), f"say beside {package} what it is for"


def test_ruff_finds_nothing_in_code_tests_and_notebooks():
    for task in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *task, "."], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout


def test_taught_modules_import_torch_the_standard_library_and_one_another_only():
    graph = grimp.build_graph("gptlib", include_external_packages=True, cache_dir=None)
    taught = {f"gptlib.{module}" for module in (*authoring.TAUGHT, "validate")}
    for module in sorted(taught):
        strange = graph.find_modules_directly_imported_by(module) - taught - {"torch"}
        strange -= set(sys.stdlib_module_names)
        assert not strange, (
            f"{module} imports {', '.join(strange)}: what is taught is made of torch, validate and what is taught"
        )


def test_the_rooms_import_one_way_and_nothing_in_a_circle(capsys):
    kept = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True)
    assert kept == 0, capsys.readouterr().out


def test_a_taught_module_is_small_enough_to_be_read():
    for module in authoring.TAUGHT:
        lines = len((ROOT / "gptlib" / f"{module}.py").read_text(encoding="utf-8").splitlines())
        assert lines <= 250, f"gptlib/{module}.py has {lines} lines: one idea a file, about 150"


def test_importing_the_library_prints_nothing_and_seeds_nothing():
    code = "import torch; s = torch.get_rng_state()"
    code += "\nimport gptlib.train, gptlib.sample, gptlib.bigram, gptlib.tokenizer"
    code += "\nassert torch.equal(s, torch.get_rng_state())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
