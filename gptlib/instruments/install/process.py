"""Run a command line by line, keep all that it says, and name the cause when it fails."""

import os
import queue
import subprocess
import threading


def follow(command, log, screen, heard):
    """Run command; each line that it says goes to the open file log and to heard, which gets None in a silent second.

    Returns None if the command succeeded, else all that it said. Interrupted, it says so and lets the command end.
    """
    print("$", *command, file=log, flush=True)
    process = subprocess.Popen(
        command,
        env=dict(os.environ, PYTHONUNBUFFERED="1", PYTHONIOENCODING="utf-8"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    lines = queue.Queue()
    threading.Thread(target=_pump, args=(process.stdout, lines), daemon=True).start()
    said = []
    try:
        while True:
            try:
                line = lines.get(timeout=1)  # not longer: on Windows, Ctrl-C waits for it
            except queue.Empty:
                heard(None)
                continue
            if line is None:
                break
            if not line.startswith("Progress "):  # pip's, four a second
                said.append(line)
                print(line, file=log, flush=True)
            heard(line)
        return None if process.wait() == 0 else "\n".join(said)
    except BaseException:
        screen.line("Stopping; what runs tidies up first.")
        _end(process)
        raise


def _pump(stream, lines):
    """Move the lines of stream into a queue, then None."""
    for line in stream:
        lines.put(line.rstrip("\r\n"))
    lines.put(None)


def _end(process):
    """Wait for process, which a terminal interrupts together with us: pip deletes what it has half fetched."""
    try:
        process.wait(timeout=20)
    except BaseException:  # nobody told it, it is too slow, or Ctrl-C came again
        process.terminate()
        process.wait()


FULL = ("No space left", "Errno 28", "not enough space")
UNTRUSTED = ("CERTIFICATE_VERIFY_FAILED",)
OFFLINE = (
    "NewConnectionError",
    "NameResolutionError",
    "Temporary failure in name resolution",
    "getaddrinfo failed",
    "Max retries exceeded",
    "Read timed out",
)


def reason(said):
    """A sentence for the causes that one can name, or None."""
    end = "\n".join(
        said.splitlines()[-20:]
    )  # a connection that broke and was mended stands further up
    if any(word in end for word in FULL):
        return "The disk is full; the packages need 3 GB, with CUDA 10; free some and run the same command again."
    if any(word in end for word in UNTRUSTED):
        return "pip does not trust the certificate of its package index, as behind some company networks; ask there."
    if any(word in end for word in OFFLINE):
        return "pip cannot reach its package index; this needs the network, run the same command again then."
    return None


def last_line(said):
    """The last line that says something, errors first."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    line = (errors or lines or ["it said nothing"])[-1]
    return line.replace("ERROR: ", "", 1)[:300].rstrip(".")
