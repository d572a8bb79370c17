"""The walk shows the model's own numbers, in Python and in the browser."""

import re
import statistics
from pathlib import Path

import explorer_page
import pytest
import torch
import torch.nn.functional as F
from browser import chromium

from gptlib import attention as lesson
from gptlib.instruments.show.walk import Walk
from gptlib.instruments.show.walk.trace import trace
from gptlib.instruments.show.walk.walk import CODE, ONE_HEAD
from gptlib.model import GPT, GPTConfig
from gptlib.tokenizer import CharTokenizer

TOKENS = CharTokenizer()


def gpt(**sizes):
    torch.manual_seed(0)
    model = GPT(GPTConfig(**({"block_size": 40, "n_embd": 24, "n_head": 3, "n_layer": 2} | sizes)))
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return model.train()


def batch(text):
    return torch.tensor([TOKENS.encode(text)])


def test_what_is_traced_is_what_the_model_computes():
    model, tokens = gpt(dropout=0.5), batch("thou art")
    found = trace(model, tokens)
    assert model.training
    model.eval()
    assert torch.allclose(found["logits"], model(tokens)[0], atol=1e-5)
    stream = found["stream"]
    assert torch.allclose(stream[0, 0], found["token"] + found["position"], atol=1e-6)
    assert torch.allclose(stream[:, 1], stream[:, 0] + found["attention"], atol=1e-5)
    assert torch.allclose(stream[:, 2], stream[:, 1] + found["ffwd"], atol=1e-5)
    assert torch.equal(stream[1, 0], stream[0, 2])
    out = lesson.attend(found["q"][1], found["k"][1], found["v"][1], lesson.causal_mask(8))
    merged = model.blocks[1].attention.proj(out.transpose(0, 1).flatten(1))
    assert torch.allclose(merged, found["attention"][1], atol=1e-5)
    assert torch.allclose(
        model.blocks[0].ffwd.proj(found["hidden"][0]), found["ffwd"][0], atol=1e-5
    )


def test_each_step_shows_a_line_of_the_library():
    folder = Path(lesson.__file__).parent
    sources = [(folder / f"{name}.py").read_text() for name in ("attention", "layers", "model")]
    sources = "".join(sources)
    assert all(line in sources and not line.startswith('"') for line in CODE.values())
    assert Walk(gpt(), TOKENS, "thou", one_head=True).steps == list(ONE_HEAD)
    assert Walk(gpt(), TOKENS, "thou").steps == list(CODE)


def test_a_bad_prompt_gets_a_sentence_and_the_last_good_walk_stays_marked_as_stale():
    walk = Walk(gpt(), TOKENS, "thou art", position=6)
    before = walk.numbers
    for prompt, words in (
        ("", "is empty"),
        ("ü", "'ü'"),
        ("a" * 33, "at most 32"),
        ("a" * 41, "32"),
    ):
        walk.prompt = prompt
        assert words in walk.sentence and walk.stale and walk.numbers == before
    walk.prompt = "art"
    assert (walk.sentence, walk.stale, walk.position) == ("", False, 2) and walk.numbers != before
    with pytest.raises(ValueError, match="is empty"):
        Walk(gpt(), TOKENS, "")


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser):
    return explorer_page.opened(
        browser, Walk(gpt(), TOKENS, "thou art!&", position=4), css="gpt-walk"
    )


def go(page, **state):
    for name, value in state.items():
        page.evaluate("([name, value]) => window.model.set(name, value)", [name, value])


def shown(page):
    numbers = page.locator(".gpt-walk-body .gpt-walk-number").all_text_contents()
    return [float(n.replace("−∞", "-inf").replace("−", "-")) for n in numbers]


def test_scores_scale_mask_and_softmax_in_the_browser_are_those_of_the_library(page):
    model = gpt().eval()
    found = trace(model, batch("thou art!&"))
    for layer, head, t in ((0, 0, 4), (1, 2, 9), (1, 0, 0)):
        go(page, layer=layer, head=head, position=t)
        q, k = found["q"][layer, head], found["k"][layer, head]
        raw = (q @ k.T)[t]
        weights = lesson.attention_weights(q, k, lesson.causal_mask(len(q)))[t]
        masked = (raw / 8**0.5).masked_fill(torch.arange(len(q)) > t, -torch.inf)
        for step, expected in (
            ("scores", raw),
            ("scaled", raw / 8**0.5),
            ("masked", masked),
            ("softmax", weights),
        ):
            go(page, step=step)
            assert torch.allclose(torch.tensor(shown(page)), expected, atol=0.02), step
    assert page.errors == []


def test_the_last_step_shows_the_models_likeliest_next_characters(page):
    model = gpt().eval()
    go(page, position=9, step="logits")
    chances = F.softmax(model(batch("thou art!&"))[0, 9], dim=-1)
    labels = page.locator(".gpt-walk-body .gpt-walk-label").all_text_contents()
    assert labels[0][0] in {TOKENS.itos[int(chances.argmax())], "␣", "↵"}
    assert abs(shown(page)[0] - chances.max().item()) < 0.01


def test_steps_and_characters_are_reached_by_keyboard_and_every_step_draws_something(page):
    page.locator(".gpt-walk-step").first.focus()
    for place in range(len(CODE)):
        assert (
            page.locator(".gpt-walk-step[aria-selected=true]")
            .text_content()
            .startswith(f"{place + 1} ")
        )
        assert page.locator(".gpt-walk-body > *").count() > 0
        assert page.locator(".gpt-walk-code").text_content() == list(CODE.values())[place]
        page.keyboard.press("ArrowDown")
    page.locator(".gpt-walk-token[aria-checked=true]").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("window.model.get('position')") == 5 and page.errors == []


def test_each_step_answers_within_50_ms(browser):
    model = gpt(n_embd=192, n_head=6, n_layer=6)
    page = explorer_page.opened(
        browser, Walk(model, TOKENS, "thou art thou art thou art thou "), css="gpt-walk"
    )
    took = page.evaluate("""(steps) => steps.map((step) => {
        const began = performance.now();
        window.model.set("step", step);
        document.body.offsetHeight;
        return performance.now() - began;
    })""", [*CODE, *CODE, *CODE])  # fmt: skip
    assert statistics.median(took) < 50


@pytest.mark.parametrize("width", [1000, 500])
def test_nothing_sticks_out_at_any_width(browser, width):
    page = explorer_page.opened(
        browser, Walk(gpt(), TOKENS, "thou art"), width=width, css="gpt-walk"
    )
    for step in CODE:
        go(page, step=step)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), step


def test_without_python_it_says_what_needs_it(page):
    assert "open the notebook" in page.locator(".gpt-walk-sentence").text_content()
    assert page.locator(".gpt-walk-prompt").is_disabled()
    assert not re.search("undefined|NaN", page.locator(".gpt-walk").inner_text())
