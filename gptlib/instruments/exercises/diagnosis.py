"""What to say about a reader's work in a line: what came, what an exception said, and where."""

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
        Path(__file__).parents[2],
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
    if isinstance(yours, type):  # what Python adds to a class by itself does not count
        return not any(name == "__init__" or not name.startswith("__") for name in vars(yours))
    return yours is None or yours is Ellipsis


def kind(value):
    """What value is, in two words."""
    if isinstance(value, nn.Module):
        return f"a finished {type(value).__name__}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def tensors(result):
    """What a call returned as {label: tensor in 64 bits}; the label of a result that stands alone is ''."""
    if result is None or result is Ellipsis:
        raise NotYet(
            "the function returns nothing; is there still a ..., or is the return missing?"
        )
    if isinstance(result, dict):
        return {label: tensors(part)[""] for label, part in result.items()}
    if isinstance(result, tuple | list) and result and isinstance(result[0], torch.Tensor):
        raise Wrong(
            f"{kind(result)} came back, one tensor was expected: torch.stack, or leave the others out"
        )
    if isinstance(result, bool | int | float):
        result = torch.tensor(result)
    if not isinstance(result, torch.Tensor) or result.is_complex() or result.is_meta:
        raise Wrong(f"{kind(result)} came back, a tensor was expected")
    dtype = torch.bool if result.dtype is torch.bool else torch.float64
    return {"": result.detach().to("cpu", dtype)}


def came_back(result, wanted, words):
    """result, if it is of the type wanted; else raises a sentence with words for what was expected."""
    if result is None or result is Ellipsis:
        raise NotYet(f"the function returns nothing; is there still a ...? Expected: {words}")
    if not isinstance(result, wanted):
        raise Wrong(f"{kind(result)} came back, expected: {words}")
    return result


def several(result, words, tensors=True):
    """The two parts of what came back; raises a sentence with words for what was expected."""
    if len(came_back(result, tuple | list, words)) != 2:
        raise Wrong(f"{len(result)} things came back, expected: {words}")
    for part in result if tensors else ():
        if not isinstance(part, torch.Tensor):
            raise Wrong(
                f"a part of it is {kind(part)}: torch.stack makes one tensor of a list; expected: {words}"
            )
    return result


# ---- exceptions


def called(function, arguments):
    """What function returns; an exception about shapes gets a note of the shapes that came in."""
    shapes = [str(tuple(one.shape)) for one in arguments if isinstance(one, torch.Tensor)]
    try:
        return function(*arguments)
    except (RuntimeError, IndexError, ValueError) as problem:
        if shapes and not isinstance(problem, NotImplementedError):
            problem.add_note(
                f"it was called with the shape{'s' * (len(shapes) > 1)} {' and '.join(shapes)}"
            )
        raise


def place(problem, words=" {}"):
    """Where in the reader's lines an exception came up, put into words; nothing if in none of them."""
    frames = traceback.extract_tb(problem.__traceback__)
    theirs = [frame for frame in frames if not frame.filename.startswith(NOT_THEIRS)]
    if not theirs:
        return ""
    line = f", `{theirs[-1].line}`" if theirs[-1].line else ""
    return words.format(f"in line {theirs[-1].lineno} of {theirs[-1].name}{line}")


def raised(problem, hint=None):
    """A sentence for an exception that the reader's code raised: what, where in their lines, and what it said."""
    said = "; ".join(
        filter(None, (one_line(problem), hint, *getattr(problem, "__notes__", [])[:1]))
    )
    return f"{type(problem).__name__}{place(problem)}" + (f": {said}" if said else "")


def one_line(problem):
    """What an exception says, on one line, short, and without addresses, which change from run to run."""
    try:
        said = " ".join(str(problem).split())
    except Exception:
        return "it cannot even say what is wrong"
    said = re.sub(r"0x[0-9a-fA-F]+", "0x…", said)
    return said if len(said) <= 160 else said[:160] + "…"
