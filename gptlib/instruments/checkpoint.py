"""Models on disk: one safetensors file each, whose header carries a JSON note. Nothing that is loaded is executed.

A file is written beside its target and then moved over it, so a crash leaves the old one whole.
"""

import json
import os
import zlib
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from gptlib.train import train


def save(path, model, about=None, extra=None):
    """Write model's weights to path; about: anything JSON can hold (sizes, alphabet, …); extra: more named tensors."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()} | (
        extra or {}
    )
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    beside = path.with_name(path.name + ".part")
    try:
        save_file(tensors, beside, metadata={"about": json.dumps(about or {})})
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def read(path):
    """(about, {name: tensor}) of a checkpoint; a missing or truncated file raises with a sentence."""
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"there is no checkpoint {str(path)!r}; save one first, or check the folder"
        )
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("about", "{}"))
            return about, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, json.JSONDecodeError, OSError):
        raise ValueError(
            f"{str(path)!r} is not a whole checkpoint (truncated or another kind of file); copy or save it again"
        ) from None


def load(path, model):
    """Copy the weights at path into model and return about. A mismatch raises ValueError and changes nothing."""
    about, tensors = read(path)
    put_weights(path, model, tensors)
    return about


def put_weights(path, model, tensors):
    """Copy the model.… entries of tensors into model, after all names and shapes have been compared."""
    stored = {
        name.removeprefix("model."): tensor
        for name, tensor in tensors.items()
        if name.startswith("model.")
    }
    wanted = model.state_dict()
    for name in sorted(stored.keys() | wanted.keys()):
        there, here = (
            tuple(part[name].shape) if name in part else "missing" for part in (stored, wanted)
        )
        if there != here:
            raise ValueError(
                f"{str(path)!r} belongs to another model: {name} is {there} in the file and {here} in the model; "
                "build the model with the file's sizes"
            )
    model.load_state_dict(stored)


def random_states():
    """The states of torch's own random generators, which dropout draws from, as named tensors."""
    states = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["random.cuda"] = torch.cuda.get_rng_state()
    if torch.backends.mps.is_available():
        states["random.mps"] = torch.mps.get_rng_state()
    return states


def restore_random_states(tensors):
    """Put back what random_states returned."""
    setters = {
        "cpu": torch.set_rng_state,
        "cuda": torch.cuda.set_rng_state,
        "mps": torch.mps.set_rng_state,
    }
    for device, put_back in setters.items():
        if f"random.{device}" in tensors:
            put_back(tensors[f"random.{device}"])


def optimizer_tensors(optimizer):
    """The optimizer's running averages as named tensors: optimizer.<number of the parameter>.<name>."""
    states = optimizer.state_dict()["state"]
    return {
        f"optimizer.{number}.{name}": torch.as_tensor(value)
        for number, values in states.items()
        for name, value in values.items()
    }


def put_optimizer(optimizer, tensors):
    """Put back what optimizer_tensors returned."""
    state = {}
    for key, tensor in tensors.items():
        if key.startswith("optimizer."):
            _, number, name = key.split(".", 2)
            state.setdefault(int(number), {})[name] = tensor
    optimizer.load_state_dict(
        {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
    )


def resumable(path, model, data, config, save_every=500, optimizer=None):
    """`train`, saved at path every save_every steps and at the end; goes on from there if path exists.

    A run that was broken off and resumed gives the same model as one that was not, bit for bit on one machine.
    Another model, config or text than the one saved raises ValueError and changes nothing.
    """
    optimizer = optimizer or config.optimizer(model)
    # steps may grow from one call to the next: more steps of the same run
    run = {name: value for name, value in asdict(config).items() if name != "steps"}
    run["text"] = [zlib.crc32(tokens.cpu().numpy().tobytes()) for tokens in data]
    start = resume(path, model, optimizer, run) if Path(path).exists() else 0
    for step, losses in train(model, data, config, optimizer, start):
        if (step % save_every == 0 or step == config.steps) and step > start:
            save(
                path,
                model,
                {"step": step, "run": run},
                optimizer_tensors(optimizer) | random_states(),
            )
        yield step, losses


def resume(path, model, optimizer, run):
    """Put model, optimizer and random states back as they were saved at path; returns the number of steps done."""
    about, tensors = read(path)
    if about.get("run") != run:
        before = about.get("run") or {}
        other = [name for name in run if before.get(name) != run[name]]
        raise ValueError(
            f"{str(path)!r} was trained with another {', '.join(other)}; use another path or the same setting"
        )
    put_weights(path, model, tensors)
    put_optimizer(optimizer, tensors)
    restore_random_states(tensors)
    return about["step"]
