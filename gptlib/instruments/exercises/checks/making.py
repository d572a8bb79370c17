"""What a check hands to the reader's code, and what it asks besides numbers."""

import copy

import torch
import torch.nn as nn

from gptlib.instruments.exercises.checks import reading
from gptlib.instruments.exercises.checks.reading import NotYet, Wrong

ON_CPU = (
    "something is made on the CPU whatever x is on: give torch.ones or torch.arange device=x.device"
)
IN_32_BITS = "something is made in 32 bits whatever x has: with x in float64 it fails or loses digits; take x's dtype"
OVERWRITES = (
    "the input is changed in place: whoever gave it gets it back altered; make a new tensor"
)


def numbers(*shape, seed=0):
    """Random numbers of this shape, the same ones every time."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def case(*shapes, rest=()):
    """A function that makes the arguments of one call: a random tensor for each shape, then rest."""
    return lambda: (*(numbers(*shape, seed=i) for i, shape in enumerate(shapes)), *rest)


def module(sizes, shapes):
    """A function that makes a module of a class: kind(*sizes), with known weights of these shapes, {name: shape}."""
    weights = {
        name: numbers(*shape, seed=7 + i) * (shape[-1] ** -0.5 if len(shape) > 1 else 1)
        for i, (name, shape) in enumerate(shapes.items())
    }

    def prepare(kind):
        if isinstance(kind, nn.Module):
            raise Wrong(
                f"{reading.kind(kind)} came, the class itself was expected: without brackets"
            )
        if not callable(kind):
            raise Wrong(f"{reading.kind(kind)} came, a class was expected")
        made = kind(*sizes)
        if not isinstance(made, nn.Module):
            raise Wrong(f"{reading.kind(made)} came out of the class, an nn.Module was expected")
        put(made, weights)
        return made

    return prepare


def put(made, weights):
    """Put weights {name: tensor} into a module; raises Wrong if it has others, NotYet if it has none at all."""
    found = {name: tuple(p.shape) for name, p in made.named_parameters()}
    wanted = {name: tuple(weight.shape) for name, weight in weights.items()}
    if not found and wanted:
        raise NotYet(f"it has no parameters so far; expected were {', '.join(wanted)}")
    if wanted.keys() != found.keys():
        raise Wrong(
            f"its parameters are {', '.join(sorted(found))}; expected were {', '.join(sorted(wanted))}"
        )
    for name, shape in wanted.items():
        if found[name] != shape:
            raise Wrong(f"{name} has the shape {found[name]}, expected was {shape}")
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            parameter.copy_(weights[name])


def leaves_its_input_alone(sentence):
    """A fact: after a call the arguments are what they were."""

    def fact(call, cases, right):
        given = cases[0]()
        before = copy.deepcopy(given)
        with torch.no_grad():
            call(*given)
        for one, was in zip(given, before):
            if isinstance(one, torch.Tensor) and not torch.equal(one, was):
                raise Wrong(sentence)

    return fact


def moved(thing, to):
    """A copy of a tensor or module on another device or in another dtype; whatever else comes, as it is."""
    if isinstance(thing, torch.Tensor) and not thing.is_floating_point() and to is torch.float64:
        return thing
    movable = isinstance(thing, torch.Tensor | nn.Module)
    return copy.deepcopy(thing).to(to) if movable else thing


def works_when_moved(to, sentence):
    """A fact: with module and arguments moved, to "meta" or torch.float64, the result comes back moved as well."""

    def fact(call, cases, right):
        result = result_when_moved(call, cases, to, sentence)
        if to not in (str(result.device), result.dtype):
            raise Wrong(sentence)

    return fact


def result_when_moved(call, cases, to, sentence):
    """The tensor that comes back when module and arguments are moved; whatever goes wrong is told by sentence."""
    arguments = [moved(one, to) for one in cases[0]()]
    try:
        return moved(call, to)(*arguments).detach()
    except Exception:
        raise Wrong(sentence) from None


def exact_in_64_bits(sentence):
    """A fact: with module and arguments in 64 bits, the result has 64 bits and is as exact as the right answer's."""

    def fact(call, cases, right):
        mine, expected = (
            result_when_moved(one, cases, torch.float64, sentence) for one in (call, right)
        )
        if mine.dtype != torch.float64 or not torch.allclose(mine, expected, rtol=1e-9, atol=1e-10):
            raise Wrong(sentence)

    return fact
