"""What to say about a reader's work in a line: what came, what an exception said, which names are not its own."""

import dis
import inspect
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


# ---- what stands in the reader's code


def functions_of(yours):
    """The functions that somebody wrote: yours itself, or those of a class."""
    return filter(inspect.isfunction, vars(yours).values() if isinstance(yours, type) else (yours,))


def borrowed(yours):
    """A sentence if yours uses a number, a tensor or a model that only the notebook has; else None."""
    for function in functions_of(yours):
        for step in dis.get_instructions(function):
            value = function.__globals__.get(step.argval) if step.opname == "LOAD_GLOBAL" else None
            if isinstance(value, int | float | torch.Tensor | nn.Module) and step.argval.islower():
                return f"{step.argval} is not defined in {function.__name__}: it is taken from the notebook, by chance"
    return None


def unread(function):
    """The arguments of a function that its code never reads."""
    if not inspect.isfunction(function):
        return []
    code = function.__code__
    read = set(code.co_cellvars)  # read by a function inside
    for step in dis.get_instructions(function):
        if "LOAD" in step.opname:
            read |= set(step.argval) if isinstance(step.argval, tuple) else {step.argval}
    return [name for name in code.co_varnames[: code.co_argcount] if name not in read]


def unused(yours, right):
    """A sentence if yours never uses an argument, and right uses all of its own; else None."""
    names = [] if unread(right) else unread(yours)
    return f"{names[0]} is never used in {yours.__name__}" if names else None


def size_as_number(said, yours):
    """A sentence if a size that is told as not fitting stands in the code as a number; else None."""
    told = set(map(int, re.findall(r"\d+", said)))
    for function in functions_of(yours):
        for step in dis.get_instructions(function):
            number = step.argval if step.opname.startswith("LOAD") else None
            if type(number) is int and number > 2 and number in told:
                return f"{number} is a fixed number in {function.__name__}: the check has other sizes, so use shapes"
    return None


def keepdim_forgotten(said, yours):
    """A sentence if sizes do not fit and a sum or mean gives up its axis; else None."""
    for function in functions_of(yours) if "must match the size of tensor" in said else ():
        names = [*function.__code__.co_names, *map(str, function.__code__.co_consts)]
        if {"sum", "mean"} & set(names) and "keepdim" not in str(names):
            return "does a sum or a mean lack keepdim=True?"
    return None


def with_hint(said, yours, right):
    """What is said about yours, and, if something in its code explains it, that as well."""
    where, _, what = said.rpartition("`")  # not the numbers of the line itself
    hint = borrowed(yours) or size_as_number(what or where, yours) or unused(yours, right)
    hint = hint or keepdim_forgotten(said, yours)
    return f"{said}; {hint}" if hint else said
