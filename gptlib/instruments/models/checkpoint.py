"""Models on disk: one safetensors file each, whose header carries a JSON note. Nothing that is loaded is executed.

A file is written beside its target and then moved over it, so a crash leaves the old one whole.
"""

import json
import re
import zlib
from dataclasses import asdict, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from gptlib.instruments.files import replacing
from gptlib.instruments.models.device import device_of
from gptlib.train import train


def save(path, model, about=None, extra=None):
    """Write model's weights to path; about: a dict for JSON (sizes, alphabet, …); extra: more named tensors."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= extra or {}
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as beside:
        save_file(tensors, beside, metadata={"about": json.dumps(about or {})})


def read(path):
    """(about, {name: tensor}) of a checkpoint; a missing or truncated file raises with a sentence."""
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"there is no checkpoint {str(path)!r}; save one first, or check the folder"
        )
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("about", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, json.JSONDecodeError, OSError, RecursionError):
        raise ValueError(
            f"{str(path)!r} is not a whole checkpoint (truncated or another kind of file); copy or save it again"
        ) from None
    if not isinstance(about, dict):
        raise ValueError(f"{str(path)!r} has a note that save does not write; save it again")
    return about, tensors


def load(path, model):
    """Copy the weights at path into model and return about. A mismatch raises ValueError and changes nothing."""
    about, tensors = read(path)
    put_weights(path, model, tensors)
    return about


def weights_of(tensors, n_layer=None):
    """The model.… entries of tensors without that prefix, under the names that models have today.

    In the first edition a GPT's body was [dropout, *blocks, norm]; n_layer says that the weights are for a GPT of so
    many blocks.
    """
    stored = {
        name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")
    }
    if n_layer is None or not any(name.startswith("body.") for name in stored):
        return stored

    def today(found):
        number = int(found[1]) - 1
        return "norm." if number == n_layer else f"blocks.{number}."

    return {re.sub(r"^body\.(\d+)\.", today, name): tensor for name, tensor in stored.items()}


def put_weights(path, model, tensors):
    """Copy the model.… entries of tensors into model, after all names and shapes have been compared."""
    stored = weights_of(tensors, n_layer=len(model.blocks) if hasattr(model, "blocks") else None)
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


# ---- a training that can be stopped


def flattened(state, tensors, name="optimizer"):
    """state, nested dicts and lists, as JSON can hold it: each tensor goes into tensors and leaves its name."""
    if isinstance(state, torch.Tensor):
        tensors[name] = state
        return {"tensor": name}
    if isinstance(state, dict):
        pairs = [[key, flattened(value, tensors, f"{name}.{key}")] for key, value in state.items()]
        return {"dict": pairs}  # as pairs, since JSON turns a key that is a number into text
    if isinstance(state, list | tuple):
        return [flattened(value, tensors, f"{name}.{i}") for i, value in enumerate(state)]
    return state


def restored(state, tensors):
    """The inverse of flattened."""
    if isinstance(state, list):
        return [restored(value, tensors) for value in state]
    if not isinstance(state, dict):
        return state
    if "tensor" in state:
        return tensors[state["tensor"]]
    return {key: restored(value, tensors) for key, value in state["dict"]}


def random_states(device):
    """The states of the random generators that a training on device draws from, as named tensors."""
    states = {"random.cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states[f"random.{device.type}"] = getattr(torch, device.type).get_rng_state()
    return states


def restore_random_states(tensors, device):
    """Put back what random_states returned for the same kind of device."""
    torch.set_rng_state(tensors["random.cpu"])
    if device.type != "cpu":
        getattr(torch, device.type).set_rng_state(tensors[f"random.{device.type}"])


def resumable(path, model, data, config, save_every=500, optimizer=None, note=dict):
    """`train`, saved at path every save_every steps and at the end; goes on from there if path exists.

    note: called at each save for a dict that is saved as well, under "note". A run that was stopped and resumed gives
    the same model as one that was not, bit for bit on one machine. Where that cannot be (another model, config, text or
    kind of device, a schedule that would have been another one, fewer steps than there were) it raises ValueError and
    changes nothing.
    """
    optimizer = optimizer or config.optimizer(model)
    run = asdict(config) | {"device": device_of(model).type}
    run["text"] = [zlib.crc32(tokens.cpu().numpy().tobytes()) for tokens in data]
    start = resume(path, model, optimizer, config, run) if Path(path).exists() else 0
    for step, losses in train(model, data, config, optimizer, start):
        if (step % save_every == 0 or step == config.steps) and step > start:
            extra = random_states(device_of(model))
            state = flattened(optimizer.state_dict(), extra)
            about = {"step": step, "run": run, "optimizer": state, "note": note()}
            save(path, model, about, extra)
        yield step, losses


def resume(path, model, optimizer, config, run):
    """Put model, optimizer and random states back as they were saved at path; returns the number of steps done."""
    about, tensors = read(path)
    check_same_run(path, about, config, run)
    state = restored(about["optimizer"], tensors)
    put_weights(path, model, tensors)
    optimizer.load_state_dict(state)
    restore_random_states(tensors, device_of(model))
    return about["step"]


def check_same_run(path, about, config, run):
    """Raise ValueError unless going on from the run noted in about gives what a run with config would have given."""
    before, done = about.get("run"), about.get("step")
    if not isinstance(before, dict) or not isinstance(done, int) or "optimizer" not in about:
        raise ValueError(
            f"{str(path)!r} cannot be gone on from: no run of this edition saved it; its weights can be loaded with "
            "checkpoint.load, for a new run give another path"
        )
    other = [name for name in run if name != "steps" and before.get(name) != run[name]]
    if other:
        raise ValueError(
            f"{str(path)!r} was trained with another {', '.join(other)}; use another path or the same setting"
        )
    if done > config.steps:
        raise ValueError(
            f"{str(path)!r} has had {done} steps, and {config.steps} are asked for; ask for more, or use another path"
        )
    shorter = replace(config, steps=before["steps"])
    if any(shorter.lr_at(step) != config.lr_at(step) for step in range(done)):
        raise ValueError(
            f"{str(path)!r} was trained with the schedule of {before['steps']} steps, and one of {config.steps} would "
            "have had other learning rates from the start; use another path or the same number"
        )
