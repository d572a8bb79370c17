"""Our GPT's weights in Hugging Face's GPT2LMHeadModel: an independent program that must give the same logits."""

import torch
import torch.nn as nn

# theirs: ours; i is the number of a block
OUTSIDE = {
    "transformer.wte": "token_embedding_table",
    "transformer.wpe": "position_embedding_table",
    "transformer.ln_f": "norm",
    "lm_head": "lm_head",
}
BLOCK = {
    "transformer.h.{i}.ln_1": "blocks.{i}.ln1",
    "transformer.h.{i}.attn.c_attn": "blocks.{i}.attention.qkv",
    "transformer.h.{i}.attn.c_proj": "blocks.{i}.attention.proj",
    "transformer.h.{i}.ln_2": "blocks.{i}.ln2",
    "transformer.h.{i}.mlp.c_fc": "blocks.{i}.ffwd.expand",
    "transformer.h.{i}.mlp.c_proj": "blocks.{i}.ffwd.proj",
}


def names(n_layer):
    """{their module: our module} for a model of n_layer blocks."""
    blocks = [
        {theirs.format(i=i): ours.format(i=i) for theirs, ours in BLOCK.items()}
        for i in range(n_layer)
    ]
    return OUTSIDE | {theirs: ours for block in blocks for theirs, ours in block.items()}


@torch.no_grad()
def as_hugging_face(gpt):
    """A GPT2LMHeadModel with gpt's weights, set to match where ours differs on purpose.

    ReLU in place of GELU, an lm_head of its own with a bias, biases of q, k and v zero. In eval mode.
    """
    from transformers import GPT2Config, GPT2LMHeadModel

    sizes = gpt.config
    config = GPT2Config(
        vocab_size=sizes.vocab_size,
        n_positions=sizes.block_size,
        n_embd=sizes.n_embd,
        n_head=sizes.n_head,
        n_layer=sizes.n_layer,
        activation_function="relu",
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=0,
    )
    theirs = GPT2LMHeadModel(config).eval()
    theirs.lm_head = nn.Linear(sizes.n_embd, sizes.vocab_size)
    for name, ours in names(sizes.n_layer).items():
        here, there = gpt.get_submodule(ours), theirs.get_submodule(name)
        stored = (
            here.weight.T if type(there).__name__ == "Conv1D" else here.weight
        )  # Conv1D keeps (inputs, outputs)
        there.weight.copy_(stored)
        if getattr(there, "bias", None) is not None:
            bias = getattr(here, "bias", None)
            there.bias.zero_() if bias is None else there.bias.copy_(bias)
    return theirs
