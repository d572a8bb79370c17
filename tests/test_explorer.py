"""The attention explorer without a browser: what it computes, what it sends, what it says to bad input."""

import base64
import json
import math
import re

import numpy as np
import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

from gptlib.attention import (
    CausalSelfAttention,
    Head,
    MultiHeadAttention,
    attention_weights,
    causal_mask,
)
from gptlib.instruments.models import inspection, pretrained, subwords
from gptlib.instruments.show import plots
from gptlib.instruments.show.explorer import AttentionExplorer, compute, explorer, packing, static
from gptlib.instruments.show.prompted import scripts, tokens
from gptlib.instruments.show.walk import Walk, walk
from gptlib.model import GPT, GPTConfig, LanguageModel
from gptlib.modern import ModernGPT
from gptlib.tokenizer import CharTokenizer

TOKENS = CharTokenizer()


def small_gpt(seed=0, **sizes):
    torch.manual_seed(seed)
    sizes = {"block_size": 16, "n_embd": 16, "n_head": 2, "n_layer": 2} | sizes
    return GPT(GPTConfig(**sizes))


def in_language_model(attention):
    return LanguageModel(65, 16, 16, attention)


def modern_gpt():
    torch.manual_seed(0)
    model = ModernGPT(GPTConfig(block_size=16, n_embd=16, n_head=2, n_layer=2))
    for weight in model.parameters():  # some start at zero and would hide a mistake
        _ = nn.init.normal_(weight, std=0.3) if weight.dim() == 2 else None
    return model


MODELS = {
    "one head": lambda: in_language_model(Head(16, 16, 16)),
    "several heads": lambda: in_language_model(MultiHeadAttention(16, 4, 16)),
    "all at once": lambda: in_language_model(CausalSelfAttention(16, 4)),
    "GPT": small_gpt,
    "modern GPT": modern_gpt,
}
each_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


def batch(text):
    return torch.tensor([TOKENS.encode(text)])


# ---- the twin


@each_model
def test_spelled_out_attention_computes_what_the_model_computes(make):
    model, tokens = make().eval(), batch("wherefore art")
    _, spelled_out = inspection.attention_and_logits(model, tokens, temperature=1.0)
    assert torch.allclose(spelled_out, model(tokens), atol=1e-5)


@each_model
def test_without_changes_it_is_the_models_own_forward_that_answers(make):
    model, tokens = make().eval(), batch("wherefore art")
    _, logits = inspection.attention_and_logits(model, tokens)
    assert torch.equal(logits, model(tokens))


@each_model
def test_a_changed_temperature_leaves_the_model_as_it_was(make):
    model, tokens = make(), batch("wherefore art")
    maps, *_ = compute.look_into(model, tokens, temperature=1 + 1e-9)
    assert torch.allclose(maps, inspection.attention_maps(model, tokens)[:, 0], atol=1e-5)
    assert model.training and not any("forward" in part.__dict__ for part in model.modules())


def test_a_temperature_divides_the_scores_in_every_layer():
    model, tokens = small_gpt().eval(), batch("thou art")
    divided = small_gpt().eval()
    for block in (m for m in divided.modules() if isinstance(m, CausalSelfAttention)):
        block.qkv.weight.data[:16] /= 3  # the queries
    maps, chances, _ = compute.look_into(model, tokens, temperature=3.0)
    assert torch.allclose(maps, inspection.attention_maps(divided, tokens)[:, 0], atol=1e-5)
    assert torch.allclose(chances, F.softmax(divided(tokens)[0], dim=-1), atol=1e-5)


def test_without_mask_the_chances_are_those_of_a_model_whose_heads_see_the_future():
    layers = [MultiHeadAttention(16, 2, 16) for _ in range(2)]
    model, tokens = in_language_model(nn.Sequential(*layers)), batch("thou")
    expected = F.softmax(inspection.without_mask(model)(tokens)[0], dim=-1)
    maps, chances, _ = compute.look_into(model, tokens, masked=False)
    assert torch.allclose(chances, expected, atol=1e-6) and maps.triu(1).max() > 0.01
    for number, layer in enumerate(layers):  # the same heads in one matrix product
        model.body[number] = CausalSelfAttention(16, 2)
        inspection.copy_weights(layer, model.body[number])
    _, chances, _ = compute.look_into(model, tokens, masked=False)
    assert torch.allclose(chances, expected, atol=1e-6)


def test_a_model_that_fails_while_swapped_gets_its_own_forward_back():
    model = small_gpt()
    with pytest.raises(ValueError, match="block_size is 16"):
        compute.look_into(model, batch("a" * 17), temperature=2.0)
    assert not any("forward" in part.__dict__ for part in model.modules())


def test_any_attention_that_projects_q_k_and_v_can_be_looked_into():
    class Mine(nn.Module):
        def project_qkv(self, x):
            return x, x, x

        def forward(self, x):
            return 0 * x  # what it makes of them is its own affair

    model, tokens = in_language_model(Mine()).eval(), batch("thou")
    x = model.token_embedding_table(tokens) + model.position_embedding_table.weight[:4]
    future = torch.ones(4, 4, dtype=torch.bool).triu(1)
    expected = (x @ x.mT / 4).masked_fill(future, -math.inf).softmax(dim=-1)
    maps, chances, _ = compute.look_into(model, tokens)
    assert torch.allclose(maps[0], expected, atol=1e-6)
    assert torch.allclose(chances, F.softmax(model(tokens)[0], dim=-1))


# ---- what is sent


def decoded(explorer):
    """The weights that the bytes hold, as (L, H, T, T)."""
    L, H, T, _ = explorer.maps.shape
    kept = torch.ones(T, T, dtype=torch.bool)
    maps = torch.zeros(L, H, T, T)
    rows = torch.frombuffer(bytearray(explorer.weights), dtype=torch.uint8).float() / 255
    maps[..., kept.tril() if explorer.sizes["causal"] else kept] = rows.view(L, H, -1)
    return maps


@each_model
def test_the_bytes_are_the_attention_maps_to_one_level_of_255(make):
    model = make()
    explorer = AttentionExplorer(model, TOKENS, "wherefore art")
    expected = inspection.attention_maps(model, batch("wherefore art"))[:, 0]
    assert explorer.sizes["causal"] and torch.equal(explorer.maps, expected)
    assert (decoded(explorer) - expected).abs().max() <= 1 / 255
    explorer.masked = False
    assert not explorer.sizes["causal"]
    assert (decoded(explorer) - explorer.maps).abs().max() <= 1 / 255


def comm_bytes(explorer):
    """The size of what the browser gets when the explorer is opened: the JSON and the binary buffers beside it."""
    state = explorer.get_state()
    plain = {name: value for name, value in state.items() if not isinstance(value, bytes)}
    return len(json.dumps(plain)) + sum(
        len(value) for value in state.values() if isinstance(value, bytes)
    )


@pytest.mark.parametrize(("T", "most"), [(64, 150_000), (256, 2_000_000)])
def test_six_layers_of_six_heads_stay_small(T, most):
    model = small_gpt(block_size=256, n_embd=36, n_head=6, n_layer=6)
    explorer = AttentionExplorer(model, TOKENS, "Speak, speak. Go" * (T // 16))
    assert len(explorer.weights) == 36 * T * (T + 1) // 2
    assert comm_bytes(explorer) < most


def test_the_state_is_json_and_bytes_and_nothing_else():
    explorer = AttentionExplorer(None, TOKENS, "thou", steps={0: small_gpt(), 9: small_gpt(1)})
    state = {name: explorer.get_state()[name] for name in AttentionExplorer.class_own_traits()}
    plain = {name: value for name, value in state.items() if not isinstance(value, bytes)}
    assert json.loads(json.dumps(plain)) == plain
    assert {n for n in state if n not in plain} == {
        "weights",
        "next_ids",
        "next_chances",
        "queries_keys",
    }


def test_the_next_characters_are_the_models_likeliest_and_their_chances():
    model = small_gpt().eval()
    explorer = AttentionExplorer(model, TOKENS, "thou")
    chances = F.softmax(model(batch("thou"))[0], dim=-1)
    places = torch.frombuffer(bytearray(explorer.next_ids), dtype=torch.int16).view(4, 8)
    sent = torch.frombuffer(bytearray(explorer.next_chances), dtype=torch.float32).view(4, 8)
    assert torch.allclose(sent, chances.topk(8).values)
    best = [explorer.next_labels[row[0]] for row in places.tolist()]
    assert best == [plots.visible(TOKENS.decode([i]))[0] for i in chances.argmax(-1).tolist()]


def test_no_request_can_leave_the_page_because_the_scripts_name_no_address():
    text = AttentionExplorer._esm + AttentionExplorer._css
    assert (
        text.count("http") == text.count("http://www.w3.org/2000/svg") == 1
    )  # SVG's name, never fetched
    assert not any(
        word in text for word in ("fetch(", "XMLHttp", "import ", "@import", "WebSocket")
    )


# ---- asking


SENTENCES = {
    "é": "this model knows only these 65 characters: ↵ ␣ ! .* A–Z a–z; 'é' \\(position 0\\) is not one of them",
    "": "the prompt is empty; type at least one character",
    "a" * 18: "the prompt has 18 tokens, and this model takes at most 16; shorten it by 2",
}


@pytest.mark.parametrize(("prompt", "sentence"), SENTENCES.items())
def test_a_bad_prompt_gets_one_sentence_and_the_last_good_picture_stays(prompt, sentence):
    explorer = AttentionExplorer(small_gpt(), TOKENS, "thou")
    before, picture = explorer.weights, explorer.picture().png()
    explorer.prompt = prompt
    assert re.search(sentence, explorer.sentence) and "\n" not in explorer.sentence
    assert explorer.weights == before and explorer.picture().png() == picture
    explorer.prompt = "art"
    assert explorer.sentence == "" and explorer.tokens == ["a", "r", "t"]
    with pytest.raises(ValueError, match=sentence):
        AttentionExplorer(small_gpt(), TOKENS, prompt)


@pytest.mark.parametrize("temperature", [0.0, 1e-320, -1.0, math.inf, math.nan])
def test_a_temperature_that_cannot_divide_is_refused_with_a_sentence_and_the_last_one_stays(
    temperature,
):
    explorer = AttentionExplorer(small_gpt(), TOKENS, "thou")
    before = explorer.weights
    with pytest.raises(ValueError, match=r"it must be at least 0\.000001"):
        explorer.temperature = temperature
    assert (explorer.temperature, explorer.weights, explorer.sentence) == (1.0, before, "")
    explorer.temperature = 0.2
    assert explorer.weights != before


def test_a_list_of_characters_is_short_and_says_them_all():
    assert tokens.listed("acb") == "a b c" and tokens.listed("xa\nbcd ") == "↵ ␣ a–d x"
    many = tokens.listed([chr(code) for code in range(40, 1040, 2)])
    assert many.startswith("( * ,") and many.endswith(" …") and len(many) <= tokens.LISTED + 2


def test_the_steps_are_all_there_at_once_and_the_slider_shows_each_ones_maps():
    steps = {0: small_gpt(0), 50: small_gpt(1), 100: small_gpt(2)}
    explorer = AttentionExplorer(steps[50], TOKENS, "thou", steps=steps)
    assert (explorer.step, explorer.stored) == (50, [0, 50, 100])
    each = len(explorer.weights) // 3
    for place, (step, model) in enumerate(steps.items()):
        explorer.step = step
        expected = inspection.attention_maps(model, batch("thou"))[:, 0]
        assert torch.equal(explorer.maps, expected)
        assert explorer.weights[place * each :][:each] == packing.pack(expected, causal=True)


def test_steps_that_are_too_large_together_are_computed_when_the_slider_asks(monkeypatch):
    monkeypatch.setattr("gptlib.instruments.show.explorer.explorer.EAGER", 50)
    steps = {0: small_gpt(0), 50: small_gpt(1)}
    explorer = AttentionExplorer(None, TOKENS, "thou", steps=steps)
    assert (explorer.step, explorer.stored) == (50, [50])
    explorer.step = 0
    assert explorer.stored == [0]
    assert torch.equal(explorer.maps, inspection.attention_maps(steps[0], batch("thou"))[:, 0])
    explorer.step = 7
    assert explorer.sentence == "there is no step 7; there are [0, 50]" and explorer.stored == [0]


def test_two_explorers_do_not_know_of_each_other():
    one, two = (AttentionExplorer(small_gpt(), TOKENS, "thou") for _ in range(2))
    state = {n: v for n, v in two.get_state().items() if n != "layout"}
    one.prompt, one.heads, one.locked, one.position, one.temperature = (
        "art",
        [[1, 1]],
        [True],
        2,
        3.0,
    )
    assert {n: v for n, v in two.get_state().items() if n != "layout"} == state


BAD_HEADS = [[[0, 2]], [[2, 0]], [], [[0, 0]] * 3, [3], [[0]], [["a", 0]], [[0, 0, 0]], [None]]
BAD_HEADS += [[[2, "mean"]], [[0, 0.5]], [["mean", 0]], [[0, math.inf]], [[-1, 0]]]


@pytest.mark.parametrize("heads", BAD_HEADS)
def test_a_head_that_is_not_there_is_refused_with_a_sentence_and_the_last_one_stays(heads):
    explorer = AttentionExplorer(small_gpt(), TOKENS, "thou")
    with pytest.raises(ValueError, match="give one \\[layer, head\\], or two to compare"):
        explorer.heads = heads
    assert explorer.heads == [[0, 0]]


def test_a_mean_is_a_head_to_choose_and_the_static_picture_shows_it():
    explorer = AttentionExplorer(small_gpt(), TOKENS, "O, my ROMEO")
    explorer.heads = [[1, "mean"], ["mean", "mean"]]
    of_layer, of_all = explorer.picture().axes[1:]
    for axes, expected in ((of_layer, explorer.maps[1]), (of_all, explorer.maps.flatten(0, 1))):
        shown = np.nan_to_num(np.ma.filled(axes.images[0].get_array(), 0)) ** 2
        assert abs(shown - expected.mean(dim=0).numpy()).max() < 1e-6
    assert of_layer.get_title() == "layer 2 · mean of its heads"


# ---- queries and keys


@each_model
@pytest.mark.parametrize(("temperature", "masked"), [(1.0, True), (0.5, True), (1.0, False)])
def test_the_queries_and_keys_of_every_head_make_its_attention_weights(make, temperature, masked):
    model, tokens = make(), batch("wherefore art")
    maps, _, layers = compute.look_into(model, tokens, temperature, masked)
    mask = causal_mask(13) if masked else torch.ones(13, 13, dtype=torch.bool)
    for (q, k), expected in zip(layers, maps, strict=True):
        assert torch.allclose(attention_weights(q / temperature, k, mask), expected, atol=1e-5)
    assert not any(module._forward_pre_hooks for module in model.modules()) and model.training


def sent(explorer):
    """(q, k) that the browser has."""
    both = torch.frombuffer(bytearray(explorer.queries_keys), dtype=torch.float32)
    return both.view(2, len(explorer.tokens), -1)


def test_only_the_queries_and_keys_of_the_head_that_is_asked_for_are_sent():
    steps = {0: small_gpt(0), 50: small_gpt(1)}
    explorer = AttentionExplorer(None, TOKENS, "thou", steps=steps)
    assert explorer.queries_keys == b"" and explorer.projected == {}
    for step, head in ((50, [1, 1]), (0, [1, 1]), (0, [0, 1])):
        explorer.step, explorer.neuron = step, head
        q, k = compute.look_into(steps[step], batch("thou")).queries_keys[head[0]]
        assert torch.equal(sent(explorer), torch.stack([q[head[1]], k[head[1]]]))
        assert explorer.projected == {"of": [explorer.revision, step, *head]}
    explorer.prompt = "wherefore"
    assert sent(explorer).shape == (2, 9, 8) and explorer.projected["of"][0] == explorer.revision
    model = small_gpt(block_size=256, n_embd=384, n_head=6, n_layer=1)
    explorer = AttentionExplorer(model, TOKENS, "Speak, speak. Go" * 16)
    explorer.neuron = [0, 5]
    assert len(explorer.queries_keys) == 2 * 256 * 64 * 4


@pytest.mark.parametrize("neuron", [[0], [0, 2], [0, "mean"], ["mean", "mean"], [None, 1]])
def test_a_neuron_view_of_no_head_is_refused_with_a_sentence(neuron):
    explorer = AttentionExplorer(small_gpt(), TOKENS, "thou")
    with pytest.raises(ValueError, match=r"neuron came as .*; give \[layer, head\] below"):
        explorer.neuron = neuron
    assert explorer.neuron == []


def test_byte_pair_tokens_are_shown_as_text_and_what_they_do_not_know_gets_the_sentence():
    text = "Where is Romeo, my Romeo? O speak again\n"
    bpe = subwords.train_bpe(text * 20, 60)
    explorer = AttentionExplorer(small_gpt(vocab_size=60), bpe, "O speak, Romeo")
    assert "".join(explorer.tokens) == "O␣speak,␣Romeo" and len(explorer.tokens) < 14
    assert not any("Ġ" in label or "Ċ" in label for label in explorer.next_labels)
    for prompt in ("O speak Zounds", "O speak Z"):  # in the middle, and as the last
        explorer.prompt = prompt
        assert explorer.sentence.startswith("'Z' (position 8) does not occur in the text")
        explorer.prompt = "O"


def test_gpt2s_tokens_work_too():
    explorer = AttentionExplorer(small_gpt(vocab_size=50_257), subwords.gpt2(), "hello world")
    assert explorer.tokens == ["hello", "␣world"] and explorer.maps.shape == (2, 2, 2, 2)


# ---- what a notebook stores


def test_the_stored_picture_and_words_are_the_same_every_time_and_carry_no_id():
    bundles = []
    for _ in range(2):
        explorer = AttentionExplorer(small_gpt(), TOKENS, "O, my ROMEO")
        explorer.heads = [[1, 0]]
        bundles.append(explorer._repr_mimebundle_())
    assert bundles[0]["image/png"] == bundles[1]["image/png"]
    assert base64.b64decode(bundles[0]["image/png"]).startswith(b"\x89PNG")
    words = "[picture: attention of 2 × 2 heads on 11 tokens, O,␣my␣ROMEO]"
    assert bundles[0]["text/plain"] == bundles[1]["text/plain"] == words


def test_the_still_picture_shows_the_chosen_head_and_follows_it():
    explorer = AttentionExplorer(small_gpt(), TOKENS, "O, my ROMEO")
    drawn = explorer.picture()
    before = drawn.png()
    explorer.heads = [[1, 1], [0, 1]]
    moved = explorer.picture()
    assert moved.png() != before and len(moved.axes) == 3
    for axes, head in ((drawn.axes[1], (0, 0)), (moved.axes[1], (1, 1)), (moved.axes[2], (0, 1))):
        shown = np.ma.filled(axes.images[0].get_array(), 0) ** 2
        assert abs(np.nan_to_num(shown) - explorer.maps[head].numpy()).max() < 1e-6


def test_a_thinned_map_keeps_its_largest_weights():
    maps = torch.zeros(1, 1, 200, 200)
    maps[0, 0, 150, 33] = 0.9
    small = static.shrunk(maps.numpy())
    assert small.shape == (1, 1, 96, 96) and small.max() == pytest.approx(0.9)


def test_the_pretrained_model_is_explored():
    explorer = AttentionExplorer(*pretrained.load(), "ROMEO:\nO, my love")
    assert explorer.tokens[6] == "↵" and explorer.maps.shape == (6, 6, 17, 17)


def test_every_script_of_the_folder_is_in_the_joined_module_and_no_name_is_there_twice():
    for widget, folder in ((AttentionExplorer, explorer.HERE), (Walk, walk.HERE)):
        for path in [*folder.glob("*.js"), *scripts.SHARED.glob("*.js")]:
            assert path.read_text(encoding="utf-8").splitlines()[0] in widget._esm
        names = re.findall(r"^(?:async )?(?:function|class|const) (\w+)", widget._esm, re.M)
        assert len(names) == len(set(names)) > 20
        assert widget._esm.count("export") == widget._esm.count("export default") == 1


def test_a_packed_weight_is_the_nearest_of_256_levels():
    weights = torch.tensor([[[[1.0, 0.0], [0.4985, 0.5015]]]])
    assert list(packing.pack(weights, causal=True)) == [255, 127, 128]  # 127.1 and 127.9
