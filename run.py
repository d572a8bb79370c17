#!/usr/bin/env python3
"""Everything starts here, with nothing but Python:

    python run.py lab                 open the lectures in JupyterLab (the first time: install, a few minutes)
    python run.py lab --original      open notebooks/ themselves instead of your copies in my/
    python run.py check               how far you are with the exercises, from what is saved in my/
    python run.py test                prove that everything in here is true; extra arguments go to pytest
    python run.py refresh [NN ...]    run notebooks in place and store what they show; all of them without a number
    python run.py html [FOLDER]       write the notebooks as web pages that work offline; into html/ without a name
    python run.py experiments list    what has been measured with several seeds; run NAME, table NAME
    python run.py bench [NAME ...]    the benchmarks, which take the machine for themselves; without a name, list them
    python run.py pins [PACKAGE ...]  whether each pin has a wheel for every Python and system; asks pip, takes minutes

--torch-index URL, after lab or test, gives pip another index for torch alone, such as PyTorch's CPU-only one.
The environment variable GPTLIB_PYTHON=PATH names an interpreter to use as it is; nothing is installed then.
"""

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from gptlib.instruments import files
from gptlib.instruments.files import replacing, tolerant_console
from gptlib.instruments.install import UserError, wheels
from gptlib.instruments.install.installing import install
from gptlib.instruments.install.process import reason
from gptlib.instruments.install.venv import python_in
from gptlib.instruments.install.wanted import check_python, fingerprint, running_python_fits

ROOT = Path(__file__).resolve().parent
LAB = Path(files.__file__).parent / "publish" / "lab"  # what JupyterLab and its kernels get of ours


def environment(torch_index=None):
    """The interpreter to work with; .venv is made, or brought up to date with pyproject.toml, where needed."""
    named = os.environ.get("GPTLIB_PYTHON")
    if named:
        found = shutil.which(named)
        if not found:
            raise UserError(
                "GPTLIB_PYTHON is %s, which cannot be run; correct it or unset it." % named
            )
        return os.path.abspath(found)
    if running_python_fits(ROOT):
        return sys.executable
    venv = ROOT / ".venv"
    stamp, python, wanted = venv / "installed.txt", python_in(venv), fingerprint(ROOT)
    if not (stamp.is_file() and python.exists() and stamp.read_text(encoding="utf-8") == wanted):
        install(ROOT, venv, torch_index)
        stamp.write_text(wanted, encoding="utf-8")
    return str(python)


# ---- the reader's copies


def copy_lectures(source=ROOT / "notebooks", target=ROOT / "my"):
    """Bring lectures from source to target and never overwrite: one that changed since arrives beside the reader's.

    Returns the new files. target/.lectures.json remembers which text of each lecture has been brought.
    """
    target.mkdir(exist_ok=True)
    memory = target / ".lectures.json"
    brought = json.loads(memory.read_text(encoding="utf-8")) if memory.is_file() else {}
    new = []
    for lecture in sorted(source.glob("*.ipynb")):
        text = hashlib.sha256(lecture.read_bytes()).hexdigest()
        mine = target / lecture.name
        if mine.exists() and brought.get(lecture.name) == text:
            continue
        number = 2
        while mine.exists():
            mine = target / ("%s_new%s.ipynb" % (lecture.stem, number))
            number += 1
        with replacing(mine) as beside:
            shutil.copyfile(lecture, beside)
        brought[lecture.name] = text
        new.append(mine)
    with replacing(memory) as beside:
        beside.write_text(json.dumps(brought, indent=1), encoding="utf-8")
    return new


# ---- the commands


def lab(arguments):
    """Open JupyterLab on the first lecture."""
    original = take_flag(arguments, "--original")
    torch_index = take_value(arguments, "--torch-index")
    check_port(arguments)
    python = environment(torch_index)
    if original:
        folder = ROOT / "notebooks"
    else:
        folder = ROOT / "my"
        for path in copy_lectures():
            if "_new" in path.stem:
                print(
                    "A lecture has changed since you copied it: the new one is my/%s, yours is untouched."
                    % path.name
                )
    first = sorted(folder.glob("*.ipynb"))[0]
    options = [
        "--ServerApp.root_dir=%s" % ROOT,
        "--LabApp.default_url=/lab/tree/%s" % first.relative_to(ROOT).as_posix(),
        # page_config.json there: no question whether one wants news, no panel of extensions
        "--LabApp.app_settings_dir=%s" % (ROOT / "data" / "jupyterlab"),
        # and, whatever the reader once answered, no request for extensions, news or a newer JupyterLab
        "--LabApp.extension_manager=readonly",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        # links land on their heading; a notebook without a kernel shows its still pictures
        "--LabApp.extra_labextensions_path=%s" % LAB,
        "--ServerApp.contents_manager_class=gptlib.instruments.publish.reopening.Notebooks",
    ]
    os.environ.setdefault("PYTHONSTARTUP", str(LAB / "startup.py"))  # for the kernels
    return become([python, "-m", "jupyterlab", *options, *arguments])


def become(command):
    """Run command in place of this process, so that stopping one stops the other; on Windows, wait for it."""
    if os.name == "nt":
        return subprocess.call(command, cwd=ROOT)
    os.chdir(ROOT)
    sys.stdout.flush()
    return os.execv(command[0], command)


def check_port(arguments):
    """Raise UserError if --port names one that is taken; without --port, JupyterLab looks for a free one itself."""
    wanted = [a.split("=", 1)[1] for a in arguments if a.startswith("--port=")]
    wanted += [value for flag, value in zip(arguments, arguments[1:]) if flag == "--port"]
    for port in wanted:
        if not port.isdigit() or not 0 <= int(port) < 65536:
            raise UserError("--port is %s; it must be a number from 0 to 65535." % port)
        with socket.socket() as probe:
            if os.name != "nt":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", int(port)))
            except OSError:
                raise UserError(
                    "Port %s is taken or not allowed; leave --port out and a free one is found."
                    % port
                ) from None


def test(arguments):
    """Run everything that CI runs."""
    python = environment(take_value(arguments, "--torch-index"))
    return become([python, "-m", "pytest", *arguments])


def check(arguments):
    """Show which exercises in my/ are done; needs nothing installed."""
    if arguments:
        raise UserError(
            "check takes no arguments, and %s came; it looks at all of my/." % " ".join(arguments)
        )
    return become([sys.executable, "-m", "gptlib.instruments.exercises.status"])


def refresh(arguments):
    """Run notebooks in place."""
    names = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    for number in arguments:
        if not any(name.startswith(number) for name in names):
            there = ", ".join(name[:2] for name in names)
            raise UserError("There is no notebook %r; there are: %s." % (number, there))
    return subprocess.call(
        [environment(), "-m", "gptlib.instruments.publish.authoring", "refresh", *arguments],
        cwd=ROOT,
    )


def html(arguments):
    """Write the notebooks as web pages into the folder named, or into html/."""
    if len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
        raise UserError("html takes the name of one folder, and %s came." % " ".join(arguments))
    folder = Path(arguments[0] if arguments else ROOT / "html").absolute()
    if folder.exists() and not folder.is_dir():
        raise UserError("%s is a file; html takes the name of a folder." % folder)
    return become([environment(), "-m", "gptlib.instruments.publish.site", str(folder)])


def experiments(arguments):
    """List, run or show the experiments whose results are in data/results."""
    return become([environment(), "-m", "gptlib.instruments.measure", *arguments])


def bench(arguments):
    """List the benchmarks in tests/benchmarks, or run some of them one after the other."""
    there = {path.stem: path for path in sorted((ROOT / "tests" / "benchmarks").glob("*.py"))}
    for name in arguments:
        if name not in there:
            raise UserError("There is no benchmark %r; there are: %s." % (name, ", ".join(there)))
    if not arguments:
        for name, path in there.items():
            print("%-20s %s" % (name, path.read_text(encoding="utf-8").splitlines()[0].strip('"')))
        return 0
    python = environment()
    return max(subprocess.call([python, str(there[name])], cwd=ROOT) for name in arguments)


def pins(arguments):
    """Ask pip for which Pythons and systems the pinned packages have wheels; needs nothing installed."""
    return wheels.main(ROOT, arguments)


def take_flag(arguments, flag):
    """Remove flag from arguments; whether it was there."""
    there = flag in arguments
    if there:
        arguments.remove(flag)
    return there


def take_value(arguments, flag):
    """Remove `flag value` or `flag=value` from arguments; the value, or None."""
    for i, argument in enumerate(arguments):
        if argument == flag:
            value = arguments[i + 1] if i + 1 < len(arguments) else ""
            del arguments[i : i + 2]
        elif argument.startswith(flag + "="):
            value = arguments.pop(i).split("=", 1)[1]
        else:
            continue
        if not value or value.startswith("-"):
            raise UserError("%s needs a value after it, as in %s VALUE." % (flag, flag))
        return value
    return None


COMMANDS = {
    "lab": lab,
    "check": check,
    "test": test,
    "refresh": refresh,
    "html": html,
    "experiments": experiments,
    "bench": bench,
    "pins": pins,
}


def lines_about(command):
    """The lines of the help that name command."""
    lines = [line.strip() for line in __doc__.splitlines()[1:]]
    return [line for line in lines if re.search(r"\b%s\b" % command, line)]


def main(arguments):
    """Run one command; its exit status."""
    try:
        check_python(sys.version_info)
        tolerant_console()
        if not arguments or arguments[0] in ("-h", "--help", "help"):
            print(__doc__.strip())
            return 0
        if arguments[0] not in COMMANDS:
            raise UserError(
                "There is no command %r; there are: %s." % (arguments[0], ", ".join(COMMANDS))
            )
        if arguments[1:2] in (["-h"], ["--help"]):
            print("\n".join(lines_about(arguments[0])))
            return 0
        return COMMANDS[arguments[0]](list(arguments[1:]))
    except UserError as problem:
        print(problem, file=sys.stderr)
    except OSError as problem:
        print(
            reason(str(problem)) or "%s; mend that and run the same command again." % problem,
            file=sys.stderr,
        )
    except KeyboardInterrupt:
        print("Stopped; the same command goes on where this one was.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
