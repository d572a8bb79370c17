"""The explorer in a browser, with a Python that answers, one that is silent, and none."""

import xml.etree.ElementTree as ET

import explorer_page
import pytest
import torch
from browser import chromium, lab, wait_for
from nbformat.v4 import new_code_cell, new_notebook
from test_explorer import MODELS, TOKENS

from gptlib.attention import attention_weights, causal_mask
from gptlib.instruments.publish import authoring
from gptlib.instruments.show.explorer import AttentionExplorer, compute
from gptlib.model import GPT, GPTConfig
from gptlib.tokenizer import CharTokenizer

ROUNDED = 0.005 + 1 / 255  # two decimals of a weight that came as a byte
ALPHABET = "\n abcdefghijklmnop<&"


def explorer(prompt="abc<de&f"):
    torch.manual_seed(0)
    model = GPT(GPTConfig(len(ALPHABET), 16, 16, 2, 2))
    for weight in model.parameters():  # larger, so that heads differ
        torch.nn.init.normal_(weight, std=0.5)
    return AttentionExplorer(model, CharTokenizer(ALPHABET), prompt)


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def opened(browser):
    """A function: the page of an explorer; no page may complain."""
    pages = []

    def open_page(found, **options):
        pages.append(explorer_page.opened(browser, found, **options))
        return pages[-1]

    yield open_page
    for page in pages:
        assert page.errors == []
        page.close()


def text_of(page, name, which=0):
    return page.locator(f".gpt-explorer-{name}").nth(which).text_content()


def point(page, query, key):
    """Move the pointer to a cell of the large square."""
    page.locator(".gpt-explorer-stack").scroll_into_view_if_needed()
    box = page.locator(".gpt-explorer-stack").bounding_box()
    margin, cell = page.evaluate("""() => {
        const mark = document.querySelector(".gpt-explorer-mark");
        return [mark.style.left, mark.style.height].map((text) => parseFloat(text) / 100);
    }""")
    place = [margin + (at + 0.5) * cell for at in (key, query)]
    page.mouse.move(box["x"] + box["width"] * place[0], box["y"] + box["height"] * place[1])


# ---- the square and the saved picture


@pytest.mark.parametrize(("query", "key"), [(5, 2), (7, 0), (6, 6)])
def test_pointing_at_the_square_shows_the_query_of_that_row_and_the_key_of_that_column(
    opened, query, key
):
    found = explorer()
    page = opened(found)
    point(page, query, key)
    assert text_of(page, "voice").startswith(f"position {query} ")
    weight = found.maps[0, 0, query, key].item()
    words = text_of(page, "rest")
    assert words.startswith(f"under the pointer: position {key} ")
    assert abs(float(words.split()[-1]) - weight) < ROUNDED


def test_the_saved_svg_is_well_formed_with_any_characters_in_the_prompt(opened):
    page = opened(explorer())
    with page.expect_download() as download:
        page.get_by_text("save SVG").click()
    root = ET.parse(download.value.path()).getroot()
    words = "".join(root.itertext())
    assert root.tag.endswith("svg") and "<" in words and "&" in words
    assert download.value.suggested_filename == "attention_layer1_head1.svg"


def test_the_legend_says_striped_only_while_there_is_a_mask(opened):
    page = opened(explorer(), python="answers")
    axes = page.locator(".gpt-explorer-axes")
    assert axes.text_content() == "rows: queries, columns: keys; striped: masked"
    page.get_by_label("mask").uncheck()
    page.get_by_text("rows: queries, columns: keys", exact=True).wait_for()
    page.get_by_label("mask").check()
    page.get_by_text("striped: masked").wait_for()


@pytest.mark.parametrize("name", ["position", "key"])
def test_a_locked_token_beyond_a_shorter_prompt_is_unlocked(name):
    found = explorer("abcdef")
    setattr(found, name, 5)
    found.prompt = "abcde"
    assert getattr(found, name) == -1
    setattr(found, name, 4)
    found.prompt = "abcdf"
    assert getattr(found, name) == 4
    found.prompt = "abcd"  # exactly one shorter
    assert getattr(found, name) == -1


# ---- means


def test_the_mean_over_the_heads_of_a_layer_and_over_all_can_be_chosen_by_keyboard(opened):
    found = explorer("abcdefgh")
    page = opened(found)
    page.locator(".gpt-explorer-thumbnail").first.focus()
    expected = {
        "layer 1, mean of its heads": found.maps[0].mean(dim=0),
        "layer 2, mean of its heads": found.maps[1].mean(dim=0),
        "mean of all heads": found.maps.mean(dim=(0, 1)),
    }
    for keys, (name, mean) in zip(
        (["ArrowRight"] * 2, ["ArrowDown"], ["ArrowDown"]), expected.items()
    ):
        for key in keys:
            page.keyboard.press(key)
        label = page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert label.startswith(f"{name}; ") and name in text_of(page, "voice")
        assert text_of(page, "title").replace(" · ", ", ") == name
        for t in (3, 7):
            page.locator(f"[data-t='{t}']").hover()
            key, weight = mean[t].argmax().item(), mean[t].max().item()
            assert text_of(page, "name").split() == [str(key), "abcdefgh"[key]]
            assert abs(float(text_of(page, "number")) - weight) < ROUNDED
    page.locator(".gpt-explorer-thumbnail").last.focus()
    page.keyboard.press("ArrowLeft")  # from below the last layer back to its last head
    assert text_of(page, "voice").split(", ")[1] == "layer 2 head 2"


def test_a_model_with_one_head_has_no_means(opened):
    page = opened(AttentionExplorer(MODELS["one head"](), TOKENS, "thou"))
    assert page.locator(".gpt-explorer-thumbnail").count() == 1
    assert "mean" not in page.locator(".gpt-explorer").inner_text()


# ---- the neuron view


def numbers_in(words):
    """The sum, the score and the weight that the neuron view says."""
    words = words.replace("−", "-").replace("below 0.01", "0.005")
    found = [float(part.split()[-1]) for part in words.split("→")]
    return [found[0], found[1], found[-1]]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("masked", [True, False])
def test_the_neuron_view_shows_the_numbers_that_make_the_weight(opened, name, masked):
    model = MODELS[name]()
    for weight in model.parameters():
        _ = torch.nn.init.normal_(weight, std=0.4) if weight.dim() == 2 else None
    found = AttentionExplorer(model, TOKENS, "wherefore")
    found.masked = masked
    page = opened(found, python="answers")
    page.get_by_label("q · k by channel").check()
    page.locator(".gpt-explorer-sum").wait_for()
    q, k = (part[0] for part in compute.look_into(model, batch(), 1.0, masked).queries_keys[0])
    mask = causal_mask(9) if masked else torch.ones(9, 9, dtype=torch.bool)
    weights = attention_weights(q, k, mask)
    for t, s in ((6, 2), (8, 8), (4, 0)):
        point(page, t, s)
        total = (q[t] @ k[s]).item()
        score = total / len(q[0]) ** 0.5
        shown = numbers_in(text_of(page, "sum"))
        assert shown[:2] == pytest.approx([total, score], abs=0.0051)
        assert abs(shown[2] - weights[t, s]) < ROUNDED
        assert f"√{len(q[0])}" in text_of(page, "sum")
        assert text_of(page, "sum") in text_of(page, "voice")
    point(page, 2, 6)
    assert ("masked" in text_of(page, "sum")) == masked


def batch():
    return torch.tensor([TOKENS.encode("wherefore")])


def test_every_channel_of_query_key_and_product_can_be_read_by_keyboard(opened):
    found = explorer()
    found.neuron = [1, 0]
    found.heads, found.position, found.key = [[1, 0]], 6, 3
    page = opened(found)
    ids = torch.tensor([found._tokenizer.encode("abc<de&f")])
    q, k = compute.look_into(found._models[0], ids).queries_keys[1]
    channels = page.get_by_role("slider", name="channel; arrow keys move")
    channels.focus()
    for channel in range(8):
        page.keyboard.press("ArrowRight")
        says = channels.get_attribute("aria-valuetext").replace("−", "-")
        values = [float(part.split()[-1]) for part in says.split(",")]
        one, other = q[0, 6, channel].item(), k[0, 3, channel].item()
        assert says.startswith(f"channel {channel}: q ")
        assert values == pytest.approx([one, other, one * other], abs=0.0051)
    page.keyboard.press("Home")
    assert channels.get_attribute("aria-valuenow") == "0"


def test_the_keyboard_chooses_query_and_key_of_the_neuron_view(opened):
    page = opened(explorer(), python="answers")
    page.get_by_label("q · k by channel").check()
    strip = page.locator(".gpt-explorer-strip")
    strip.focus()
    for key in ("Home", "ArrowRight", "ArrowRight", "Enter", "Shift+Home", "Shift+ArrowRight"):
        page.keyboard.press(key)
    page.get_by_text("k of 1 b").wait_for()
    assert "q of 2 c" in page.locator(".gpt-explorer-neuron").inner_text()
    assert "key position 1 'b', weight" in text_of(page, "voice")
    page.locator("[data-t='0']").hover()  # the query is locked: the pointer chooses the key
    assert "k of 0 a" in page.locator(".gpt-explorer-neuron").inner_text()
    strip.press("Escape")
    assert page.evaluate("[model.get('position'), model.get('key')]") == [-1, -1]


def test_another_head_is_asked_for_when_it_is_looked_at_and_a_mean_says_that_it_has_none(opened):
    found = explorer()
    page = opened(found, python="answers")
    page.get_by_label("q · k by channel").check()
    page.locator(".gpt-explorer-thumbnail").nth(3).hover()
    page.get_by_text("q · k by channel, layer 2 · head 2").wait_for()
    page.locator(".gpt-explorer-sum").wait_for()
    assert found.neuron == [1, 1] and len(found.queries_keys) == 2 * 8 * 8 * 4
    page.locator(".gpt-explorer-thumbnail").last.hover()
    page.get_by_text("A mean over heads has no queries and keys of its own").first.wait_for()
    page.get_by_label("q · k by channel").uncheck()
    assert page.locator(".gpt-explorer-neuron").count() == 0 and found.neuron == []


def test_without_python_the_stored_head_can_be_looked_into_and_another_needs_the_notebook(opened):
    found = explorer()
    found.neuron = [0, 0]
    page = opened(found)
    assert page.locator(".gpt-explorer-sum").is_visible()
    page.locator(".gpt-explorer-thumbnail").nth(2).hover()
    assert "open the notebook: python run.py lab" in text_of(page, "neuron")
    assert not page.locator(".gpt-explorer-sum").is_visible()


def test_the_neuron_view_comes_into_the_window_when_it_is_opened(opened):
    page = opened(explorer(), python="answers")
    page.set_viewport_size({"width": 1000, "height": 300})
    page.get_by_label("q · k by channel").check()
    page.locator(".gpt-explorer-sum").wait_for()

    def is_in_window():
        box = page.locator(".gpt-explorer-neuron").bounding_box()
        return box["y"] + box["height"] <= 300.5

    wait_for(is_in_window, seconds=5)


# ---- locks and keys


def test_a_locked_head_stays_while_the_arrow_keys_look_for_another(opened):
    page = opened(explorer())
    heads = page.locator(".gpt-explorer-thumbnail")
    heads.nth(1).click()
    page.keyboard.press("ArrowDown")
    label = "document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(label).startswith("layer 2 head 2; ")
    assert text_of(page, "title") == "layer 1 · head 2 · locked"
    page.keyboard.press("Enter")
    assert text_of(page, "title") == "layer 2 · head 2 · locked"
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowUp")
    assert text_of(page, "title") == "layer 1 · head 2"


# ---- a picture that is not of what was asked for


def stale(page):
    return page.locator(".gpt-explorer-main.gpt-explorer-stale").count() == 1


def test_a_bad_prompt_greys_the_picture_until_a_good_one_comes(opened):
    page = opened(explorer("abc"), python="answers")
    sentence = page.get_by_role("status")
    assert not stale(page)
    for bad, words in (
        ("abZ", "'Z' (position 2)"),
        ("", "is empty"),
        ("a" * 20, "shorten it by 4"),
    ):
        page.get_by_label("prompt").fill(bad)
        page.get_by_text(words).wait_for()
        assert (
            stale(page) and page.locator(".gpt-explorer-main").get_attribute("aria-busy") == "true"
        )
        assert text_of(page, "strip") == "abc"
        assert (
            page.locator(".gpt-explorer-stale").evaluate("e => getComputedStyle(e).filter")
            != "none"
        )
    page.get_by_label("prompt").fill("abcd")
    page.locator("[data-t='3']").wait_for()
    assert not stale(page) and sentence.text_content() == ""


@pytest.fixture
def waiting(opened):
    """A page whose Python is silent and whose clock stands still."""
    page = opened(explorer("abc"), python="silent")
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    assert not stale(page)
    return page


def test_from_the_first_key_until_the_old_prompt_stands_there_again_the_picture_is_grey(waiting):
    waiting.get_by_label("prompt").fill("abcd")
    assert stale(waiting)
    waiting.clock.run_for(300)
    assert waiting.evaluate("model.get('prompt')") == "abcd" and stale(waiting)
    waiting.get_by_label("prompt").fill("abc")
    waiting.clock.run_for(300)
    assert not stale(waiting)


@pytest.mark.parametrize("asks", ["prompt", "mask", "q · k by channel"])
def test_a_python_that_does_not_answer_is_named_and_forgiven_when_it_does(waiting, asks):
    if asks == "prompt":
        waiting.get_by_label(asks).fill("abcd")
    else:
        waiting.get_by_label(asks).click()
    waiting.clock.run_for(300)
    waiting.clock.run_for(3600)
    assert waiting.get_by_role("status").text_content() == ""
    waiting.clock.run_for(500)
    said = waiting.get_by_role("status").text_content()
    assert said.startswith("Python is not answering.") and "Run All Above Selected Cell" in said
    assert stale(waiting) == (asks != "q · k by channel")
    waiting.evaluate("""() => model.set("answered",
        Object.fromEntries(["prompt", "temperature", "masked", "step", "neuron"].map((n) => [n, model.get(n)])))""")
    assert not stale(waiting) and waiting.get_by_role("status").text_content() == ""


def test_a_stored_step_needs_no_answer_and_one_that_is_not_stored_does(opened, monkeypatch):
    steps = {step: GPT(GPTConfig(len(ALPHABET), 16, 16, 2, 2)) for step in (0, 50)}
    tokenizer = CharTokenizer(ALPHABET)
    page = opened(AttentionExplorer(None, tokenizer, "abc", steps=steps), python="silent")
    page.get_by_label("training step").press("ArrowLeft")
    assert page.evaluate("model.get('step')") == 0 and not stale(page)
    monkeypatch.setattr("gptlib.instruments.show.explorer.explorer.EAGER", 50)
    page = opened(AttentionExplorer(None, tokenizer, "abcdef", steps=steps), python="silent")
    page.get_by_label("training step").press("ArrowLeft")
    assert page.evaluate("model.get('step')") == 0 and stale(page)


# ---- in the JupyterLab of `run.py lab`

CELL = """from gptlib.instruments.models.pretrained import load
from gptlib.instruments.show.explorer import AttentionExplorer
AttentionExplorer(*load(), "KING")"""


def test_in_lab_python_answers_and_after_a_restart_of_the_kernel_the_reader_is_told(
    browser, tmp_path
):
    notebook = new_notebook(cells=[new_code_cell(CELL)])
    authoring.tidy(notebook)
    with lab(tmp_path, {"01_cells.ipynb": notebook}) as server:

        def kernel_is_ready():
            kernels = [session["kernel"] for session in server.answer("/api/sessions")]
            return (
                kernels
                and kernels[0]["connections"] >= 1
                and kernels[0]["execution_state"] == "idle"
            )

        page = browser.new_page(viewport={"width": 1300, "height": 1600})
        page.set_default_timeout(60_000)
        page.goto(f"{server.address}/lab/workspaces/a/tree/my/01_cells.ipynb?token=t")
        page.wait_for_selector(".jp-Notebook")
        wait_for(kernel_is_ready)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        shown = page.locator(".gpt-explorer")
        shown.get_by_label("prompt").fill("KINGS")
        shown.locator("[data-t='4']").wait_for()
        shown.get_by_label("q · k by channel").check()
        shown.get_by_text("sum of 32 channels").first.wait_for()
        assert not stale(page)
        page.get_by_role("menuitem", name="Kernel", exact=True).click()
        page.get_by_text("Restart Kernel…", exact=True).first.click()
        page.locator(".jp-Dialog .jp-mod-accept").click()
        wait_for(kernel_is_ready)
        shown.get_by_label("prompt").fill("QUEEN")
        page.get_by_text("Python is not answering.").wait_for()
        assert stale(page)
        page.close()
