"""run.py: copies that are never overwritten, one sentence for what goes wrong, and the next try goes on."""

import ast
import importlib.metadata
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest
from browser import lab
from nbformat.v4 import new_notebook

import run
from gptlib.instruments.install import wanted

ROOT = Path(__file__).parents[1]


@pytest.fixture
def lectures(tmp_path):
    source = tmp_path / "notebooks"
    source.mkdir()
    for name in ("01_a.ipynb", "02_b.ipynb"):
        (source / name).write_text(f"text of {name}")
    return source, tmp_path / "my"


def texts(folder):
    return {path.name: path.read_text() for path in sorted(folder.glob("*.ipynb"))}


def test_the_first_start_copies_every_lecture_and_the_next_one_nothing(lectures):
    assert len(run.copy_lectures(*lectures)) == 2
    assert texts(lectures[1]) == texts(lectures[0])
    assert run.copy_lectures(*lectures) == []


def test_the_readers_work_is_never_overwritten_and_a_changed_lecture_arrives_once_beside_it(
    lectures,
):
    source, mine = lectures
    run.copy_lectures(source, mine)
    (mine / "01_a.ipynb").write_text("my work")
    (source / "01_a.ipynb").write_text("second edition")
    assert [path.name for path in run.copy_lectures(source, mine)] == ["01_a_new2.ipynb"]
    assert run.copy_lectures(source, mine) == []
    (source / "01_a.ipynb").write_text("third edition")
    run.copy_lectures(source, mine)
    found = texts(mine)
    assert found["01_a.ipynb"] == "my work"
    assert (found["01_a_new2.ipynb"], found["01_a_new3.ipynb"]) == (
        "second edition",
        "third edition",
    )


def test_a_deleted_copy_comes_back_fresh(lectures):
    run.copy_lectures(*lectures)
    (lectures[1] / "02_b.ipynb").unlink()
    run.copy_lectures(*lectures)
    assert texts(lectures[1]) == texts(lectures[0])


@pytest.mark.parametrize("version", [(3, 10), (3, 15), (2, 7)])
def test_another_python_gets_one_sentence(version):
    with pytest.raises(run.UserError, match=r"need 3\.11 to 3\.14; install one of these"):
        run.check_python(version)


def test_the_pythons_are_the_same_wherever_they_are_named():
    (_, oldest), (_, newest) = wanted.OLDEST, wanted.NEWEST
    places = {
        "pyproject.toml": f'requires-python = ">=3.{oldest},<3.{newest + 1}"',
        "environment.yml": f"python >=3.{oldest},<3.{newest + 1}\n",
        "README.md": f"Python 3.{oldest} to 3.{newest};",
        ".ci/run": f"(3, {oldest}) <= sys.version_info[:2] <= (3, {newest})",
        ".github/workflows/ci.yml": f'python: ["3.{oldest}", "3.{newest}"]',
    }
    for file, words in places.items():
        assert words in (ROOT / file).read_text(encoding="utf-8"), f"{file} has no {words}"
    tried = " ".join(f"python3.{minor}" for minor in range(newest, oldest - 1, -1))
    assert f"in python3 {tried};" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for version in (wanted.OLDEST, wanted.NEWEST, sys.version_info):
        run.check_python(version)


def command(*arguments, folder=ROOT, **environment):
    return subprocess.run(
        [sys.executable, "run.py", *arguments],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("lba", "There is no command 'lba'; there are: lab, check, "),
        ("check x", "check takes no arguments, and x came; it looks at all of my/."),
        ("html a b", "html takes the name of one folder, and a b came."),
        ("html --full", "html takes the name of one folder, and --full came."),
        ("html README.md", "README.md is a file; html takes the name of a folder."),
        ("refresh 77", "There is no notebook '77'; there are: 00, 01."),
        ("refresh --all", "There is no notebook '--all'; there are: 00, 01."),
        ("bench nope", "There is no benchmark 'nope'; there are: "),
        ("pins nope", "'nope' is not pinned; there are: torch, numpy, "),
        ("lab --torch-index", "--torch-index needs a value after it"),
        ("test --torch-index=", "--torch-index needs a value after it"),
        ("lab --torch-index --no-browser", "--torch-index needs a value after it"),
        ("lab --port x", "--port is x; it must be a number from 0 to 65535."),
    ],
)
def test_a_slip_of_the_command_line_gets_one_sentence_and_installs_nothing(
    words, sentence, clone, capsys, monkeypatch
):
    monkeypatch.setattr(run, "become", lambda command: pytest.fail(f"started {command}"))
    for name in ("notebooks/00_a.ipynb", "notebooks/01_b.ipynb", "README.md"):
        (clone.root / name).parent.mkdir(exist_ok=True)
        (clone.root / name).touch()
    monkeypatch.chdir(clone.root)
    assert run.main(words.split()) == 1
    said = capsys.readouterr()
    assert sentence in said.err and said.err.count("\n") == 1 and said.out == ""
    assert clone.installed == []


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("name", run.COMMANDS)
def test_help_behind_a_command_shows_its_lines_and_starts_nothing(name, flag, capsys, monkeypatch):
    monkeypatch.setitem(run.COMMANDS, name, lambda _: pytest.fail("it ran"))
    assert run.main([name, flag]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"python run.py {name} ")
    assert all(re.search(rf"\b{name}\b", line) for line in lines)
    assert any(line.startswith("--torch-index") for line in lines) == (name in ("lab", "test"))


def test_the_help_has_every_command():
    done = command("--help")
    named = re.findall(r"^    python run\.py (\w+)", done.stdout, re.M)
    assert set(named) == set(run.COMMANDS)


def test_run_py_starts_with_the_standard_library_alone_and_on_a_python_that_is_too_old():
    code = "import run, sys; print(*[m.__file__ for m in sys.modules.values() if getattr(m, '__file__', None)])"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, env={}, capture_output=True, text=True
    )
    ours = [Path(file) for file in done.stdout.split() if Path(file).is_relative_to(ROOT)]
    assert {"run.py", "installing.py"} <= {path.name for path in ours}, done.stderr
    for path in ours:
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_a_character_that_the_console_lacks_becomes_a_question_mark():
    code = "import run; run.COMMANDS['say'] = lambda _: print('1/√D'); run.main(['say'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("1/?D\n", "")


def test_a_taken_port_gets_one_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = command("lab", "--port", str(taken.getsockname()[1]), "--no-browser")
    assert done.returncode == 1 and "is taken" in done.stderr and done.stderr.count("\n") == 1


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A copy of the project in which run.py would have to make an environment; what it would install, in a list."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.delenv("GPTLIB_PYTHON")  # under which nothing is installed
    monkeypatch.setattr(wanted, "version_here", lambda package: None)

    def install(root, venv, torch_index):
        run.python_in(venv).parent.mkdir(parents=True, exist_ok=True)
        run.python_in(venv).touch()
        found.installed.append(torch_index)

    found = SimpleNamespace(root=tmp_path, installed=[])
    monkeypatch.setattr(run, "install", install)
    return found


def test_installing_happens_once_and_again_when_pyproject_changes_or_the_folder_moves(
    clone, monkeypatch
):
    for _ in range(3):
        assert run.environment("URL") == str(run.python_in(clone.root / ".venv"))
    assert clone.installed == ["URL"]
    pyproject = clone.root / "pyproject.toml"
    pyproject.write_text(pyproject.read_text() + "\n# newer\n")
    run.environment()
    moved = clone.root / "moved"
    moved.mkdir()
    for name in (".venv", "pyproject.toml"):
        shutil.move(clone.root / name, moved / name)
    monkeypatch.setattr(run, "ROOT", moved)
    run.environment()
    assert len(clone.installed) == 3


def test_an_interpreter_that_is_gone_is_installed_again(clone):
    Path(run.environment()).unlink()
    run.environment()
    assert len(clone.installed) == 2


def test_after_a_failed_installation_the_next_try_installs(clone, monkeypatch):
    def failing(*_):
        raise run.UserError("no network")

    with monkeypatch.context() as broken:
        broken.setattr(run, "install", failing)
        with pytest.raises(run.UserError, match="no network"):
            run.environment()
    run.environment()
    assert len(clone.installed) == 1


def test_a_full_disk_while_copying_gets_a_sentence(monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(run.COMMANDS, "lab", full)
    assert run.main(["lab"]) == 1
    assert "The disk is full" in capsys.readouterr().err


@pytest.fixture
def everything(clone, monkeypatch):
    """What the running interpreter has: gptlib from here, and every package as pinned; {name: version} to change."""
    found = dict(wanted.pins(clone.root))
    note = SimpleNamespace(read_text=lambda name: json.dumps({"url": clone.root.as_uri()}))
    monkeypatch.setattr(importlib.metadata, "distributions", lambda name: [note])
    monkeypatch.setattr(wanted, "version_here", found.get)
    return found


def test_the_running_python_is_used_as_it_is_when_everything_is_in_it(everything, clone):
    assert wanted.running_python_fits(clone.root)
    assert run.environment() == sys.executable
    assert clone.installed == []


@pytest.mark.parametrize("package", ["torch", "nbval"])
@pytest.mark.parametrize("version", ["0.0.1", None])
def test_a_package_of_another_version_or_none_is_installed(everything, clone, package, version):
    everything[package] = version
    assert not wanted.running_python_fits(clone.root)
    run.environment()
    assert len(clone.installed) == 1


@pytest.mark.parametrize("notes", [[], [{"url": "file:///another/copy"}], [None]])
def test_a_gptlib_from_elsewhere_is_not_this_one(everything, clone, monkeypatch, notes):
    found = [SimpleNamespace(read_text=lambda _, n=n: n and json.dumps(n)) for n in notes]
    monkeypatch.setattr(importlib.metadata, "distributions", lambda name: found)
    assert not wanted.running_python_fits(clone.root)


def test_a_version_here_is_without_its_suffix_and_of_an_unknown_package_none(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.13.0+cpu")
    assert wanted.version_here("torch") == "2.13.0"
    monkeypatch.undo()
    assert wanted.version_here("no-such-package") is None


def test_a_python_that_is_named_is_used_and_nothing_is_installed(clone, monkeypatch):
    monkeypatch.setenv("GPTLIB_PYTHON", sys.executable)
    assert run.environment() == sys.executable
    monkeypatch.setenv("GPTLIB_PYTHON", "/no/python")
    with pytest.raises(run.UserError, match="GPTLIB_PYTHON is /no/python, which cannot be run"):
        run.environment()
    assert clone.installed == []


def test_bench_lists_every_benchmark_with_its_first_line_and_knows_no_other(capsys):
    assert run.main(["bench"]) == 0
    said = capsys.readouterr().out
    for path in (run.ROOT / "tests" / "benchmarks").glob("*.py"):
        assert re.search(rf"^{path.stem} +\w.+", said, re.M)
    assert run.main(["bench", "nonsense"]) == 1
    names = ", ".join(
        sorted(path.stem for path in (run.ROOT / "tests" / "benchmarks").glob("*.py"))
    )
    assert f"There is no benchmark 'nonsense'; there are: {names}" in capsys.readouterr().err


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    lectures = {name: new_notebook() for name in ("00_one.ipynb", "01_two.ipynb")}
    with lab(tmp_path_factory.mktemp("lab"), lectures) as found:
        yield found


def test_lab_opens_the_readers_copy_of_the_first_lecture(server):
    entries = server.answer("/api/contents/my")["content"]
    assert sorted(entry["name"] for entry in entries) == ["00_one.ipynb", "01_two.ipynb"]
    with urllib.request.urlopen(f"{server.address}/?token=t", timeout=20) as reply:
        assert reply.url.startswith(f"{server.address}/lab/tree/my/00_one.ipynb")


def test_lab_offers_no_news_no_updates_and_no_extensions(server):
    with urllib.request.urlopen(f"{server.address}/lab?token=t", timeout=20) as reply:
        page = reply.read().decode()
    config = json.loads(re.search(r"jupyter-config-data.*?>(.*?)</script>", page, re.S)[1])
    off = {"apputils-extension:announcements", "extensionmanager-extension:plugin"}
    assert {f"@jupyterlab/{name}" for name in off} <= set(config["disabledExtensions"])
    static = Path(sys.prefix, "share", "jupyter", "lab", "static")
    code = "".join(path.read_text(encoding="utf-8") for path in static.glob("*.js"))
    assert all(f'"@jupyterlab/{name}"' in code for name in off), "JupyterLab has renamed a plugin"
    assert config["extensionManager"]["name"] == "read-only"
    assert server.answer("/lab/api/news") == {"news": []}
    assert server.answer("/lab/api/update") == {"notification": None}
    assert server.asked() == []


def test_lab_original_opens_the_lectures_themselves(monkeypatch):
    started = []
    monkeypatch.setattr(run, "become", started.append)
    monkeypatch.setattr(run, "copy_lectures", lambda: pytest.fail("copied into my/"))
    run.main(["lab", "--original", "--no-browser"])
    first = sorted((ROOT / "notebooks").glob("*.ipynb"))[0].name
    assert f"--LabApp.default_url=/lab/tree/notebooks/{first}" in started[0]
    assert started[0][-1] == "--no-browser"
