"""What a training step of the recipe in notebook 13 takes beside nanoGPT's own, from the same weights.

    NANOGPT=PATH/TO/nanoGPT python run.py bench nanogpt_step

runs the model.py of your checkout of nanoGPT: its GPT, its optimizer, and the step of its train.py, in the setting that
its readme gives for characters on a CPU. First both must have the same loss with the same weights. Then they take
turns, in blocks of steps, in one run, with one thread and with all; the middle of the blocks counts, and each side's
better number of threads. Wanted: ours is not slower.
"""

import importlib.util
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from torch.nn.utils import clip_grad_norm_

from gptlib.instruments.measure.catalogue.modern import SIZES, NanoConfig, nano_gpt
from gptlib.instruments.measure.texts import CORPUS, read_data
from gptlib.instruments.measure.timing import fastest
from gptlib.train import next_token_loss, train

BLOCKS, STEPS = 15, 10
NAMES = (  # ours, theirs
    ("token_embedding_table", "transformer.wte"),
    ("position_embedding_table", "transformer.wpe"),
    ("body.", "transformer.h."),
    ("ln1", "ln_1"),
    ("ln2", "ln_2"),
    ("attention.qkv", "attn.c_attn"),
    ("attention.proj", "attn.c_proj"),
    ("ffwd.expand", "mlp.c_fc"),
    ("ffwd.proj", "mlp.c_proj"),
)


def their_name(name):
    """What nanoGPT calls the weight that we call name."""
    if name.startswith(f"body.{SIZES.n_layer + 1}."):
        return "transformer.ln_f.weight"
    for mine, theirs in NAMES:
        name = name.replace(mine, theirs)
    parts = name.split(".")
    if parts[1] == "h":
        parts[2] = str(int(parts[2]) - 1)  # our body begins with dropout
    return ".".join(parts)


def their_model(folder, ours):
    """nanoGPT's GPT from folder/model.py, with our weights."""
    spec = importlib.util.spec_from_file_location("nanogpt_model", Path(folder) / "model.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclass asks for it
    spec.loader.exec_module(module)
    config = module.GPTConfig(
        SIZES.block_size, SIZES.vocab_size, SIZES.n_layer, SIZES.n_head, SIZES.n_embd, 0.0, False
    )
    theirs = module.GPT(config)
    theirs.load_state_dict(
        {their_name(name): weight for name, weight in ours.state_dict().items()}, strict=False
    )
    return theirs


def their_batch(tokens, block_size, batch_size):
    """Pieces cut out one by one and put together, as its train.py does."""
    starts = torch.randint(len(tokens) - block_size, (batch_size,))
    x = torch.stack([tokens[i : i + block_size] for i in starts])
    return x, torch.stack([tokens[i + 1 : i + 1 + block_size] for i in starts])


def their_steps(model, data, config):
    """The step of nanoGPT's train.py, again and again."""
    optimizer = model.configure_optimizers(0.1, config.learning_rate, (0.9, 0.99), "cpu")
    step = 0
    while True:
        for group in optimizer.param_groups:
            group["lr"] = config.lr_at(step)
        _, loss = model(*their_batch(data[0], config.block_size, config.batch_size))
        loss.backward()
        clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        yield loss.item()


def main():
    """Compare the losses, then the times; fails if nanoGPT's step is the faster."""
    if not (Path(os.environ.get("NANOGPT", "")) / "model.py").is_file():
        sys.exit("set NANOGPT to the folder of a checkout of nanoGPT, in which model.py is")
    torch.manual_seed(0)
    data, config = read_data(CORPUS), NanoConfig(eval_every=2000, eval_batches=1)
    ours = nano_gpt()
    theirs = their_model(os.environ["NANOGPT"], ours)
    x, y = their_batch(data[0], config.block_size, config.batch_size)
    our_loss, their_loss = next_token_loss(ours(x), y).item(), theirs(x, y)[1].item()
    print(f"loss with the same weights: ours {our_loss:.6f}, nanoGPT's {their_loss:.6f}")
    assert abs(our_loss - their_loss) < 1e-4
    runs = {"ours": train(ours, data, config), "nanoGPT": their_steps(theirs, data, config)}
    blocks = {
        f"{name}, {STEPS} steps": lambda run=run: [next(run) for _ in range(STEPS)]
        for name, run in runs.items()
    }
    mine, theirs = fastest(blocks, BLOCKS).values()
    ratio = theirs / mine
    print(f"nanoGPT / ours {ratio:.2f}, wanted 1")
    sys.exit(0 if ratio >= 1 else "too slow")


if __name__ == "__main__":
    main()
