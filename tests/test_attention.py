"""Every way of writing attention is one function, forward and backward; and nothing sees the future."""

import itertools

import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from gptlib.attention import CausalSelfAttention, Head, MultiHeadAttention
from gptlib.instruments.models import inspection
from gptlib.model import GPT, GPTConfig, LanguageModel


def same_both_ways(one, other, x):
    """Assert equal outputs and equal gradients to the input, to 1e-5."""
    gradients = []
    outputs = []
    for function in (one, other):
        here = x.clone().requires_grad_()
        out = function(here)
        (out * torch.linspace(-1, 1, out.shape[-1])).sum().backward()
        outputs.append(out.detach())
        gradients.append(here.grad)
    assert torch.allclose(*outputs, atol=1e-5) and torch.allclose(*gradients, atol=1e-5)


shapes = st.tuples(
    st.integers(1, 3), st.integers(1, 9), st.sampled_from([1, 2, 3, 4]), st.sampled_from([1, 2, 5])
)


def built(shape, seed=0):
    B, T, H, D = shape
    torch.manual_seed(seed)
    return MultiHeadAttention(H * D, H, block_size=9), torch.randn(B, T, H * D)


@settings(deadline=None, max_examples=30)
@given(shapes)
def test_a_head_is_torchs_scaled_dot_product_attention_on_its_own_q_k_v(shape):
    B, T, H, D = shape
    torch.manual_seed(0)
    head, x = Head(H * D, D, 9), torch.randn(B, T, H * D)

    def torchs(x):
        return F.scaled_dot_product_attention(
            head.query(x), head.key(x), head.value(x), is_causal=True
        )

    same_both_ways(head, torchs, x)


@settings(deadline=None, max_examples=30)
@given(shapes)
def test_all_heads_in_one_product_are_the_loop_over_heads(shape):
    loop, x = built(shape)
    fused = CausalSelfAttention(loop.proj.in_features, len(loop.heads))
    inspection.copy_weights(loop, fused)
    same_both_ways(loop, fused, x)


@settings(deadline=None, max_examples=30)
@given(shapes)
def test_the_loop_over_heads_is_torchs_multihead_attention(shape):
    loop, x = built(shape)
    theirs = nn.MultiheadAttention(loop.proj.in_features, len(loop.heads), batch_first=True)
    inspection.copy_weights(loop, theirs)
    hidden = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
    same_both_ways(loop, lambda x: theirs(x, x, x, attn_mask=hidden, need_weights=False)[0], x)


@settings(deadline=None, max_examples=20)
@given(shapes)
def test_attention_maps_are_the_weights_that_the_explicit_path_uses(shape):
    loop, x = built(shape)
    C, T = x.shape[2], x.shape[1]
    fused = CausalSelfAttention(C, len(loop.heads))
    inspection.copy_weights(loop, fused)
    tokens = torch.randint(7, (x.shape[0], T))
    for layer in (loop, fused):
        torch.manual_seed(1)
        model = LanguageModel(7, 9, C, nn.Sequential(layer))
        maps = inspection.attention_maps(model, tokens)[0]  # (B, H, T, T)
        inside = model.token_embedding_table(tokens) + model.position_embedding_table(
            torch.arange(T)
        )
        values = torch.stack([head.value(inside) for head in loop.heads], dim=1)
        mixed = (maps @ values).transpose(1, 2).flatten(2)
        assert torch.allclose(layer.proj(mixed), layer(inside), atol=1e-5)


def test_attention_maps_are_those_without_dropout_in_whatever_mode_the_model_is():
    torch.manual_seed(0)
    model = GPT(GPTConfig(7, 6, 8, n_head=2, n_layer=2, dropout=0.5))
    tokens = torch.randint(7, (3, 5))
    training, quiet = (
        inspection.attention_maps(model.train(mode), tokens) for mode in (True, False)
    )
    assert torch.equal(training, quiet)


def test_attention_maps_of_several_layers_come_in_order_and_add_to_one():
    torch.manual_seed(0)
    model = LanguageModel(
        7, 6, 8, nn.Sequential(CausalSelfAttention(8, 2), nn.Tanh(), MultiHeadAttention(8, 2, 6))
    ).train()
    tokens = torch.randint(7, (3, 5))
    maps = inspection.attention_maps(model, tokens)
    assert maps.shape == (2, 3, 2, 5, 5) and model.training
    assert torch.allclose(maps.sum(dim=-1), torch.ones(2, 3, 2, 5)) and maps.triu(1).max() == 0
    first = LanguageModel(7, 6, 8, model.body[0])
    first.load_state_dict(
        {
            n.replace("body.0.", "body."): p
            for n, p in model.state_dict().items()
            if "body.2" not in n
        }
    )
    assert torch.allclose(inspection.attention_maps(first, tokens)[0], maps[0])


def test_a_model_without_attention_and_an_unknown_id_get_a_sentence():
    with pytest.raises(ValueError, match="no attention layer"):
        inspection.attention_maps(
            LanguageModel(7, 6, 8, nn.Identity()), torch.zeros(1, 3, dtype=torch.long)
        )
    with pytest.raises(ValueError, match="id 7"):
        inspection.attention_maps(LanguageModel(7, 6, 8, Head(8, 8, 6)), torch.full((1, 3), 7))


BODIES = {
    "identity": lambda: nn.Identity(),
    "one head": lambda: Head(8, 8, 6),
    "three heads in a row": lambda: nn.Sequential(*(Head(8, 8, 6) for _ in range(3))),
    "heads in a loop": lambda: MultiHeadAttention(8, 2, 6),
    "all heads at once": lambda: CausalSelfAttention(8, 4),
}


@pytest.mark.parametrize(("body", "T"), list(itertools.product(BODIES, [1, 2, 5, 6])))
def test_no_token_sees_the_future_in_any_model_of_the_series(body, T):
    torch.manual_seed(0)
    inspection.assert_causal(LanguageModel(11, 6, 8, BODIES[body]()), T)


def no_mask():
    head = Head(8, 8, 6)
    head.mask.fill_(True)
    return head


class OffByOne(Head):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.mask.copy_(torch.ones_like(self.mask).tril(1))


class MeanOverTime(nn.Module):
    def forward(self, x):
        return x + 1e-4 * x.mean(dim=1, keepdim=True)


@pytest.mark.parametrize("leak", [no_mask, lambda: OffByOne(8, 8, 6), MeanOverTime])
def test_a_model_that_sees_the_future_is_caught(leak):
    torch.manual_seed(0)
    with pytest.raises(AssertionError, match="sees the future"):
        inspection.assert_causal(LanguageModel(11, 6, 8, leak()))


def test_a_model_whose_logits_never_move_proves_nothing():
    model = LanguageModel(11, 6, 8, nn.Identity())
    nn.init.zeros_(model.lm_head.weight)
    with pytest.raises(AssertionError, match="nothing can be seen"):
        inspection.assert_causal(model)


def test_a_leak_too_small_to_move_the_logits_is_caught_by_the_gradient():
    class Whisper(nn.Module):
        def forward(self, x):
            return x + 1e-12 * x.mean(dim=1, keepdim=True)

    model = LanguageModel(11, 6, 8, Whisper())
    inspection.assert_change_moves_nothing_earlier(model, torch.zeros(1, 6, dtype=torch.long))
    with pytest.raises(AssertionError, match="gradient reaches a later token"):
        inspection.assert_causal(model)


def test_taking_the_mask_away_leaves_the_model_itself_alone():
    model = LanguageModel(11, 6, 8, Head(8, 8, 6))
    twin = inspection.without_mask(model)
    inspection.assert_causal(model)
    with pytest.raises(AssertionError):
        inspection.assert_causal(twin)


@pytest.mark.parametrize(
    "make", [lambda: MultiHeadAttention(10, 3, 8), lambda: CausalSelfAttention(10, 3)]
)
def test_a_width_that_the_heads_cannot_share_gets_a_sentence(make):
    with pytest.raises(ValueError, match="n_embd 10 cannot be split over 3 heads"):
        make()


def test_texts_longer_than_block_size_and_floats_get_a_sentence():
    model = LanguageModel(11, 6, 8, Head(8, 8, 6))
    with pytest.raises(ValueError, match="7 tokens came, and block_size is 6"):
        model(torch.zeros(1, 7, dtype=torch.long))
    with pytest.raises(ValueError, match="7 tokens came"):
        Head(8, 8, 6)(torch.zeros(1, 7, 8))
    with pytest.raises(TypeError, match=r"torch\.float32; ids are whole numbers"):
        model(torch.zeros(1, 3))
    with pytest.raises(ValueError, match=r"wants \(B, T\)"):
        model(torch.zeros(3, dtype=torch.long))


def test_the_triangle_is_neither_trained_nor_saved():
    model = LanguageModel(11, 6, 8, MultiHeadAttention(8, 2, 6))
    assert not any(
        "mask" in name for name in [*model.state_dict(), *dict(model.named_parameters())]
    )


def test_weights_between_layers_of_other_sizes_are_not_copied():
    with pytest.raises(ValueError, match="same n_embd"):
        inspection.copy_weights(MultiHeadAttention(8, 2, 6), CausalSelfAttention(4, 2))


def test_a_language_model_adds_token_and_place_and_scores_with_its_head():
    torch.manual_seed(0)
    model, tokens = LanguageModel(11, 6, 8, nn.Tanh()), torch.randint(11, (2, 4))
    x = F.one_hot(tokens, 11).float() @ model.token_embedding_table.weight
    x = x + model.position_embedding_table.weight[:4]
    assert torch.allclose(
        model(tokens), torch.tanh(x) @ model.lm_head.weight.T + model.lm_head.bias, atol=1e-6
    )
