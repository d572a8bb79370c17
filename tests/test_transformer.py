"""Feed-forward, LayerNorm, Block and GPT against torch, Hugging Face and sums worked out by hand."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn as nn
from helpers import dropped_everywhere
from hypothesis import given, settings
from hypothesis import strategies as st

from gptlib.instruments.models import inspection
from gptlib.instruments.models.fast import with_fast_parts
from gptlib.instruments.models.hugging_face import as_hugging_face
from gptlib.layers import Block, FeedForward, LayerNorm
from gptlib.model import GPT, GPTConfig
from gptlib.train import next_token_loss

TINY = GPTConfig(vocab_size=11, block_size=6, n_embd=12, n_head=3, n_layer=2, dropout=0.0)


def gpt(seed=0, **changes):
    torch.manual_seed(seed)
    return GPT(GPTConfig(**(TINY.__dict__ | changes)))


@pytest.mark.parametrize(("n_head", "n_layer", "T"), [(1, 1, 1), (3, 2, 6), (4, 3, 5)])
def test_the_same_weights_give_the_logits_of_hugging_faces_gpt2(n_head, n_layer, T):
    model = gpt(n_head=n_head, n_layer=n_layer).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)  # biases and norms too
        tokens = torch.randint(11, (3, T))
        theirs = as_hugging_face(model)(tokens).logits
        assert torch.allclose(model(tokens), theirs, atol=1e-4)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(2, 9), st.floats(0.01, 100))
def test_layer_norm_is_torchs_forward_and_backward(B, T, C, scale):
    torch.manual_seed(0)
    ours, theirs = LayerNorm(C), nn.LayerNorm(C)
    for mine, other in zip(ours.parameters(), theirs.parameters()):
        mine.data.copy_(torch.randn(C))
        other.data.copy_(mine.data)
    x = scale * torch.randn(B, T, C)
    found = []
    for layer in (ours, theirs):
        here = x.clone().requires_grad_()
        out = layer(here)
        (out * torch.linspace(-1, 1, C)).sum().backward()
        found.append((out, here.grad, layer.weight.grad, layer.bias.grad))
    for mine, other in zip(*found):
        assert torch.allclose(mine, other, atol=1e-3, rtol=1e-3)


def test_epsilon_stands_inside_the_root():
    x = torch.tensor([[0.0, 2e-3]])  # variance 1e-6, a tenth of epsilon
    assert torch.allclose(LayerNorm(2)(x), torch.tensor([[-1e-3, 1e-3]]) / math.sqrt(1.1e-5))


def test_feed_forward_is_two_matrices_with_a_relu_and_works_position_by_position():
    layer, x = FeedForward(4, expansion=3), torch.randn(2, 5, 4)
    by_hand = (x @ layer.expand.weight.T + layer.expand.bias).clamp(
        min=0
    ) @ layer.proj.weight.T + layer.proj.bias
    assert torch.allclose(layer(x), by_hand, atol=1e-6) and layer.expand.out_features == 12
    assert torch.allclose(layer(x)[:, 2], layer(x[:, 2:3])[:, 0], atol=1e-6)


def test_a_block_whose_projections_are_zero_is_the_identity():
    block = Block(8, 2, dropout=0.0)
    for layer in (block.attention, block.ffwd):
        nn.init.zeros_(layer.proj.weight)
        nn.init.zeros_(layer.proj.bias)
    x = torch.randn(2, 5, 8)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize(("n_layer", "T"), itertools.product([1, 3], [1, 2, 6]))
def test_no_token_sees_the_future_in_a_gpt(n_layer, T):
    inspection.assert_causal(gpt(n_layer=n_layer, dropout=0.5), T)


def test_the_parameters_are_as_many_as_counted_by_hand():
    V, T, C, L = 11, 6, 12, 2
    block = 4 * C * C + C + 8 * C * C + 5 * C + 4 * C
    assert (
        sum(p.numel() for p in gpt().parameters()) == V * C + T * C + L * block + 2 * C + C * V + V
    )


def test_a_new_gpt_knows_nothing_whatever_its_depth():
    tokens = torch.randint(11, (64, 6), generator=torch.Generator().manual_seed(0))
    for n_layer in (1, 8):
        model = gpt(n_layer=n_layer, n_embd=48)
        assert abs(next_token_loss(model(tokens), tokens.flip(0)).item() - math.log(11)) < 0.15


def test_dropout_of_a_gpt_acts_on_the_embeddings_and_on_both_parts_of_a_block():
    dropped_everywhere(gpt(dropout=0.5))


def test_a_new_gpt_has_its_matrices_at_one_size_and_its_projections_smaller_by_the_root_of_all_additions():
    C, L = 48, 5
    model = gpt(n_embd=C, n_layer=L)
    std = 0.02 * math.sqrt(768 / C)
    for name, weight in model.named_parameters():
        if name.endswith("bias"):
            assert not weight.any(), name
        elif weight.dim() == 2:
            expected = std / math.sqrt(2 * L) if name.endswith("proj.weight") else std
            assert math.isclose(weight.std().item(), expected, rel_tol=0.1), name


def test_the_parts_of_a_gpt_have_names_and_make_up_its_forward():
    model, tokens = gpt().eval(), torch.randint(11, (2, 5))
    x = model.token_embedding_table(tokens) + model.position_embedding_table.weight[:5]
    assert torch.equal(model.embed(tokens), x)
    assert torch.equal(model.embed(tokens[:, 2:], start=2), x[:, 2:])
    for block in model.blocks:
        x = block(x)
    assert torch.equal(model(tokens), model.lm_head(model.norm(x)))


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"n_layer": -1}, "n_layer is -1; it must be a whole number of at least 1"),
        ({"n_embd": 8.0}, r"n_embd is 8\.0; it must be a whole number"),
        ({"dropout": 1.0}, r"dropout is 1\.0; it must be from 0 to below 1"),
        ({"n_head": 5}, "n_embd 12 cannot be split over 5 heads"),
    ],
)
def test_sizes_that_make_no_gpt_get_a_sentence(sizes, words):
    with pytest.raises(ValueError, match=words):
        replace(TINY, **sizes)


def test_sizes_may_be_numpys_whole_numbers():
    model = GPT(GPTConfig(*(np.int64(size) for size in (11, 6, 12, 3, 2))))
    assert model(torch.zeros(1, 6, dtype=torch.long)).shape == (1, 6, 11)


def test_dropout_acts_in_training_and_never_in_eval():
    model, tokens = gpt(dropout=0.5), torch.randint(11, (2, 6))
    assert not torch.equal(model.train()(tokens), model(tokens))
    assert torch.equal(model.eval()(tokens), model(tokens))


def test_attention_maps_of_a_gpt_have_all_layers_and_heads():
    maps = inspection.attention_maps(gpt(), torch.randint(11, (2, 5)))
    assert maps.shape == (2, 2, 3, 5, 5) and torch.allclose(maps.sum(-1), torch.ones(2, 2, 3, 5))


def test_torchs_own_norms_in_place_of_ours_change_nothing():
    model, tokens = gpt(), torch.randint(11, (2, 6))
    before = model(tokens)
    names = list(model.state_dict())
    assert torch.allclose(with_fast_parts(model)(tokens), before, atol=1e-5)
    assert list(model.state_dict()) == names
