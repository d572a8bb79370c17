"""The explorer on a page without Python, pointed at where its arithmetic could go wrong."""

import xml.etree.ElementTree as ET

import explorer_page
import pytest
import torch
from browser import chromium

from gptlib.instruments.show.explorer import AttentionExplorer
from gptlib.model import GPT, GPTConfig
from gptlib.tokenizer import CharTokenizer

ALPHABET = "\n abcdefghijklmnop<&"


def explorer(prompt="abc<de&f"):
    torch.manual_seed(0)
    model = GPT(GPTConfig(len(ALPHABET), 16, 16, 2, 2))
    return AttentionExplorer(model, CharTokenizer(ALPHABET), prompt)


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.mark.parametrize(("query", "key"), [(5, 2), (7, 0), (6, 6)])
def test_pointing_at_the_square_shows_the_query_of_that_row_and_the_key_of_that_column(
    browser, query, key
):
    found = explorer()
    page = explorer_page.opened(browser, found)
    stack = page.locator(".gpt-explorer-stack")
    box = stack.bounding_box()
    margin, cell = page.evaluate("""() => {
        const canvas = document.querySelector(".gpt-explorer-square");
        const mark = document.querySelector(".gpt-explorer-mark");
        const share = (text) => parseFloat(text) / 100;
        return [share(mark.style.left), share(mark.style.height)];
    }""")
    x = box["x"] + box["width"] * (margin + (key + 0.5) * cell)
    y = box["y"] + box["height"] * (margin + (query + 0.5) * cell)
    page.mouse.move(x, y)
    said = page.locator(".gpt-explorer-voice").text_content()
    assert said.startswith(f"position {query} ")
    weight = found.maps[0, 0, query, key].item()
    assert f"position {key} " in page.locator(".gpt-explorer-rest").first.text_content()
    assert f"{weight:.2f}" in page.locator(".gpt-explorer-rest").first.text_content()
    assert page.errors == []


def test_the_saved_svg_is_well_formed_with_any_characters_in_the_prompt(browser):
    page = explorer_page.opened(browser, explorer())
    with page.expect_download() as download:
        page.get_by_text("save SVG").click()
    root = ET.parse(download.value.path()).getroot()
    words = "".join(root.itertext())
    assert root.tag.endswith("svg") and "<" in words and "&" in words


def test_a_locked_token_beyond_a_shorter_prompt_is_unlocked():
    found = explorer("abcdef")
    found.position = 5
    found.prompt = "abcde"
    assert found.position == -1
    found.position = 4
    found.prompt = "abcdf"
    assert found.position == 4
    found.prompt = "abcd"  # exactly one shorter
    assert found.position == -1


@pytest.mark.parametrize("heads", [[3], [[0]], [["a", 0]], [[0, 0, 0]], [None]])
def test_heads_that_are_no_pairs_get_a_sentence_and_change_nothing(heads):
    found = explorer()
    with pytest.raises(ValueError, match="give one \\[layer, head\\]"):
        found.heads = heads
    assert found.heads == [[0, 0]]


def test_a_temperature_too_small_to_divide_by_gets_a_sentence_and_draws_nothing():
    found = explorer()
    before = found.weights
    found.temperature = 1e-320
    assert "temperature is" in found.sentence and found.weights == before
