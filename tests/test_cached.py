"""Sampling with a KV cache gives what the model itself gives, for every prompt, or raises with a sentence."""

import pytest
import torch
import torch.nn as nn

from gptlib.cached import CachedGPT, KVCache, RollingKVCache, generate_cached, generate_rolling
from gptlib.instruments.measure.catalogue.modern import with_previous_token
from gptlib.instruments.models.fast import LinearForOne, optimized_for_decoding
from gptlib.layers import Block
from gptlib.model import GPT, GPTConfig, LanguageModel
from gptlib.modern import ModernGPT
from gptlib.sample import generate

TINY = GPTConfig(vocab_size=11, block_size=8, n_embd=16, n_head=2, n_layer=2)


def shaken(model, seed=0):
    """model in eval mode with random numbers in all parameters, so that nothing is zero."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.4)
    return model.eval()


MODELS = {
    "GPT": shaken(GPT(TINY)),
    "ModernGPT": shaken(ModernGPT(TINY)),
}


def drawn(way, model, T, n, B=1, **sampling):
    tokens = torch.randint(11, (B, T), generator=torch.Generator().manual_seed(T))
    return way(model, tokens, n, generator=torch.Generator().manual_seed(5), **sampling)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("sampling", [{}, {"temperature": 0.5}, {"top_k": 3, "temperature": 2.0}])
@pytest.mark.parametrize(("T", "n"), [(1, 7), (3, 5), (1, 0), (8, 1), (3, 20), (12, 9)])
def test_cached_sampling_is_generate_token_for_token(kind, sampling, T, n):
    for B in (1, 3):
        plain = drawn(generate, MODELS[kind], T, n, B, **sampling)
        assert torch.equal(drawn(generate_cached, MODELS[kind], T, n, B, **sampling), plain)
        assert plain.shape == (B, T + n)


def same_logits(cached, model, tokens, atol=1e-4):
    with torch.no_grad():
        return torch.allclose(cached(tokens), model(tokens)[:, -1:], atol=atol)


@pytest.mark.parametrize("kind", MODELS)
def test_a_cached_model_gives_the_last_logits_of_the_whole_text(kind):
    model, tokens = MODELS[kind], torch.randint(11, (2, 8))
    cached = CachedGPT(model)
    assert all(same_logits(cached, model, tokens[:, :T]) for T in range(3, 9))


@pytest.mark.parametrize("kind", MODELS)
def test_after_one_prompt_any_other_prompt_gives_its_own_logits(kind):
    model, cached = MODELS[kind], CachedGPT(MODELS[kind])
    one, other = torch.tensor([[1, 2, 3]]), torch.tensor([[4, 5, 6, 7]])
    prompts = [one, other, other, one, other[:, :2], other, torch.cat([other, one], dim=1)]
    assert all(same_logits(cached, model, prompt) for prompt in prompts)
    assert same_logits(cached, model, torch.cat([one, one]))  # another batch size


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize(
    ("dtype", "atol"), [(torch.float64, 1e-12), (torch.bfloat16, 0.1), (torch.float16, 0.02)]
)
def test_a_cache_works_in_16_and_64_bits(kind, dtype, atol):
    model = shaken(type(MODELS[kind])(TINY)).to(dtype)
    cached, tokens = CachedGPT(model), torch.randint(11, (1, 6))
    for T in (2, 3, 6):
        assert cached(tokens[:, :T]).dtype == dtype
        assert same_logits(cached, model, tokens[:, :T], atol * 10)


def test_a_cache_hands_back_all_keys_and_values_so_far():
    cache, parts = KVCache(max_length=6), [torch.randn(2, 3, n, 4) for n in (3, 1, 2)]
    for k in parts:
        keys, values = cache.append(k, -k)
    assert torch.equal(keys, torch.cat(parts, dim=2)) and torch.equal(values, -keys)
    assert cache.length == 6


def test_a_rolling_cache_keeps_the_last_ones_in_any_order():
    cache, k = RollingKVCache(max_length=3), torch.arange(5.0).view(1, 1, 5, 1)
    for t in range(5):
        keys, _ = cache.append(k[:, :, t : t + 1], k[:, :, t : t + 1])
    assert sorted(keys.flatten().tolist()) == [2, 3, 4] and cache.length == 5


def test_a_model_whose_dropout_is_on_and_one_with_other_parts_get_a_sentence():
    dropping = GPT(GPTConfig(11, 8, 16, 2, 2, dropout=0.5)).train()
    tokens = torch.zeros(1, 2, dtype=torch.long)
    with pytest.raises(ValueError, match=r"training mode, and its dropout is on; call model.eval"):
        generate_cached(dropping, tokens, 1)
    generate_cached(dropping.eval(), tokens, 1)

    class PostNorm(Block):
        def forward(self, x):
            return self.ln1(x + self.attention(x))

    other = GPT(TINY)
    other.blocks[1] = PostNorm(16, 2, 0.0)
    with pytest.raises(ValueError, match="this GPT has others; use generate"):
        generate_cached(other.eval(), tokens, 1)
    with pytest.raises(ValueError, match="this LanguageModel has others; use generate"):
        generate_cached(LanguageModel(11, 8, 16, nn.Identity()), tokens, 1)
    with pytest.raises(ValueError, match="a PreviousToken may look at several; use generate"):
        generate_cached(with_previous_token(ModernGPT(TINY)).eval(), tokens, 1)


def test_without_dropout_training_mode_is_no_obstacle():
    model = shaken(GPT(TINY)).train()
    assert torch.equal(drawn(generate_cached, model, 3, 20), drawn(generate, model, 3, 20))


@pytest.mark.parametrize("kind", MODELS)
def test_the_twin_for_single_tokens_shares_every_weight_and_writes_the_same(kind):
    twin = optimized_for_decoding(MODELS[kind])
    for (name, mine), other in zip(twin.named_parameters(), MODELS[kind].parameters(), strict=True):
        assert mine is other, name
    assert torch.equal(drawn(generate_cached, twin, 3, 20), drawn(generate, MODELS[kind], 3, 20))
    assert not any(isinstance(module, LinearForOne) for module in MODELS[kind].modules())


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [(16, 24), (24, 16), (16, 13)])
@pytest.mark.parametrize("shape", [(1, 1), (1,), (), (1, 2), (2, 1)])
def test_the_linear_layer_for_single_tokens_is_torchs(shape, size, bias):
    torch.manual_seed(0)
    plain, fast = nn.Linear(*size, bias=bias).double(), LinearForOne(*size, bias=bias).double()
    fast.load_state_dict(plain.state_dict())
    x = torch.randn(*shape, size[0], dtype=torch.float64, requires_grad=True)
    assert torch.allclose(fast(x), plain(x), rtol=0, atol=1e-12)
    gradients = [torch.autograd.grad(layer(x).sin().sum(), x)[0] for layer in (fast, plain)]
    assert torch.allclose(*gradients, rtol=0, atol=1e-12)


def test_up_to_block_size_each_token_is_read_once():
    model, read = MODELS["ModernGPT"], []
    hook = model.blocks[0].ln1.register_forward_pre_hook(lambda _, x: read.append(x[0].shape[1]))
    drawn(generate_cached, model, 3, 8)
    hook.remove()
    assert read == [3, 1, 1, 1, 1, 1, 8, 8]  # then the window moves


def test_the_rolling_cache_is_generate_up_to_block_size_and_another_function_beyond():
    model = MODELS["ModernGPT"]
    plain, rolling = drawn(generate, model, 2, 60), drawn(generate_rolling, model, 2, 60)
    assert torch.equal(plain[:, :9], rolling[:, :9]) and not torch.equal(plain, rolling)
    assert rolling.shape == plain.shape and drawn(generate_rolling, model, 12, 3).shape == (1, 15)


def test_the_rolling_cache_of_one_layer_is_exact_as_nothing_comes_by_way_of_others():
    model = shaken(ModernGPT(GPTConfig(11, 8, 16, 2, n_layer=1)))
    assert torch.equal(drawn(generate, model, 2, 60), drawn(generate_rolling, model, 2, 60))


def test_a_table_of_positions_cannot_roll():
    with pytest.raises(ValueError, match="and no later one; use generate_cached"):
        drawn(generate_rolling, MODELS["GPT"], 1, 1)
