"""The trained models in this repository, and any that a reader saved with sizes and alphabet in its note."""

import re
from dataclasses import asdict

import torch

from gptlib.instruments.files import DATA
from gptlib.instruments.models import checkpoint
from gptlib.model import GPT, GPTConfig
from gptlib.modern import ModernGPT
from gptlib.tokenizer import CharTokenizer

CHECKPOINTS = DATA / "checkpoints"
KINDS = {"GPT": GPT, "ModernGPT": ModernGPT}


def load_gpt(path):
    """(model, tokenizer) from a checkpoint whose note has "sizes" and "alphabet"; the model in eval mode, 32 bits.

    The note's "kind" says which of KINDS it is, a GPT unless said. A note that does not fit its weights raises
    ValueError before anything is built.
    """
    about, tensors = checkpoint.read(path)
    if not {"sizes", "alphabet"} <= about.keys():
        raise ValueError(
            f"{str(path)!r} does not say its sizes and alphabet; save it with checkpoint.save(path, model, "
            '{"sizes": vars(model.config), "alphabet": ...})'
        )
    try:
        config, tokenizer = GPTConfig(**about["sizes"]), CharTokenizer(about["alphabet"])
        kind = KINDS[about.get("kind", "GPT")]
        stored = sizes_of(checkpoint.weights_of(tensors, config.n_layer))
    except (TypeError, ValueError, KeyError, AttributeError) as problem:
        raise ValueError(f"{str(path)!r} has a note that makes no model: {problem}") from None
    differing = [name for name, size in stored.items() if getattr(config, name) != size]
    if differing:
        name = differing[0]
        raise ValueError(
            f"{str(path)!r} says {name} {getattr(config, name)} in its note, and its weights have {stored[name]}; "
            "save it again"
        )
    random_state = torch.get_rng_state()
    model = kind(config)
    torch.set_rng_state(random_state)  # building draws random numbers that loading throws away
    checkpoint.put_weights(path, model, tensors)
    return model.eval(), tokenizer


def sizes_of(weights):
    """What of a GPTConfig can be read off named weights."""
    vocab_size, n_embd = weights["token_embedding_table.weight"].shape
    numbers = {found[1] for name in weights if (found := re.match(r"blocks\.(\d+)\.", name))}
    found = {"vocab_size": vocab_size, "n_embd": n_embd, "n_layer": len(numbers)}
    if "position_embedding_table.weight" in weights:
        found["block_size"] = len(weights["position_embedding_table.weight"])
    return found


def save_gpt(path, model, alphabet, note=None):
    """Write model at path in 16 bits, with what is needed to build it again; note: more to say of it."""
    kind = next(name for name, kind in KINDS.items() if type(model) is kind)
    half = KINDS[kind](model.config).half()
    half.load_state_dict(model.state_dict())
    about = {"kind": kind, "sizes": asdict(model.config), "alphabet": alphabet}
    checkpoint.save(path, half, about | (note or {}))


def load():
    """(model, tokenizer) of the GPT that 00 opens with."""
    return load_gpt(CHECKPOINTS / "shakespeare.safetensors")


def snapshots():
    """{step: model} of a small GPT along its training."""
    paths = sorted(CHECKPOINTS.glob("snapshots_*.safetensors"))
    return {int(path.stem.split("_")[1]): load_gpt(path)[0] for path in paths}
