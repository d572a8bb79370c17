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
from gptlib.modern import ModernGPT
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
    stream = found["stream"]  # at first, after attention, after feed-forward, after attention, …
    assert torch.allclose(stream[0], found["token"] + found["position"], atol=1e-6)
    for layer, block in enumerate(model.blocks):
        out = lesson.attend(*(found[name][layer] for name in "qkv"), lesson.causal_mask(8))
        merged = block.attention.proj(out.transpose(0, 1).flatten(1))
        before, middle, after = stream[2 * layer : 2 * layer + 3]
        assert torch.allclose(merged, middle - before, atol=1e-5)
        assert torch.allclose(block.ffwd.proj(found["hidden"][layer]), after - middle, atol=1e-5)
        for x, norm, kept in ((before, block.ln1, 0), (middle, block.ln2, 1)):
            assert torch.allclose(norm(x), found["normed"][layer, kept], atol=1e-5)
    assert torch.allclose(model.norm(stream[-1]), found["final"], atol=1e-5)


def test_each_step_shows_a_line_of_the_library():
    folder = Path(lesson.__file__).parent
    sources = [(folder / f"{name}.py").read_text() for name in ("attention", "layers", "model")]
    sources = "".join(sources)
    assert all(line in sources and not line.startswith('"') for line in CODE.values())
    assert Walk(gpt(), TOKENS, "thou", one_head=True).steps == list(ONE_HEAD)
    assert Walk(gpt(), TOKENS, "thou").steps == list(CODE)


def test_a_bad_prompt_gets_a_sentence_and_the_last_good_walk_stays():
    walk = Walk(gpt(), TOKENS, "thou art", position=6)
    before = walk.numbers
    for prompt, words in (
        ("", "is empty"),
        ("ü", "'ü'"),
        ("a" * 33, "the walk shows at most 32; shorten it by 1"),
        ("a" * 41, "this model takes at most 40; shorten it by 1"),
    ):
        walk.prompt = prompt
        assert words in walk.sentence and walk.numbers == before
        assert walk.answered == {"prompt": prompt} and "\n" not in walk.sentence
    walk.prompt = "art"
    assert (walk.sentence, walk.position) == ("", 2) and walk.numbers != before
    with pytest.raises(ValueError, match="is empty"):
        Walk(gpt(), TOKENS, "")


def test_a_layer_a_head_or_a_step_that_is_not_there_is_refused_with_a_sentence():
    walk = Walk(gpt(), TOKENS, "thou")
    for name, value, words in (
        ("layer", 2, "give one of 0, 1"),
        ("head", 3, "0, 1, 2"),
        ("step", "x", "embed, normed"),
    ):
        with pytest.raises(ValueError, match=f"{name} came as {value!r}; .*{words}"):
            setattr(walk, name, value)
    with pytest.raises(ValueError, match="layer came as 5"):
        Walk(gpt(), TOKENS, "thou", layer=5)
    assert (walk.layer, walk.head, walk.step) == (0, 0, "embed")


def test_only_what_its_steps_show_is_sent():
    whole, one_head = Walk(gpt(), TOKENS, "thou"), Walk(gpt(), TOKENS, "thou", one_head=True)
    assert len(whole.numbers) == 4 * sum(part.numel() for part in whole.traced.values())
    assert set(one_head.shapes) == {"stream", "normed", "q", "k", "v"}
    assert len(one_head.numbers) == 4 * sum(one_head.traced[n].numel() for n in one_head.shapes)


def test_another_model_than_a_gpt_gets_a_sentence():
    with pytest.raises(ValueError, match="the walk follows a GPT, and a ModernGPT came"):
        Walk(ModernGPT(GPTConfig()), TOKENS, "thou")


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def opened(browser):
    """A function: the page of a walk; no page may complain."""
    pages = []

    def open_page(walk, **options):
        pages.append(explorer_page.opened(browser, walk, css="gpt-walk", **options))
        return pages[-1]

    yield open_page
    for page in pages:
        assert page.errors == []
        page.close()


@pytest.fixture
def page(opened):
    return opened(Walk(gpt(), TOKENS, "thou art!&", position=4))


def go(page, **state):
    for name, value in state.items():
        page.evaluate("([name, value]) => window.model.set(name, value)", [name, value])


def number(words):
    return float(words.replace("−∞", "-inf").replace("−", "-"))


def shown(page):
    return [number(n) for n in page.locator(".gpt-walk-bar .gpt-walk-number").all_text_contents()]


def strips_of(page):
    """{name: its numbers} of all strips, every channel as the arrow keys read it."""
    found = {}
    for strip in page.locator(".gpt-walk-strip").all():
        canvas = strip.locator("canvas")
        canvas.focus()
        says = []
        for _ in range(int(canvas.get_attribute("aria-valuemax")) + 1):
            page.keyboard.press("ArrowRight")
            says.append(strip.locator(".gpt-walk-says").text_content())
        assert [s.split(":")[0] for s in says] == [f"channel {i}" for i in range(len(says))]
        found[strip.locator(".gpt-walk-name").text_content()] = [
            number(s.split()[-1]) for s in says
        ]
    return found


PLACES = ((0, 0, 4), (1, 2, 9), (1, 0, 0))  # layer, head, position


def test_scores_scale_mask_and_softmax_in_the_browser_are_those_of_the_library(page):
    found = trace(gpt(), batch("thou art!&"))
    for layer, head, t in PLACES:
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
            assert shown(page) == pytest.approx(expected.tolist(), abs=0.0051), step


def expected_strips(model, found, layer, head, t):
    """{step: {name: row}} of what the steps that show rows have to show."""
    before, middle, after = (row[t] for row in found["stream"][2 * layer : 2 * layer + 3])
    q, k, v = (found[name][layer] for name in "qkv")
    outs = lesson.attend(q, k, v, lesson.causal_mask(q.shape[1]))
    token, position = found["token"][t], found["position"][t]
    normed, normed_again = found["normed"][layer, :, t]
    return {
        "embed": {"token": token, "+ position": position, "= x": token + position},
        "normed": {"x": before, "normed": model.blocks[layer].ln1(before)},
        "qkv": {"q": q[head, t], "k": k[head, t], "v": v[head, t]},
        "out": {"= output": outs[head, t]},
        "merge": {f"head {h + 1}": outs[h, t] for h in range(3)} | {"projected": middle - before},
        "added": {"x": before, "+ attention": middle - before, "= x": middle},
        "hidden": {"normed": normed_again, "after ReLU": found["hidden"][layer, t]},
        "ffwd": {"x": middle, "+ feed-forward": after - middle, "= x": after},
        "logits": {"after last norm": found["final"][t]},
    }


@pytest.mark.parametrize(("layer", "head", "t"), PLACES)
def test_every_row_of_numbers_in_the_browser_is_the_models(page, layer, head, t):
    model = gpt()
    expected = expected_strips(model, trace(model, batch("thou art!&")), layer, head, t)
    go(page, layer=layer, head=head, position=t)
    for step, rows in expected.items():
        go(page, step=step)
        read = strips_of(page)
        for name, row in rows.items():
            assert read[name] == pytest.approx(row.tolist(), abs=0.0051), (step, name)
        if step == "out":  # the weighted values add up to the output
            *parts, total = read.values()
            assert total == pytest.approx([sum(column) for column in zip(*parts)], abs=0.04)


def test_the_length_of_the_row_is_shown_after_every_block(page):
    found = trace(gpt(), batch("thou art!&"))
    go(page, position=9, step="blocks")
    assert shown(page) == pytest.approx(found["stream"][::2, 9].norm(dim=-1).tolist(), abs=0.0051)


def test_the_last_step_shows_the_models_likeliest_next_characters(page):
    model = gpt().eval()
    go(page, position=9, step="logits")
    logits = model(batch("thou art!&"))[0, 9]
    labels = page.locator(".gpt-walk-label").all_text_contents()
    best = logits.topk(8)
    known = [TOKENS.itos[i].replace(" ", "␣").replace("\n", "↵") for i in best.indices.tolist()]
    assert [label[0] for label in labels] == known
    assert [number(label.split()[-1]) for label in labels] == pytest.approx(
        best.values.tolist(), abs=0.0051
    )
    chances = F.softmax(logits, dim=-1)[best.indices]
    assert shown(page) == pytest.approx(chances.tolist(), abs=0.0051)


def test_steps_and_characters_are_reached_by_keyboard_and_every_step_says_its_line(page):
    page.locator(".gpt-walk-step").first.focus()
    for place, line in enumerate(CODE.values()):
        chosen = page.locator(".gpt-walk-step[aria-selected=true]").text_content()
        assert chosen.startswith(f"{place + 1} ")
        assert page.locator(".gpt-walk-body > *").count() > 0
        assert page.locator(".gpt-walk-code").text_content() == line
        heard = page.locator(".gpt-walk-voice").text_content()
        assert heard.startswith(f"{chosen.split(maxsplit=1)[1]}: position 4 ␣")
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Home")
    assert page.evaluate("window.model.get('step')") == "embed"
    page.locator(".gpt-walk-token[aria-checked=true]").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("window.model.get('position')") == 5
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "position 5, a"


def test_only_what_concerns_the_whole_page_leaves_the_walk_by_the_keyboard(page):
    page.evaluate("""() => {
        window.heard = [];
        document.addEventListener("keydown", (event) => heard.push(event.key) && event.preventDefault());
    }""")
    page.get_by_label("layer").focus()
    for key in ("ArrowDown", "b", "Enter", "Shift+Enter", "Control+a", "Control+Shift+z"):
        page.keyboard.press(key)
    assert set(page.evaluate("heard")) <= {"Control", "Shift"}
    assert page.evaluate("model.get('layer')") == 1
    page.keyboard.press("Control+s")
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.evaluate("heard").count("s") == 1 and page.evaluate("heard")[-2:] == [
        "Escape",
        "Tab",
    ]


def test_the_part_of_a_line_that_takes_the_step_is_in_bold(page):
    bold = {}
    for step in CODE:
        go(page, step=step)
        if page.locator(".gpt-walk-code b").count():
            bold[step] = page.locator(".gpt-walk-code b").text_content()
    assert set(bold) == {"normed", "scores", "scaled", "hidden", "blocks"}
    assert bold["scores"] == "q @ k.transpose(-2, -1)" and bold["scaled"].startswith("/ math.sqrt(")


def test_each_step_answers_within_50_ms(opened):
    model = gpt(n_embd=192, n_head=6, n_layer=6)
    page = opened(Walk(model, TOKENS, "thou art thou art thou art thou "))
    took = page.evaluate("""(steps) => steps.map((step) => {
        const began = performance.now();
        window.model.set("step", step);
        document.body.offsetHeight;
        return performance.now() - began;
    })""", [*CODE, *CODE, *CODE])  # fmt: skip
    assert statistics.median(took) < 50


@pytest.mark.parametrize("width", [1000, 500])
def test_nothing_sticks_out_at_any_width(opened, width):
    page = opened(Walk(gpt(), TOKENS, "thou art"), width=width)
    for step in CODE:
        go(page, step=step)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), step
        clipped = page.locator(".gpt-walk-name, .gpt-walk-says").evaluate_all(
            "all => all.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent)"
        )
        assert clipped == [], step


def test_without_python_it_says_what_needs_it(page):
    assert "open the notebook: python run.py lab" in page.locator(".gpt-walk").inner_text()
    assert page.locator(".gpt-walk-prompt").is_disabled()
    assert not re.search("undefined|NaN", page.locator(".gpt-walk").inner_text())


def stale(page):
    return page.locator(".gpt-walk-main.gpt-walk-stale").count() == 1


def test_a_bad_prompt_gets_its_sentence_and_greys_the_walk_until_a_good_one_comes(opened):
    page = opened(Walk(gpt(), TOKENS, "thou"), python="answers")
    assert not stale(page)
    page.get_by_label("prompt").fill("thöu")
    page.get_by_text("'ö' (position 2) is not one of them").wait_for()
    assert stale(page) and page.locator(".gpt-walk-token").count() == 4
    page.get_by_label("prompt").fill("thou art")
    page.get_by_label("position 7, t").wait_for()
    assert not stale(page) and page.get_by_role("status").text_content() == ""


def test_a_python_that_does_not_answer_is_named(opened):
    page = opened(Walk(gpt(), TOKENS, "thou"), python="silent")
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    page.get_by_label("prompt").fill("thou art")
    assert stale(page)
    page.clock.run_for(300)
    page.clock.run_for(4100)
    assert page.get_by_role("status").text_content().startswith("Python is not answering.")
