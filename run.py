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

--torch-index URL, after lab or test, gives pip another index for torch alone, such as PyTorch's CPU-only one.
The environment variable GPTLIB_PYTHON=PATH names an interpreter to use as it is; nothing is installed then.
"""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from gptlib.instruments import files
from gptlib.instruments.files import replacing, tolerant_console

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
LAB = Path(files.__file__).parent / "publish" / "lab"  # what JupyterLab and its kernels get of ours
OLDEST, NEWEST = (3, 11), (3, 13)


class UserError(Exception):
    """Something the user can mend; printed as it stands, without a traceback."""


def check_python(version):
    """Raise UserError unless version, such as (3, 12), is one that the pinned packages support."""
    if not OLDEST <= tuple(version[:2]) <= NEWEST:
        raise UserError(
            "This is Python %d.%d, and the lectures need 3.%d to 3.%d; install one of these and start run.py with it, "
            "for example: python3.12 run.py lab" % (version[0], version[1], OLDEST[1], NEWEST[1])
        )


# ---- the environment


def pins(root=ROOT):
    """{package: version} for everything that pyproject.toml asks for, dev included."""
    import tomllib

    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    return dict(requirement.split("==") for requirement in wanted)


def version_here(package):
    """The version that the running interpreter has of package, without a suffix such as +cpu; None if it has none."""
    import importlib.metadata  # not at the top: an old Python has to get as far as the sentence about its age

    try:
        return importlib.metadata.version(package).split("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def running_python_fits():
    """Whether the running interpreter, an activated conda environment say, has gptlib from here and all pins."""
    import importlib.metadata
    from urllib.parse import unquote, urlparse
    from urllib.request import url2pathname

    notes = [
        found.read_text("direct_url.json")
        for found in importlib.metadata.distributions(name="gptlib")
    ]
    folders = [
        url2pathname(unquote(urlparse(json.loads(note)["url"]).path)) for note in notes if note
    ]
    from_here = any(Path(folder).resolve() == ROOT for folder in folders)
    return from_here and all(version_here(name) == version for name, version in pins().items())


def python_in(venv):
    """The path of the interpreter inside the virtual environment venv."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def fingerprint():
    """What the installation depends on."""
    return hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()


def environment(torch_index=None):
    """The interpreter to work with; .venv is made, or brought up to date with pyproject.toml, where needed."""
    if os.environ.get("GPTLIB_PYTHON"):
        return os.environ["GPTLIB_PYTHON"]
    if running_python_fits():
        return sys.executable
    stamp, python = VENV / "installed.txt", python_in(VENV)
    if stamp.is_file() and python.exists() and stamp.read_text(encoding="utf-8") == fingerprint():
        return str(python)
    print(
        "Installing into .venv: a few minutes the first time, nothing on the next start.",
        flush=True,
    )
    make_venv()
    install(python, torch_index)
    stamp.write_text(fingerprint(), encoding="utf-8")
    return str(python)


def make_venv():
    """Make .venv, or mend one that was left half made; a torch of the right version outside stays visible inside."""
    command = [sys.executable, "-m", "venv", str(VENV)]
    if version_here("torch") == pins()["torch"] and sys.prefix == sys.base_prefix:
        command.append("--system-site-packages")
    said = call(command)
    if said is not None:
        raise UserError(
            reason(said)
            or "Python could not make the folder .venv (%s); on Debian and Ubuntu `apt install python3-venv` helps, "
            "elsewhere delete .venv and try again."
            % last_line(said)
        )


def install(python, torch_index):
    """Install gptlib and its pinned packages with pip; what is there already stays."""
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    steps = [[*pip, "-e", str(ROOT) + "[dev]"]]
    if torch_index:
        steps.insert(0, [*pip, "torch==" + pins()["torch"], "--index-url", torch_index])
    for command in steps:
        said = call(command)
        if said is not None:
            raise UserError(
                reason(said)
                or "pip could not install the packages (%s); the same command tries again and keeps what is there."
                % last_line(said)
            )


def call(command):
    """Run command; None if it succeeds, else what it said."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return None if done.returncode == 0 else done.stdout


def reason(said):
    """A sentence for the causes that one can name, or None."""
    if "No space left" in said or "Errno 28" in said or "not enough space" in said:
        return "The disk is full; the packages need 3 GB, with CUDA 10; free some and run the same command again."
    offline = (
        "NewConnectionError",
        "Temporary failure in name resolution",
        "getaddrinfo failed",
        "Max retries exceeded",
    )
    if any(word in said for word in offline):
        return "pip cannot reach its package index; the first start needs the network, run the same command again then."
    return None


def last_line(said):
    """The last line that says something, errors first."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or ["it said nothing"])[-1].removeprefix("ERROR: ")[:300].rstrip(".")


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
    python = environment(take_value(arguments, "--torch-index"))
    check_port(arguments)
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
        # three habits of JupyterLab that would ask the network: for extensions, for news, for a newer JupyterLab
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
        raise UserError("check takes nothing behind it; it looks at all notebooks in my/.")
    return become([sys.executable, "-m", "gptlib.instruments.exercises.status"])


def refresh(arguments):
    """Run notebooks in place."""
    return subprocess.call(
        [environment(), "-m", "gptlib.instruments.publish.authoring", "refresh", *arguments],
        cwd=ROOT,
    )


def html(arguments):
    """Write the notebooks as web pages into the folder named, or into html/."""
    if len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
        raise UserError("html takes the name of one folder, and %s came." % " ".join(arguments))
    folder = Path(arguments[0] if arguments else ROOT / "html").absolute()
    return become([environment(), "-m", "gptlib.instruments.publish.site", str(folder)])


def experiments(arguments):
    """List, run or show the experiments whose results are in data/results."""
    return become([environment(), "-m", "gptlib.instruments.measure.experiments", *arguments])


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
            if i + 1 == len(arguments):
                raise UserError("%s needs a value behind it." % flag)
            value = arguments[i + 1]
            del arguments[i : i + 2]
            return value
        if argument.startswith(flag + "="):
            return arguments.pop(i).split("=", 1)[1]
    return None


COMMANDS = {
    "lab": lab,
    "check": check,
    "test": test,
    "refresh": refresh,
    "html": html,
    "experiments": experiments,
    "bench": bench,
}


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
