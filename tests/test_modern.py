"""The modern parts against torch, complex numbers, singular values, and the plain twin of everything that is fast."""

import cmath
import copy
import math
from dataclasses import replace

import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F
from helpers import dropped_everywhere
from hypothesis import given, settings
from hypothesis import strategies as st

from gptlib.instruments.measure.catalogue import modern as catalogue
from gptlib.instruments.models import inspection
from gptlib.instruments.models.fast import (
    FastRMSNorm,
    FastSquaredReLUFeedForward,
    with_fast_parts,
)
from gptlib.layers import Block
from gptlib.model import GPT, GPTConfig
from gptlib.modern import (
    ModernAttention,
    ModernConfig,
    ModernGPT,
    Muon,
    RMSNorm,
    RoPE,
    SquaredReLUFeedForward,
    newton_schulz,
    zero_projections,
)
from gptlib.train import full_loss, next_token_loss, train

TINY = GPTConfig(vocab_size=11, block_size=8, n_embd=16, n_head=2, n_layer=2)


def shaken(model, seed=0):
    """model in eval mode with random numbers in all parameters, so that nothing is zero."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.4)
    return model.eval()


# ---- the parts


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 9), st.floats(0.01, 100))
def test_rms_norm_is_torchs_forward_and_backward(B, T, C, scale):
    torch.manual_seed(0)
    ours, theirs = RMSNorm(C), nn.RMSNorm(C, eps=1e-5)
    ours.weight.data.normal_()
    theirs.load_state_dict(ours.state_dict())
    x, found = scale * torch.randn(B, T, C), []
    for layer in (ours, theirs):
        here = x.clone().requires_grad_()
        out = layer(here)
        (out * torch.linspace(-1, 1, C)).sum().backward()
        found.append((out, here.grad, layer.weight.grad))
    for mine, other in zip(*found):
        assert torch.allclose(mine, other, atol=1e-4, rtol=1e-4)


def test_rope_multiplies_each_pair_by_a_power_of_i_worked_out_by_hand():
    x = torch.randn(1, 5, 4)
    turned = RoPE(4)(x, start=3)
    for t in range(5):
        for pair, frequency in ((0, 1.0), (1, 0.01)):
            a, b = x[0, t, 2 * pair : 2 * pair + 2].tolist()
            expected = complex(a, b) * cmath.exp(1j * (t + 3) * frequency)
            found = complex(*turned[0, t, 2 * pair : 2 * pair + 2].tolist())
            assert abs(found - expected) < 1e-5


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 500), st.integers(0, 30), st.integers(1, 6))
def test_with_rope_a_score_depends_on_the_distance_alone(start, distance, half):
    torch.manual_seed(0)
    rope, q, k = RoPE(2 * half), torch.randn(1, 2 * half), torch.randn(1, 2 * half)
    here = (rope(q, start + distance) * rope(k, start)).sum()
    at_zero = (rope(q, distance) * k).sum()
    assert torch.allclose(here, at_zero, atol=2e-3)
    assert torch.allclose(rope(q, start).norm(), q.norm(), rtol=1e-4)


def test_modern_attention_is_what_its_formula_says_position_by_position():
    attention = shaken(ModernAttention(8, 2))
    x = torch.randn(1, 5, 8)
    q, k, v = attention.qkv(x)[0].view(5, 3, 2, 4).unbind(1)  # (T, H, D)
    out = torch.zeros(5, 2, 4)
    for h in range(2):
        for t in range(5):
            queries = attention.rope(attention.norm(q[t : t + 1, h]), t)
            keys = attention.rope(attention.norm(k[: t + 1, h]))
            out[t, h] = F.softmax(queries @ keys.T / 2, dim=-1) @ v[: t + 1, h]
    assert torch.allclose(attention(x)[0], attention.proj(out.flatten(1)), atol=1e-5)


def test_its_attention_maps_can_be_read_from_outside_and_give_its_output():
    model = shaken(ModernGPT(TINY))
    maps = inspection.attention_maps(model, torch.randint(11, (2, 8)))
    assert maps.shape == (2, 2, 2, 8, 8) and torch.allclose(maps.sum(-1), torch.ones(2, 2, 2, 8))
    attention, x = model.blocks[0].attention, torch.randn(2, 8, 16)
    _, weights = inspection.spelled_out(attention, x)
    mixed = weights @ attention.project_qkv(x)[2]
    assert torch.allclose(attention(x), attention.proj(mixed.transpose(1, 2).flatten(2)), atol=1e-5)


def test_normed_queries_and_keys_bound_every_score_however_large_the_stream():
    attention = ModernAttention(16, 2)
    q, k, _ = attention.project_qkv(1000 * torch.randn(2, 8, 16))
    assert (q @ k.mT / math.sqrt(8)).abs().max() <= math.sqrt(8) + 1e-3


def test_the_squared_relu_feed_forward_squares_what_the_relu_lets_through():
    layer, x = SquaredReLUFeedForward(4), torch.randn(2, 3, 4)
    inside = (x @ layer.expand.weight.T).clamp(min=0) ** 2
    assert torch.allclose(layer(x), inside @ layer.proj.weight.T, atol=1e-6)
    assert [name for name, _ in layer.named_parameters()] == ["expand.weight", "proj.weight"]


def test_with_zero_projections_a_block_is_the_identity_and_the_model_knows_nothing():
    model = zero_projections(GPT(TINY))
    block, x = model.blocks[0], torch.randn(2, 8, 16)
    assert isinstance(block, Block) and torch.equal(block(x), x)
    tokens = torch.randint(11, (2, 8))
    assert abs(next_token_loss(model(tokens), tokens).item() - math.log(11)) < 1e-6


def test_no_linear_layer_of_the_recipe_keeps_a_bias():
    bare = catalogue.without_biases(GPT(TINY))
    kept = [name for name, _ in bare.named_parameters() if "bias" in name]
    assert kept == [name for name in kept if ".ln" in name or name == "norm.bias"] and kept


# ---- the model


def test_a_modern_gpt_has_as_many_parameters_as_one_counts_by_hand():
    V, C, L, D = 11, 16, 2, 8
    by_hand = 2 * V * C + L * (12 * C * C + 2 * C + D) + C
    assert sum(p.numel() for p in ModernGPT(TINY).parameters()) == by_hand


def test_no_token_sees_the_future_in_a_modern_gpt():
    inspection.assert_causal(shaken(ModernGPT(TINY)))


def test_a_modern_gpt_knows_the_order_of_its_tokens_without_a_table():
    model = shaken(ModernGPT(TINY))
    one, other = model(torch.tensor([[1, 2, 3]])), model(torch.tensor([[2, 1, 3]]))
    assert (one - other)[0, -1].abs().max() > 1e-2


def test_too_long_a_text_gets_a_sentence_though_there_is_no_table():
    with pytest.raises(ValueError, match="9 tokens came, and block_size is 8"):
        ModernGPT(TINY)(torch.zeros(1, 9, dtype=torch.long))


def test_heads_of_an_odd_size_get_a_sentence():
    with pytest.raises(ValueError, match="head_size is 3; it must be even"):
        RoPE(3)


def test_a_modern_gpt_starts_with_its_matrices_at_one_size_and_its_projections_at_zero():
    torch.manual_seed(0)
    C = 64
    model = ModernGPT(GPTConfig(65, 8, C, 4, 3))
    for name, weight in model.named_parameters():
        if name.endswith(("proj.weight", "lm_head.weight")):
            assert not weight.any(), name
        elif weight.dim() == 2:
            assert math.isclose(weight.std().item(), 0.02 * math.sqrt(768 / C), rel_tol=0.05), name
        else:
            assert (weight == 1).all(), name


def test_dropout_of_a_modern_gpt_acts_on_the_embeddings_and_on_both_parts_of_a_block():
    dropped_everywhere(ModernGPT(replace(TINY, dropout=0.5)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_modern_gpt_works_in_16_and_64_bits_close_to_its_32(dtype):
    model, tokens = shaken(ModernGPT(TINY)), torch.randint(11, (2, 8))
    exact = copy.deepcopy(model).double()(tokens)
    found = copy.deepcopy(model).to(dtype)(tokens)
    assert found.dtype == dtype
    size = exact.abs().max()
    tolerance = {torch.float16: 0.01, torch.bfloat16: 0.08, torch.float64: 1e-14}[dtype]
    assert (found.double() - exact).abs().max() < tolerance * size


def test_rope_in_64_bits_is_as_exact_as_pythons_own_complex_numbers():
    x = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    turned = RoPE(4)(x, start=7)
    for t in range(5):
        for pair, frequency in ((0, 1.0), (1, 0.01)):
            z = complex(*x[t, 2 * pair : 2 * pair + 2]) * cmath.exp(1j * (7 + t) * frequency)
            found = turned[t, 2 * pair : 2 * pair + 2].tolist()
            assert abs(complex(*found) - z) < 1e-12


def test_rope_keeps_its_angles_exact_in_16_bits_far_into_a_text():
    x = torch.randn(1, 4, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    exact, found = RoPE(8)(x.double(), start=3000), RoPE(8)(x, start=3000)
    assert found.dtype == torch.bfloat16 and (found.double() - exact).abs().max() < 0.02


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_newton_schulz_and_muon_keep_the_dtype_they_are_given(dtype):
    G = directions(6, 4).to(dtype)
    found = newton_schulz(G)
    assert found.dtype == dtype
    assert torch.allclose(found.float(), newton_schulz(G.float()), atol=0.02)
    assert newton_schulz(torch.zeros(2, 3, dtype=dtype)).abs().max() == 0
    weight = nn.Parameter(directions(6, 4).to(dtype))
    weight.grad = G
    Muon([weight], 0.05).step()
    assert weight.dtype == dtype and weight.isfinite().all()


# ---- Muon


def directions(rows, columns, seed=0):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("rows", "columns"), [(16, 16), (64, 16), (16, 64), (1, 5), (5, 1)])
def test_an_orthogonalized_matrix_keeps_its_singular_vectors_and_has_values_near_one(rows, columns):
    U, _, Vh = torch.linalg.svd(directions(rows, columns), full_matrices=False)
    S = torch.logspace(0, -2, min(rows, columns))  # the largest a hundred times the smallest
    inside = (
        U.mT @ newton_schulz(U * S @ Vh) @ Vh.mT
    )  # diagonal if the singular vectors are the same
    assert torch.allclose(inside, inside.diag().diag(), atol=1e-2)
    assert inside.diag().min() > 0.6 and inside.diag().max() < 1.3


def test_the_polynomial_on_the_small_matrix_is_the_one_on_the_whole():
    G = directions(24, 8).double()
    X = G / G.norm()
    for _ in range(5):
        A = X @ X.T
        X = 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X
    assert torch.allclose(newton_schulz(G.float()), X.float(), atol=1e-4)


def test_a_batch_of_matrices_is_orthogonalized_one_by_one():
    G = torch.stack([directions(6, 4, seed) for seed in range(3)])
    alone = torch.stack([newton_schulz(matrix) for matrix in G])
    assert torch.allclose(newton_schulz(G), alone, atol=1e-4)
    assert newton_schulz(torch.zeros(2, 3)).abs().max() == 0


def test_muon_takes_torchs_steps():
    twins = [[nn.Parameter(directions(*shape)) for shape in ((6, 4), (4, 6), (6, 4))] for _ in "12"]
    ours = Muon(twins[0], 0.05)
    theirs = torch.optim.Muon(twins[1], 0.05, adjust_lr_fn="match_rms_adamw")
    before = [weight.detach().clone() for weight in twins[0]]
    for step in range(3):
        for weights in twins:
            for number, weight in enumerate(weights):
                weight.grad = directions(*weight.shape, seed=10 * step + number)
        ours.step()
        theirs.step()
    for mine, other, start in zip(*twins, before):  # theirs counts in bfloat16, so to 2 per cent
        assert (mine - other).norm() < 0.02 * (mine - start).norm()


def test_the_optimizer_gives_every_weight_to_one_of_its_two_halves():
    model = ModernGPT(TINY)
    groups = ModernConfig().optimizer(model).param_groups
    held = [id(weight) for group in groups for weight in group["params"]]
    assert sorted(held) == sorted(id(weight) for weight in model.parameters())
    matrices = {id(w) for group in groups if "momentum" in group for w in group["params"]}
    assert matrices == {id(w) for w in model.blocks.parameters() if w.dim() == 2}


def test_muon_shrinks_the_weights_before_it_steps():
    weight = nn.Parameter(torch.eye(3))
    weight.grad = torch.eye(3)
    Muon([weight], lr=0.5, weight_decay=0.4).step()
    step = 0.5 * 0.2 * math.sqrt(3) * newton_schulz(torch.eye(3))
    assert torch.allclose(weight, torch.eye(3) * (1 - 0.5 * 0.4) - step, atol=1e-6)


def test_the_rest_is_left_to_adamw_with_the_recipes_betas():
    adamw = ModernConfig().optimizer(ModernGPT(TINY)).optimizers[1]
    assert adamw.defaults["betas"] == (0.9, 0.99) and type(adamw) is torch.optim.AdamW


def test_combined_optimizers_save_and_restore_what_each_remembers():
    twins = [shaken(ModernGPT(TINY)) for _ in "12"]
    optimizers = [ModernConfig().optimizer(model) for model in twins]
    tokens = torch.randint(11, (2, 8))

    def step(model, optimizer):
        optimizer.zero_grad()
        model(tokens).square().mean().backward()
        optimizer.step()

    step(twins[0], optimizers[0])
    twins[1].load_state_dict(twins[0].state_dict())
    optimizers[1].load_state_dict(copy.deepcopy(optimizers[0].state_dict()))
    for model, optimizer in zip(twins, optimizers):
        for group in optimizer.param_groups:
            group["lr"] = 0.01  # reaches both, also after loading
        step(model, optimizer)
    for (name, one), other in zip(twins[0].named_parameters(), twins[1].parameters()):
        assert torch.equal(one, other), name


def test_a_warm_up_of_no_steps_gets_a_sentence():
    with pytest.raises(ValueError, match="warmup is 0; it must be a whole number of at least 1"):
        ModernConfig(warmup=0)


def test_the_rate_climbs_and_falls_to_nearly_zero():
    config = ModernConfig(steps=100, warmup=10, learning_rate=1.0)
    rates = [config.lr_at(step) for step in range(100)]
    assert rates[0] == 0.1 and max(rates) == rates[9] and math.isclose(rates[-1], 0.01)
    assert rates[9:] == sorted(rates[9:], reverse=True)


def test_a_modern_gpt_learns_in_a_few_steps_what_repeats():
    torch.manual_seed(0)
    tokens = torch.arange(11).repeat(60)
    model = ModernGPT(TINY)
    config = ModernConfig(steps=120, batch_size=8, block_size=8, eval_every=120, eval_batches=1)
    for _ in train(model, (tokens, tokens), config):
        pass
    assert full_loss(model, tokens, 8) < 0.1


# ---- twins


def test_the_fast_parts_are_the_taught_ones_forward_and_backward():
    plain = shaken(ModernGPT(TINY))
    fast = with_fast_parts(copy.deepcopy(plain))
    tokens = torch.randint(11, (3, 8))
    for model in (plain, fast):
        next_token_loss(model(tokens), tokens).backward()
    assert sum(isinstance(module, FastRMSNorm) for module in fast.modules()) == 7
    fast_ffwd = sum(isinstance(module, FastSquaredReLUFeedForward) for module in fast.modules())
    assert fast_ffwd == TINY.n_layer
    for (name, mine), other in zip(fast.named_parameters(), plain.parameters()):
        assert torch.allclose(mine.grad, other.grad, atol=1e-5, rtol=1e-3), name
