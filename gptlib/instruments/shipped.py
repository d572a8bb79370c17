"""The trained models that come along, and any that a reader saved with sizes and alphabet in its note."""

from pathlib import Path

import torch

from gptlib.instruments import checkpoint
from gptlib.model import GPT, GPTConfig
from gptlib.tokenizer import CharTokenizer

CHECKPOINTS = Path(__file__).parents[2] / "data" / "checkpoints"


def load_gpt(path):
    """(model, tokenizer) from a checkpoint whose note has "sizes" and "alphabet"; the model in eval mode, 32 bits."""
    about, _ = checkpoint.read(path)
    if not {"sizes", "alphabet"} <= about.keys():
        raise ValueError(
            f"{str(path)!r} does not say its sizes and alphabet; save it with checkpoint.save(path, model, "
            '{"sizes": vars(model.config), "alphabet": ...})'
        )
    random_state = torch.get_rng_state()
    model = GPT(GPTConfig(**about["sizes"]))
    torch.set_rng_state(random_state)  # building draws random numbers that loading throws away
    checkpoint.load(path, model)
    return model.eval(), CharTokenizer(about["alphabet"])


def shipped():
    """(model, tokenizer) of the GPT that comes with the repository."""
    return load_gpt(CHECKPOINTS / "shakespeare.safetensors")


def snapshots():
    """{step: model} of a small GPT along its training."""
    paths = sorted(CHECKPOINTS.glob("snapshots_*.safetensors"))
    return {int(path.stem.split("_")[1]): load_gpt(path)[0] for path in paths}
