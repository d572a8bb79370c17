"""What in a reader's code explains that it fails: sentences from its names and numbers, without running it."""

import dis
import inspect
import re

import torch
import torch.nn as nn


def functions_of(yours):
    """The functions that somebody wrote: yours itself, or those of a class."""
    return filter(inspect.isfunction, vars(yours).values() if isinstance(yours, type) else (yours,))


def arguments(function):
    """The names of a function's arguments; none if it isn't one that somebody wrote."""
    if not inspect.isfunction(function):
        return ()
    return function.__code__.co_varnames[: function.__code__.co_argcount]


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
    if not (names := arguments(function)):
        return []
    read = set(function.__code__.co_cellvars)  # read by a function inside
    for step in dis.get_instructions(function):
        if "LOAD" in step.opname:
            read |= set(step.argval) if isinstance(step.argval, tuple) else {step.argval}
    return [name for name in names if name not in read]


def unused(yours, right):
    """A sentence if yours never uses an argument, and right uses all of its own; else None."""
    names = [] if unread(right) else unread(yours)
    return f"{names[0]} is never used in {yours.__name__}" if names else None


def numbers_in(function):
    """The whole numbers above 2 that stand in a function's code."""
    steps = (step for step in dis.get_instructions(function) if step.opname.startswith("LOAD"))
    return {step.argval for step in steps if type(step.argval) is int and step.argval > 2}


def size_as_number(said, yours, right):
    """A sentence if a size that is told as not fitting is a number in the code of yours, not of right; else None."""
    told = set(map(int, re.findall(r"\d+", said))).difference(*map(numbers_in, functions_of(right)))
    for function in functions_of(yours):
        if fixed := told & numbers_in(function):
            return f"{min(fixed)} is a fixed number in {function.__name__}: the check has other sizes, so use shapes"
    return None


def keepdim_forgotten(said, yours):
    """A sentence if sizes do not fit and a sum or mean gives up its axis; else None."""
    for function in functions_of(yours) if "must match the size of tensor" in said else ():
        names = [*function.__code__.co_names, *map(str, function.__code__.co_consts)]
        if {"sum", "mean"} & set(names) and "keepdim" not in str(names):
            return "does a sum or a mean lack keepdim=True?"
    return None


def hint(said, yours, right):
    """A sentence if something in the code of yours explains what an exception said; else None."""
    return (
        borrowed(yours)
        or size_as_number(said, yours, right)
        or unused(yours, right)
        or keepdim_forgotten(said, yours)
    )
