"""What a reader sees: the first lecture and an explorer, in the JupyterLab of `run.py lab`, in a real browser.

One Lab for all tests; nothing on its pages may complain, and nothing may ask another host for anything.
"""

import itertools
import json
import subprocess
import sys
import urllib.parse
from contextlib import suppress
from pathlib import Path

import explorer_page
import numpy as np
import pytest
from browser import chromium, chromium_path, lab, wait_for, watching
from nbformat.v4 import new_code_cell, new_notebook

from gptlib.instruments.publish import authoring
from gptlib.instruments.show.explorer.explorer import AttentionExplorer
from gptlib.model import GPT, GPTConfig
from gptlib.tokenizer import CharTokenizer

FIRST = authoring.chosen(["00"])[0]
LINKED = authoring.chosen(["05", "11"])
WORKSPACES = itertools.count()  # JupyterLab opens again what the last page of a workspace had open
CELLS = [
    """import torch
from gptlib.instruments.models.pretrained import load
from gptlib.instruments.show import plots, widgets
from gptlib.instruments.show.explorer.explorer import AttentionExplorer
model, tokenizer = load()""",
    'AttentionExplorer(model, tokenizer, "ROMEO:\\nO, my Romeo, my")',
    'AttentionExplorer(model, tokenizer, "ROMEO:\\nO, my Romeo, my")',
    """picture = plots.bars([0.2, 0.8], ["a", "b"], "", "weight", top=1, size=(7, 2.6))


def shares(x):
    if x > 0.9:
        raise ValueError("that leaves nothing for b")
    return [x, 1 - x]


widgets.Live(picture, shares, x=widgets.slider(0.0, 1.0, 0.5, 0.1, "share"))""",
    """from gptlib.instruments.models import subwords
bpe = subwords.with_all_bytes(subwords.train_bpe("O Romeo, Romeo! wherefore art thou Romeo? " * 20, 60))
widgets.LiveHTML("the tokens of a line", lambda line: widgets.token_boxes(subwords.pieces(bpe, line)),
                 line=widgets.text_box("O Romeo", "text"))""",
]
TRAINING = [
    """import torch
from gptlib.bigram import BigramLanguageModel
from gptlib.instruments.show.progress import watch
from gptlib.train import TrainConfig, train
tokens = torch.arange(4000) % 7
config = TrainConfig(steps=1_000_000, eval_every=20, eval_batches=1)
training = watch(train(BigramLanguageModel(7), (tokens, tokens), config), config.steps)
seen = []""",
    "for step, _ in training:\n    seen.append(step)",
    "assert seen == list(range(len(seen)))\nprint(f'{len(seen)} steps seen')",
]
KEPT = [
    *CELLS[:2],
    CELLS[3],
    CELLS[4],
    """from gptlib.bigram import BigramLanguageModel
from gptlib.instruments.show.progress import watch
from gptlib.train import TrainConfig, train
tokens = torch.arange(4000) % 7
config = TrainConfig(steps=4, eval_every=2, eval_batches=1)
for step, _ in watch(train(BigramLanguageModel(7), (tokens, tokens), config), config.steps):
    pass""",
]


UNSAVED = ".lm-TabBar-tab.jp-mod-dirty"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """run.py lab, over lectures and the cells above."""
    chromium_path()
    notebooks = {path.name: authoring.read(path) for path in (FIRST, *LINKED)}
    for cell in notebooks[FIRST.name].cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    ours = {"20_cells": CELLS, "21_training": TRAINING, "22_kept": KEPT}
    for name, sources in ours.items():
        notebooks[f"{name}.ipynb"] = new_notebook(cells=[new_code_cell(cell) for cell in sources])
    for notebook in notebooks.values():
        authoring.tidy(notebook)
    with lab(tmp_path_factory.mktemp("lab"), notebooks) as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


def opened(browser, server, name, height=1600):
    """The reader's copy of a notebook, in a workspace of its own; page.errors and page.left, the requests to others."""
    page = browser.new_page(viewport={"width": 1300, "height": height})
    page.set_default_timeout(20_000)
    page.errors, page.left = [], []
    page.on("console", lambda m: page.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda problem: page.errors.append(str(problem)))
    own = (server.address, server.address.replace("http", "ws"), "data:", "blob:")
    page.on("request", lambda r: None if r.url.startswith(own) else page.left.append(r.url))
    page.goto(f"{server.address}/lab/workspaces/{next(WORKSPACES)}/tree/my/{name}?token=t")
    page.wait_for_selector(".jp-Notebook", timeout=60_000)
    return page


def sessions(server, name):
    return [session for session in server.answer("/api/sessions") if session["name"] == name]


def kernel_ready(server, name):
    """Wait until the notebook's kernel listens and is idle; before that JupyterLab drops the wish to run something."""

    def kernel_is_ready():
        kernels = [session["kernel"] for session in sessions(server, name)]
        return (
            kernels and kernels[0]["connections"] >= 1 and kernels[0]["execution_state"] == "idle"
        )

    wait_for(kernel_is_ready)


def chosen(page, menu, entry):
    """Click an entry of one of JupyterLab's menus."""
    page.get_by_role("menuitem", name=menu, exact=True).click()
    page.get_by_text(entry, exact=True).click()


def run_all(browser, server, name):
    """The reader's copy of a notebook, opened, with all its cells running."""
    page = opened(browser, server, name)
    kernel_ready(server, name)
    chosen(page, "Run", "Run All Cells")
    return page


def cell(page, number):
    """A cell of the notebook, by its place."""
    return page.locator(".jp-Cell").nth(number)


def run_cell(page, number):
    cell(page, number).locator(".jp-InputPrompt").click()
    page.keyboard.press("Control+Enter")


@pytest.fixture(scope="module")
def page(browser, server):
    page = run_all(browser, server, "20_cells.ipynb")
    page.locator(".widget-text input").wait_for(timeout=120_000)  # the last cell has run
    yield page
    page.close()


@pytest.fixture
def first(page):
    explorer = page.locator(".gpt-explorer").first
    explorer.scroll_into_view_if_needed()
    page.mouse.move(5, 5)  # a pointer that rests on a token would ask about it
    return explorer


def voice(explorer):
    """What a screen reader hears."""
    return explorer.locator("[aria-live=polite]").inner_text()


def pictures_of(explorer):
    """The pixels of all canvases."""
    return explorer.locator("canvas").evaluate_all("all => all.map(one => one.toDataURL())")


def eventually(claim, seconds=15):
    wait_for(claim, seconds)


def test_hovering_a_token_says_what_it_attends_to_in_numbers_and_in_words(first):
    before = voice(first)
    first.locator("[data-t='4']").first.hover()
    said = voice(first)
    assert said != before and said.startswith("position 4 'O', layer 1 head 1, attends to position")
    assert "position 4 O attends to" in first.inner_text()
    number = first.locator(".gpt-explorer-number").first.inner_text()
    assert 0.2 < float(number) <= 1 and number in said
    first.locator("[data-t='8']").first.hover()
    assert voice(first).startswith("position 8 ','")


def test_hovering_a_head_shows_it_and_a_click_locks_it(first):
    heads = first.locator(".gpt-explorer-thumbnail")
    heads.nth(7).hover()
    assert "layer 2 head 2" in voice(first)
    heads.nth(9).click()
    heads.nth(3).hover()
    assert "layer 2 head 4" in voice(first) and heads.nth(9).get_attribute("aria-pressed") == "true"
    heads.nth(9).press("Escape")
    heads.nth(0).hover()
    assert "layer 1 head 1" in voice(first)


def test_a_head_that_is_only_looked_at_stays_when_a_token_is_locked(first):
    first.locator(".gpt-explorer-thumbnail").nth(13).hover()
    first.locator("[data-t='3']").first.click()
    assert voice(first).startswith("position 3 'E', layer 3 head 2")
    first.locator("[data-t='5']").first.hover()
    assert voice(first).startswith("position 3 'E', layer 3 head 2")
    first.locator(".gpt-explorer-strip").press("Escape")


def test_the_keyboard_moves_over_tokens_and_heads_and_locks(first, page):
    strip = first.locator(".gpt-explorer-strip")
    strip.focus()
    strip.press("Home")
    strip.press("ArrowRight")
    assert voice(first).startswith("position 1 'O'")
    strip.press("Enter")
    first.locator("[data-t='6']").hover()
    assert voice(first).startswith("position 1 'O'")
    strip.press("Escape")
    first.locator(".gpt-explorer-thumbnail").first.focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Space"):
        page.keyboard.press(key)
    assert "layer 2 head 3" in voice(first)
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith(
        "layer 2 head 3, locked"
    )
    page.keyboard.press("Escape")


def test_arrows_and_letters_on_a_slider_stay_in_the_explorer_and_ctrl_s_saves(first, page):
    slider = first.get_by_label("temperature")
    cells, unsaved = page.locator(".jp-Cell"), page.locator(UNSAVED)
    number = cells.count()
    slider.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "b"):  # b would make a new cell
        page.keyboard.press(key)
    assert slider.input_value() == "1.1" and slider.evaluate("s => s === document.activeElement")
    page.keyboard.press("ArrowLeft")
    assert cells.count() == number and unsaved.count() == 1
    page.keyboard.press("Control+s")
    eventually(lambda: unsaved.count() == 0)


def test_a_typed_prompt_changes_the_picture_and_a_bad_one_gets_its_sentence_and_changes_nothing(
    first,
):
    box, before = first.get_by_label("prompt"), pictures_of(first)
    box.fill("JULIET:\nO Romeo")
    eventually(lambda: pictures_of(first) != before)
    assert voice(first).startswith("position 14 'o'")  # the last token is asked first
    good = pictures_of(first)
    box.fill("JULIET:\nOù")
    sentence = first.get_by_role("status")
    eventually(lambda: "'ù' (position 9) is not one of them" in sentence.inner_text())
    assert pictures_of(first) == good
    box.fill("JULIET:\nO")
    eventually(lambda: sentence.inner_text() == "")
    assert pictures_of(first) != good


def test_two_explorers_on_a_page_do_not_disturb_each_other(first, page):
    second = page.locator(".gpt-explorer").nth(1)
    said, seen = voice(second), pictures_of(second)
    first.get_by_label("prompt").fill("ROMEO:\nO, speak")
    eventually(lambda: "position 14" in voice(first))
    first.locator(".gpt-explorer-thumbnail").nth(20).click()
    assert (voice(second), pictures_of(second)) == (said, seen)
    second.locator("[data-t='1']").first.hover()
    assert voice(second).startswith("position 1 'O', layer 1 head 1")
    assert "position 14" in voice(first)
    first.locator(".gpt-explorer-strip").press("Escape")


def test_without_mask_the_first_token_attends_to_the_future(first):
    first.get_by_label("mask").uncheck()
    first.locator("[data-t='0']").first.hover()
    eventually(lambda: first.locator(".gpt-explorer-masked").count() == 0)
    first.locator("[data-t='0']").first.hover()
    assert first.locator(".gpt-explorer-name").first.inner_text().split()[0] != "0"
    first.get_by_label("mask").check()
    eventually(lambda: first.locator(".gpt-explorer-masked").count() > 0)


def test_two_heads_are_compared_side_by_side(first):
    first.get_by_label("compare two heads").check()
    left, right = (first.locator(".gpt-explorer-panel").nth(n).bounding_box() for n in (0, 1))
    assert left["y"] == right["y"] and left["x"] + left["width"] <= right["x"]
    assert voice(first).count("attends to") == 2
    first.get_by_label("compare two heads").uncheck()
    assert voice(first).count("attends to") == 1


@pytest.mark.parametrize(("name", "start"), [("save SVG", b"<svg"), ("save PNG", b"\x89PNG")])
def test_the_picture_can_be_saved(first, page, name, start):
    with page.expect_download() as download:
        first.get_by_role("button", name=name).click()
    found = Path(download.value.path()).read_bytes()
    assert found.startswith(start) and len(found) > 3000
    assert download.value.suggested_filename.startswith("attention_layer")


@pytest.fixture
def picture(page):
    found = page.get_by_alt_text("weight, 2 bars")
    found.scroll_into_view_if_needed()
    return found


def test_a_live_picture_has_its_natural_size_twice_as_many_pixels_and_words(picture):
    box = picture.bounding_box()
    assert (box["width"], box["height"]) == (700, 260)
    assert picture.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [1400, 520]
    described = picture.evaluate(
        "image => document.getElementById(image.getAttribute('aria-describedby')).getAttribute('role')"
    )
    assert described == "status"


def test_a_slider_over_a_live_picture_changes_its_bytes_by_the_keyboard_alone(page, picture):
    before, handle = picture.get_attribute("src"), page.get_by_role("slider").last
    handle.focus()
    page.keyboard.press("ArrowRight")
    eventually(lambda: picture.get_attribute("src") != before)
    page.keyboard.press("End")
    sentence = page.locator("p[role=status]", has_text="that leaves nothing for b")
    sentence.wait_for()
    assert picture.evaluate("image => image.style.opacity") == "0.4"  # it shows something else
    page.keyboard.press("Home")
    sentence.wait_for(state="detached")


def test_controls_over_text_have_no_broken_image_and_take_any_text(page):
    last = page.locator(".jp-OutputArea").last
    assert last.locator("img").count() == 0
    for typed, boxes in (
        ("chào", ["c", "h", "C3", "A0", "o"]),
        ("<img src=x>", list("<img src=x>")),
    ):
        last.locator("input").fill(typed)
        shown = last.locator("p span")
        wanted = [box.replace(" ", "␣") for box in boxes]
        eventually(lambda shown=shown, wanted=wanted: shown.all_inner_texts() == wanted)


def stopped_at(page):
    """The step in the sentence that a stopped training leaves."""
    words = page.get_by_text("the model keeps what it has learned so far")
    words.wait_for(timeout=60_000)
    return int(words.inner_text().split()[3].strip(";").replace(",", ""))


def test_a_training_is_stopped_by_its_button_goes_on_and_is_interrupted_and_nothing_is_red(
    browser, server
):
    page = run_all(browser, server, "21_training.ipynb")
    stop = page.get_by_role("button", name="Stop", exact=True)
    stop.wait_for(timeout=60_000)
    page.get_by_text("step 4").first.wait_for(timeout=60_000)
    stop.click()
    first = stopped_at(page)
    page.get_by_text(f"{first + 1} steps seen").wait_for()
    assert stop.count() == 0

    run_cell(page, 1)
    stop.wait_for()
    resumed = page.get_by_text(" of 1,000,000").first
    eventually(lambda: int(resumed.inner_text().split()[1].replace(",", "")) > first + 20)
    assert page.get_by_alt_text("train, val").bounding_box()["width"] == 700
    chosen(page, "Kernel", "Interrupt Kernel")
    second = stopped_at(page)
    assert second > first
    run_cell(page, 2)
    page.get_by_text(f"{second + 1} steps seen").wait_for()
    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    assert (page.errors, page.left) == ([], [])
    page.close()


def test_after_a_restart_a_cell_that_misses_a_name_says_what_to_run(browser, server):
    page = opened(browser, server, "21_training.ipynb")
    kernel_ready(server, "21_training.ipynb")
    restarted(page, server, "21_training.ipynb")
    run_cell(page, 2)
    page.get_by_text("seen is made by a cell that has not run").wait_for(timeout=60_000)
    assert "Run All Above Selected Cell" in cell(page, 2).inner_text()
    page.close()


def shown_live(page):
    """How many live things, still pictures and failures a notebook's outputs show."""
    outputs = page.locator(".jp-OutputArea")
    kinds = {"live": ".gpt-explorer, [role=slider]", "still": ".jp-RenderedImage img"}
    found = {kind: outputs.locator(selector).count() for kind, selector in kinds.items()}
    return found | {"failed": page.get_by_text("Error displaying widget").count()}


def restarted(page, server, name):
    """Kernel → Restart Kernel…, and yes."""
    chosen(page, "Kernel", "Restart Kernel…")
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    kernel_ready(server, name)


def test_a_notebook_reopened_with_its_kernel_is_live_and_without_it_shows_its_still_pictures(
    browser, server
):
    name = "22_kept.ipynb"
    page = run_all(browser, server, name)
    page.locator(".jp-RenderedImage img").wait_for(timeout=90_000)  # the last cell's curve
    page.keyboard.press("Control+s")

    def is_saved():
        cells = authoring.read(server.root / "my" / name).cells
        return all(cell.outputs or not number for number, cell in enumerate(cells))

    wait_for(is_saved)
    page.reload()
    page.locator(".gpt-explorer").wait_for(timeout=60_000)
    eventually(lambda: shown_live(page)["live"] >= 2)
    stills = {"live": 0, "still": 3, "failed": 0}

    restarted(page, server, name)
    page.reload()
    page.locator(".jp-RenderedImage img").nth(2).wait_for(timeout=60_000)
    assert shown_live(page) == stills and page.get_by_text("No longer live: ").count() == 3
    page.close()

    for session in sessions(server, name):
        server.shut_down(session["id"])
    page = opened(browser, server, name)
    page.locator(".jp-RenderedImage img").nth(2).wait_for(timeout=60_000)
    kernel_ready(server, name)
    assert shown_live(page) == stills
    assert page.locator(".jp-RenderedHTMLCommon p span").all_inner_texts()  # the boxes of the text
    page.close()


LINKS = ["Scaling keeps softmax diffuse", "Must the position embedding be trained?"]


@pytest.mark.parametrize("words", LINKS)
def test_a_link_of_the_first_lecture_lands_on_its_heading_at_the_first_click(
    browser, server, words
):
    page = opened(browser, server, FIRST.name, height=900)
    page.locator(".jp-NotebookPanel a", has_text=words).first.click()
    name = urllib.parse.unquote(
        page.locator(".jp-NotebookPanel a", has_text=words)
        .first.get_attribute("href")
        .split("#")[1]
    )
    heading = page.locator(f"[data-jupyter-id={json.dumps(name, ensure_ascii=False)}]")
    eventually(lambda: heading.count() and 0 <= top_of(heading) < 200, seconds=120)
    page.wait_for_timeout(3_000)  # and stays there
    assert 0 <= top_of(heading) < 200
    page.mouse.wheel(0, 400)  # whoever scrolls is left alone
    page.wait_for_timeout(1_000)
    assert top_of(heading) < -100
    kernel_ready(server, FIRST.name)
    assert page.locator(UNSAVED).count() == 0  # a notebook that was only opened is as it was
    page.close()


def top_of(heading):
    """How far a heading is below the upper end of its notebook's window."""
    return heading.evaluate(
        "h => h.getBoundingClientRect().top - h.closest('.jp-WindowedPanel-outer').getBoundingClientRect().top"
    )


@pytest.fixture
def static(browser):
    """A function: an explorer of a small model's training on a page without Python, in a window of that width."""
    steps = {step: GPT(GPTConfig(n_embd=16, n_head=2, n_layer=2)) for step in (0, 50)}
    explorer = AttentionExplorer(None, CharTokenizer(), "wherefore art thou", steps=steps)
    pages = []

    def opened(width=1000, **options):
        pages.append(explorer_page.opened(browser, explorer, width, **options))
        return pages[-1], pages[-1].locator(".gpt-explorer")

    opened.explorer = explorer
    yield opened
    for page in pages:
        assert page.errors == []
        page.close()


def test_without_python_the_stored_steps_work_and_what_needs_python_says_so(static):
    page, explorer = static()
    for name in ("prompt", "mask", "temperature"):
        assert explorer.get_by_label(name).is_disabled()
    assert "open the notebook: python run.py lab" in explorer.inner_text()
    seen, said = pictures_of(explorer), voice(explorer)
    explorer.get_by_label("training step").press("ArrowLeft")
    assert pictures_of(explorer) != seen and voice(explorer) != said
    explorer.locator(".gpt-explorer-thumbnail").nth(3).click()
    assert page.evaluate("model.get('locked')") == [True] and "layer 2 head 2" in voice(explorer)


@pytest.mark.parametrize("t", [0, 1, 9, 17])
def test_the_numbers_on_the_page_are_the_models(static, t):
    _, shown = static()
    shown.locator(f"[data-t='{t}']").hover()
    heard = int(shown.locator(".gpt-explorer-name").first.inner_text().split()[0])
    weights = static.explorer.maps[0, 0, t]
    assert weights[heard] > weights.max() - 1 / 255
    number = float(shown.locator(".gpt-explorer-number").first.inner_text())
    assert abs(number - weights.max()) < 0.005 + 1 / 255


@pytest.mark.parametrize("width", [400, 700, 1000])
def test_in_a_narrow_window_nothing_sticks_out(static, width):
    page, explorer = static(width)
    assert explorer.locator(".gpt-explorer-stack").bounding_box()["width"] > 300
    explorer.get_by_label("compare two heads").check()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_colours_follow_the_theme(static):
    light, dark = (static(color_scheme=scheme)[1] for scheme in ("light", "dark"))
    assert not set(pictures_of(light)) & set(
        pictures_of(dark)
    )  # the thumbnails have nothing but weights


def test_masked_cells_are_not_drawn_and_the_smallest_weight_is(static):
    _, explorer = static()
    alphas = explorer.locator(".gpt-explorer-thumbnail canvas").first.evaluate(
        "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).filter((_, i) => i % 4 == 3)"
    )
    drawn = np.array(alphas).reshape(18, 18) > 0
    assert np.array_equal(drawn, np.tri(18, dtype=bool))


def test_the_first_lecture_runs_from_top_to_bottom_and_stops_without_a_traceback(browser, server):
    from playwright.sync_api import TimeoutError as TooLate

    lecture = run_all(browser, server, FIRST.name)
    explorer = lecture.locator(".gpt-explorer").first
    explorer.wait_for(timeout=60_000)

    def saved_cells():
        """The code cells of the reader's copy, once the last one has run."""
        lecture.keyboard.press("Control+s")
        copy = authoring.read(server.root / "my" / FIRST.name)
        cells = [cell for cell in copy.cells if cell.cell_type == "code"]
        return cells if cells[-1].execution_count == len(cells) else None

    for cell in wait_for(saved_cells, seconds=180):
        shown = {(output.output_type, output.get("name")) for output in cell.outputs}
        assert not shown & {("error", None), ("stream", "stderr")}, cell.source

    writes = lecture.locator(".jp-CodeCell", has_text="stream_text(").first
    written, stopped = (
        writes.locator(".jp-OutputArea-output"),
        lecture.get_by_text("stopped in line"),
    )
    for _ in range(5):  # on a fast machine the last character may come before the interrupt
        writes.locator(".jp-InputPrompt").click()
        lecture.keyboard.press("Control+Enter")
        eventually(lambda: written.count() == 1 and 0 < len(written.inner_text()) < 200, seconds=60)
        chosen(lecture, "Kernel", "Interrupt Kernel")
        with suppress(TooLate):
            stopped.wait_for(timeout=5_000)
            break
    assert stopped.count() == 1
    assert lecture.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    assert (lecture.errors, lecture.left) == ([], [])
    lecture.close()


def test_nothing_complained_and_nothing_asked_another_host(page, server, tmp_path):
    assert (page.errors, page.left) == ([], [])
    assert server.asked() == []
    # would it have been noted? 192.0.2.1 is nobody's, and UDP sends nothing to connect
    asks = "import socket; socket.socket(type=socket.SOCK_DGRAM).connect(('192.0.2.1', 9))"
    subprocess.run([sys.executable, "-c", asks], env=watching(tmp_path), check=True)
    assert (tmp_path / "asked").read_text() == "socket.connect 192.0.2.1\n"
