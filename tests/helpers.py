"""What several test files ask."""

import torch
import torch.nn as nn


def dropped_everywhere(model):
    """Assert that dropout acts on the embeddings and on what each part of a block adds, each place by itself.

    With a probability of nearly one a place of dropout lets nothing through: the rest of the path is known then.
    """
    model.train()
    for weight in model.parameters():  # what starts at zero would hide a mistake
        nn.init.normal_(weight, std=0.3)
    tokens = torch.arange(4)[None]
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    plain = model(tokens)
    block, x = model.blocks[0], torch.randn(1, 4, model.config.n_embd)

    model.dropout.p = 1.0
    nothing = model.lm_head(model.norm(model.blocks(torch.zeros_like(model.embed(tokens)))))
    assert torch.allclose(model(tokens), nothing, atol=1e-6) and not torch.allclose(plain, nothing)

    block.dropout.p = 1.0  # both parts add nothing: the block is the identity
    assert torch.equal(block(x), x)
    block.eval()
    assert not torch.equal(block(x), x) and torch.equal(block(x), block(x))
