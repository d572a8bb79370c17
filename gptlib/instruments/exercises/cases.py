"""What a check hands to a reader's code, how it builds a module of theirs, and what it asks besides numbers."""

import copy

import torch
import torch.nn as nn

from gptlib.instruments.exercises import diagnosis
from gptlib.instruments.exercises.diagnosis import NotYet, Wrong


def numbers(*shape, seed=0):
    """Random numbers of this shape, the same ones every time."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def case(*shapes, rest=()):
    """A function that makes the arguments of one call: a random tensor for each shape, then rest."""
    return lambda: (*(numbers(*shape, seed=i) for i, shape in enumerate(shapes)), *rest)


# ---- a reader's class


def made(kind, *arguments):
    """A module of a reader's class."""
    if isinstance(kind, nn.Module):
        raise Wrong(f"{diagnosis.kind(kind)} came, the class itself was expected: without brackets")
    if not callable(kind):
        raise Wrong(f"{diagnosis.kind(kind)} came, a class was expected")
    module = kind(*arguments)
    if not isinstance(module, nn.Module):
        raise Wrong(f"{diagnosis.kind(module)} came out of the class, an nn.Module was expected")
    frozen = [name for name, p in module.named_parameters() if not p.requires_grad]
    if frozen:
        raise Wrong(f"{frozen[0]} is not trained: leave out requires_grad=False")
    return module


def planted(right, **functions):
    """The class right with other functions in place of its own: what somebody wrote by mistake."""
    return type(right.__name__, (right,), {name: staticmethod(f) for name, f in functions.items()})


def module_like(right, *sizes):
    """A function that makes a module of a class, with sizes, and puts the same weights into it as into right's."""

    def prepare(kind):
        module, model = made(kind, *sizes), right(*sizes)
        same_parameters(module, model)
        if len(list(module.buffers())) > len(list(model.buffers())):
            raise Wrong(
                "it keeps a buffer: make what it needs in forward, on x.device, for the length at hand"
            )
        for i, (name, parameter) in enumerate(model.named_parameters()):
            known = numbers(*parameter.shape, seed=7 + i)
            known *= parameter.shape[-1] ** -0.5 if parameter.dim() > 1 else 1
            module.get_parameter(name).data.copy_(known)
        return module

    return prepare


def same_parameters(module, model):
    """Raises a sentence if module's parameters have other names, shapes or constant starts than model's."""
    found, wanted = dict(module.named_parameters()), dict(model.named_parameters())
    if not found:
        raise NotYet(f"it has no parameters so far; expected: {', '.join(wanted)}")
    if wanted.keys() != found.keys():
        raise Wrong(
            f"its parameters are {', '.join(sorted(found))}; expected: {', '.join(sorted(wanted))}"
        )
    for name, parameter in wanted.items():
        if found[name].shape != parameter.shape:
            raise Wrong(
                f"{name} has the shape {tuple(found[name].shape)}, expected: {tuple(parameter.shape)}"
            )
        start = parameter.flatten()[0].item()
        if (parameter == start).all() and not (found[name] == start).all():
            raise Wrong(
                f"{name} has to start at {start:g} everywhere, so that at first it changes nothing"
            )


# ---- probes: what is asked once the numbers are right


IN_32_BITS = "something is made in 32 bits whatever x has: in float64 it fails or loses digits; take x's dtype"


def moved(thing, to):
    """A copy of a tensor or module on another device or in another dtype; whatever else comes, as it is."""
    if isinstance(thing, torch.Tensor | nn.Module):
        return copy.deepcopy(thing).to(to)
    return thing


def result_when_moved(call, check, to):
    """What comes back when module and arguments of the first case are moved; None if that fails."""
    try:
        return moved(call, to)(*(moved(one, to) for one in check.cases[0]())).detach()
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
    """What comes in on another device comes back on it; "meta" is one that every machine has."""
    result = result_when_moved(check.prepare(yours), check, "meta")
    if result is None or not result.is_meta:
        raise Wrong(
            "something is made on the CPU whatever x is on: give torch.ones or torch.arange device=x.device"
        )


def keeps_dtype(check, yours):
    """In 64 bits the result has 64 bits."""
    result = result_when_moved(check.prepare(yours), check, torch.float64)
    if result is None or result.dtype != torch.float64:
        raise Wrong(IN_32_BITS)


def exact_in_64_bits(check, yours):
    """In 64 bits the result has 64 bits, and is as exact as the right answer's."""
    keeps_dtype(check, yours)
    mine, expected = (
        result_when_moved(check.prepare(one), check, torch.float64) for one in (yours, check.right)
    )
    if not torch.allclose(mine, expected, rtol=1e-9, atol=1e-10):
        raise Wrong(IN_32_BITS)


def gradients(check, yours):
    """Every gradient that the right answer has arrives, and is the same."""
    mine, expected = gradients_of(check, yours), gradients_of(check, check.right)
    for name, gradient in expected.items():
        if mine.get(name) is None or not torch.allclose(mine[name], gradient, rtol=1e-3, atol=1e-4):
            raise Wrong(
                f"the numbers are right, but the gradient of {name} is not: something is cut off from training by "
                "detach, .data, .item() or no_grad"
            )


def gradients_of(check, candidate):
    """{name: gradient} of all float arguments and parameters, for the first case."""
    call = check.prepare(candidate)
    arguments = check.cases[0]()
    wanted = {
        f"input {i}": one.requires_grad_()
        for i, one in enumerate(arguments, 1)
        if isinstance(one, torch.Tensor) and one.is_floating_point()
    }
    wanted |= dict(call.named_parameters()) if isinstance(call, nn.Module) else {}
    out = call(*arguments)
    if not (isinstance(out, torch.Tensor) and out.requires_grad):
        return {}
    found = torch.autograd.grad(
        (out * numbers(*out.shape, seed=3)).sum(), list(wanted.values()), allow_unused=True
    )
    return dict(zip(wanted, found))
