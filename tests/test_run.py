"""run.py: copies that are never overwritten, one sentence for what goes wrong, and the next try goes on."""

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


@pytest.mark.parametrize("version", [(2, 7), (3, 10), (3, 14)])
def test_another_python_gets_one_sentence(version):
    with pytest.raises(run.UserError, match=r"need 3\.11 to 3\.13; install one of these"):
        run.check_python(version)


def test_the_python_range_is_the_one_in_pyproject():
    assert (
        f'">={run.OLDEST[0]}.{run.OLDEST[1]},<3.{run.NEWEST[1] + 1}"'
        in (ROOT / "pyproject.toml").read_text()
    )
    for version in (run.OLDEST, run.NEWEST):
        run.check_python(version)


def command(*arguments, folder=ROOT, **environment):
    return subprocess.run(
        [sys.executable, "run.py", *arguments],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


def test_an_unknown_command_and_a_missing_value_get_one_sentence():
    for arguments in (["lba"], ["lab", "--torch-index"]):
        done = command(*arguments)
        assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr


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
    """A copy of the project in which run.py would have to make an environment."""
    for name in ("run.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "VENV", tmp_path / ".venv")
    monkeypatch.delenv("GPTLIB_PYTHON")  # under which nothing is installed
    return tmp_path


def made(clone):
    run.python_in(clone / ".venv").parent.mkdir(parents=True, exist_ok=True)
    run.python_in(clone / ".venv").touch()


def test_installing_happens_once_and_again_only_when_pyproject_changes(clone, monkeypatch):
    calls = []
    monkeypatch.setattr(run, "call", lambda c: (calls.append(c), made(clone))[1])
    for _ in range(3):
        assert run.environment() == str(run.python_in(clone / ".venv"))
    assert [c[2] for c in calls] == ["venv", "pip"]
    (clone / "pyproject.toml").write_text((clone / "pyproject.toml").read_text() + "\n# newer\n")
    run.environment()
    assert len(calls) == 4


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("NewConnectionError: getaddrinfo failed", "cannot reach its package index"),
        (
            "ERROR: Could not find a version that satisfies x\nlater",
            "Could not find a version that satisfies x",
        ),
    ],
)
def test_a_failing_pip_gets_a_sentence_with_its_cause_and_the_next_try_installs(
    clone, monkeypatch, said, sentence
):
    answers = [None, said, None, None]
    monkeypatch.setattr(run, "call", lambda c: (made(clone), answers.pop(0))[1])
    with pytest.raises(run.UserError, match=sentence):
        run.environment()
    assert not (clone / ".venv" / "installed.txt").exists()
    run.environment()
    assert answers == [] and (clone / ".venv" / "installed.txt").exists()


def test_another_index_is_for_torch_alone(clone, monkeypatch):
    calls = []
    monkeypatch.setattr(run, "call", lambda c: (calls.append(c), made(clone))[1])
    run.environment("https://example.org/cpu")
    with_index = [c for c in calls if "--index-url" in c]
    assert len(with_index) == 1 and f"torch=={run.pins()['torch']}" in with_index[0]
    assert not any(part.startswith("-e") for part in with_index[0])


def test_a_torch_outside_of_the_right_version_stays_visible(clone, monkeypatch):
    calls = []
    monkeypatch.setattr(run, "call", lambda c: (calls.append(c), made(clone))[1])
    monkeypatch.setattr(run, "version_here", lambda package: run.pins()["torch"])
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    run.make_venv()
    assert "--system-site-packages" in calls[0]


def test_a_full_disk_while_copying_gets_a_sentence(monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(run.COMMANDS, "lab", full)
    assert run.main(["lab"]) == 1
    assert "The disk is full" in capsys.readouterr().err


@pytest.fixture
def everything(clone, monkeypatch):
    """What the running interpreter has: gptlib from here, and every package as pinned; {name: version} to change."""
    found = dict(run.pins(clone))
    note = SimpleNamespace(read_text=lambda name: json.dumps({"url": clone.as_uri()}))
    monkeypatch.setattr(importlib.metadata, "distributions", lambda name: [note])
    monkeypatch.setattr(run, "version_here", found.get)
    monkeypatch.setattr(run, "call", lambda c: pytest.fail(f"run.py would install: {c}"))
    return found


def test_the_running_python_is_used_as_it_is_when_everything_is_in_it(everything):
    assert run.running_python_fits() and run.environment() == sys.executable


@pytest.mark.parametrize("package", ["torch", "nbval"])
@pytest.mark.parametrize("version", ["0.0.1", None])
def test_a_package_of_another_version_or_none_is_not_everything(everything, package, version):
    everything[package] = version
    assert not run.running_python_fits()


@pytest.mark.parametrize("notes", [[], [{"url": "file:///another/copy"}], [None]])
def test_a_gptlib_from_elsewhere_is_not_this_one(everything, monkeypatch, notes):
    found = [SimpleNamespace(read_text=lambda _, n=n: n and json.dumps(n)) for n in notes]
    monkeypatch.setattr(importlib.metadata, "distributions", lambda name: found)
    assert not run.running_python_fits()


def test_a_python_that_is_named_is_used_and_nothing_is_installed(clone, monkeypatch):
    monkeypatch.setenv("GPTLIB_PYTHON", "/my/python")
    monkeypatch.setattr(run, "call", lambda c: pytest.fail(f"run.py would install: {c}"))
    assert run.environment() == "/my/python"


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


def test_lab_opens_the_readers_copy_of_the_first_lecture(tmp_path):
    lectures = {name: new_notebook() for name in ("00_one.ipynb", "01_two.ipynb")}
    with lab(tmp_path, lectures) as server:
        entries = server.answer("/api/contents/my")["content"]
        assert sorted(entry["name"] for entry in entries) == sorted(lectures)
        with urllib.request.urlopen(f"{server.address}/?token=t", timeout=20) as reply:
            assert reply.url.startswith(f"{server.address}/lab/tree/my/00_one.ipynb")


def test_lab_original_opens_the_lectures_themselves(monkeypatch):
    started = []
    monkeypatch.setattr(run, "become", started.append)
    monkeypatch.setattr(run, "copy_lectures", lambda: pytest.fail("copied into my/"))
    run.main(["lab", "--original", "--no-browser"])
    first = sorted((ROOT / "notebooks").glob("*.ipynb"))[0].name
    assert f"--LabApp.default_url=/lab/tree/notebooks/{first}" in started[0]
    assert started[0][-1] == "--no-browser"
