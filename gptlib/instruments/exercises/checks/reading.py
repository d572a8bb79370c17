"""What a reader's answer is: not begun, something with numbers in it, or an exception to be told in a line."""

import re
import sysconfig
import traceback
from pathlib import Path

import torch
import torch.nn as nn

NOT_THEIRS = tuple(
    str(folder)
    for folder in (
        Path(torch.__file__).parent,
        Path(__file__).parents[3],
        sysconfig.get_paths()["stdlib"],
        "<frozen",
    )
)


class NotYet(Exception):
    """The exercise is not done; the sentence says what is missing."""


class Wrong(Exception):
    """The exercise is done in another way than right; the sentence says in which."""


def untouched(yours):
    """Whether yours is what stands in the cell before anybody wrote in it."""
    return yours is None or yours is Ellipsis or (isinstance(yours, type) and not own_names(yours))


def own_names(cls):
    """What a class defines itself; what Python adds by itself does not count."""
    return [name for name in vars(cls) if name == "__init__" or not name.startswith("__")]


def kind(value):
    """What value is, in two words."""
    if isinstance(value, nn.Module):
        return f"a finished {type(value).__name__}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def tensors(result):
    """The numbers in what a call returned, as a list of tensors in 64 bits."""
    if result is None or result is Ellipsis:
        raise NotYet("nothing comes back; is there still a …, or is the return missing?")
    if isinstance(result, tuple | list):
        return [tensor for part in result for tensor in tensors(part)]
    if isinstance(result, bool | int | float):
        return [torch.tensor(float(result), dtype=torch.float64)]
    if not isinstance(result, torch.Tensor) or result.is_complex() or result.is_meta:
        raise Wrong(f"{kind(result)} came back, a tensor was expected")
    return [result.detach().to("cpu", torch.float64)]


def answers(yours):
    """A reader's answer as a tuple of numbers and words."""
    if isinstance(yours, torch.Tensor):
        yours = yours.tolist()
    several = yours if isinstance(yours, tuple | list) else (yours,)
    for one in several:
        if isinstance(one, torch.Tensor) and one.numel() == 1:
            continue
        if not isinstance(one, int | float | str):
            raise Wrong(f"{kind(one)} came, a number or a word was expected")
    return tuple(one.strip().lower() if isinstance(one, str) else float(one) for one in several)


def shown(yours):
    """An answer as text, short."""
    return re.sub(r"\s+", " ", repr(yours))[:60]


def raised(problem):
    """A sentence for an exception that the reader's code raised: what, where in their lines, and what it said."""
    said = one_line(problem)
    frames = traceback.extract_tb(problem.__traceback__)
    theirs = [frame for frame in frames if not frame.filename.startswith(NOT_THEIRS)]
    where = f" in line {theirs[-1].lineno} of {theirs[-1].name}" if theirs else ""
    line = f", `{theirs[-1].line}`" if theirs and theirs[-1].line else ""
    return f"{type(problem).__name__}{where}{line}" + (f": {said}" if said else "")


def one_line(problem):
    """What an exception says, on one line, short, and without addresses, which change from run to run."""
    try:
        said = " ".join(str(problem).split())
    except Exception:
        return "it cannot even say what is wrong"
    said = re.sub(r"0x[0-9a-fA-F]+", "0x…", said)
    return said if len(said) <= 160 else said[:160] + "…"
