"""What a second try shows of a reader's wrong numbers: functions of (check, yours) that give a sentence or None."""

import copy
from dataclasses import replace
from itertools import product

import torch

from gptlib.instruments.exercises import cases, probes
from gptlib.instruments.exercises.diagnosis import Wrong
from gptlib.instruments.exercises.relations import agree
from gptlib.instruments.exercises.written import arguments


def unsteady(check, yours):
    """It gives something else the next time."""
    if agree(check.observe(yours), check.observe(yours, seed=1)):
        return None
    return "it gives other numbers the next time: is something random, a dropout left in?"


def altering(check, yours):
    """It changes its input, and must not."""
    try:
        if probes.leaves_input in check.probes:
            probes.leaves_input(check, yours)
    except Wrong as mistake:
        return str(mistake)
    return None


def ignored_number(check, yours):
    """Another number, such as a slope, changes the right answer, but not yours."""
    given = check.cases[0]()
    for i, number in enumerate(given):
        if isinstance(number, float):
            changed = [put(given, i, factor * number) for factor in (0.5, 1.5)]
            if blind(check, yours, given, *changed):
                name = arguments(yours)[i] if i < len(arguments(yours)) else f"input {i + 1}"
                return f"{name} makes no difference: is it used, or does a fixed number stand in its place?"
    return None


def ignored_place(check, yours):
    """Other numbers at the last or first place on an axis of an input change the right answer, but not yours."""
    given = check.cases[0]()
    for i, one in enumerate(given):
        if not (isinstance(one, torch.Tensor) and one.is_floating_point()):
            continue
        for axis, place in product(range(one.dim()), ("last", "first")):
            changed = [put(given, i, shaken(one, axis, place, seed)) for seed in (9, 10, 11)]
            if blind(check, yours, given, *changed):
                return f"the {place} place on axis {axis} of input {i + 1} makes no difference, and should"
    return None


def shaken(tensor, axis, place, seed):
    """tensor with other numbers at a place, so large that what is cut off as too small comes in."""
    other = tensor.clone()
    part = other.select(axis, -1 if place == "last" else 0)
    part += 5 * cases.numbers(*part.shape, seed=seed)
    return other


def put(several, place, one):
    """several with one at a place."""
    return (*several[:place], one, *several[place + 1 :])


def blind(check, yours, *several):
    """Whether yours gives the same for several lists of arguments, and the right answer does not."""
    return same_for(check, yours, *several) and not same_for(check, check.right, *several)


def same_for(check, candidate, *several):
    """Whether a candidate gives the same for several lists of arguments; False if it gives nothing, or nan."""
    with_them = replace(check, cases=tuple(lambda given=g: copy.deepcopy(given) for g in several))
    try:
        first, *others = with_them.observe(candidate)
    except Exception:
        return False
    numbers = not any(part.isnan().any() for part in first.values())
    return numbers and all(agree([first], [other]) for other in others)
