"""What a check asks once the numbers are right: functions of (check, yours) that raise Wrong with a sentence."""

import copy

import torch
import torch.nn as nn

from gptlib.instruments.exercises import cases
from gptlib.instruments.exercises.diagnosis import Wrong
from gptlib.instruments.exercises.written import functions_of

IN_32_BITS = "something is made in 32 bits whatever x has: in float64 it fails or loses digits; take x's dtype"


def result_when_moved(check, candidate, to):
    """What comes back when a module and the arguments of the first case are moved; None if that fails."""

    def moved(thing):
        return copy.deepcopy(thing).to(to) if isinstance(thing, torch.Tensor | nn.Module) else thing

    call = check.prepare(candidate)
    try:
        return moved(call)(*map(moved, check.cases[0]())).detach()
    except Exception:
        return None


def leaves_input(check, yours):
    """After a call its arguments are what they were."""
    call, given = check.prepare(yours), check.cases[0]()
    before = copy.deepcopy(given)
    with torch.no_grad():
        call(*given)
    if any(isinstance(a, torch.Tensor) and not torch.equal(a, b) for a, b in zip(given, before)):
        raise Wrong(
            "the input is changed in place: whoever gave it gets it back altered; make a new tensor"
        )


def any_device(check, yours):
    """It works on another device as well; "meta" is one that every machine has."""
    if result_when_moved(check, yours, "meta") is None:
        raise Wrong(
            "something is made on the CPU whatever x is on: give torch.ones or torch.arange device=x.device"
        )


def keeps_dtype(check, yours):
    """In 64 bits the result has 64 bits."""
    result = result_when_moved(check, yours, torch.float64)
    if result is None or result.dtype != torch.float64:
        raise Wrong(IN_32_BITS)


def exact_in_64_bits(check, yours):
    """In 64 bits the result has 64 bits, and is as exact as the right answer's."""
    keeps_dtype(check, yours)
    mine, right = (result_when_moved(check, one, torch.float64) for one in (yours, check.right))
    if not torch.allclose(mine, right, rtol=1e-9, atol=1e-10):
        raise Wrong(IN_32_BITS)


def gradients(check, yours):
    """Every gradient that the right answer has arrives, and is the same."""
    mine, right = gradients_of(check, yours), gradients_of(check, check.right)
    for name, gradient in right.items():
        if mine.get(name) is None or not torch.allclose(mine[name], gradient, rtol=1e-3, atol=1e-4):
            raise Wrong(
                f"the numbers are right, but the gradient of {name} is not: something is cut off from training by "
                "detach, .data, .item() or no_grad"
            )


def gradients_of(check, candidate):
    """{name: gradient} of the tensors that come in and of a module's parameters, for the first case."""
    call, arguments = check.prepare(candidate), check.cases[0]()
    tensors = [one for one in arguments if isinstance(one, torch.Tensor)]
    inputs = [one.requires_grad_() for one in tensors if one.is_floating_point()]
    wanted = {f"input {i}": one for i, one in enumerate(inputs, start=1)}
    if isinstance(call, nn.Module):
        wanted |= dict(call.named_parameters())
    out = call(*arguments)
    if not (isinstance(out, torch.Tensor) and out.requires_grad):
        return {}
    total = (out * cases.numbers(*out.shape, seed=3)).sum()
    return dict(zip(wanted, torch.autograd.grad(total, wanted.values(), allow_unused=True)))


def written_without(*names):
    """A probe: a function, or those of a class, use none of these names."""

    def probe(check, yours):
        for function in functions_of(yours):
            used = [name for name in names if name in function.__code__.co_names]
            if used and yours is not check.right:
                raise Wrong(
                    f"the numbers are right, but {used[0]} is what is to be built here: without it"
                )

    return probe
