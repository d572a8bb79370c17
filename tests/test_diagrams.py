"""Diagrams say what the modules and tensors that they are drawn from say, and are the same every time."""

import io
import os
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch
import torch.nn as nn
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from gptlib.attention import CausalSelfAttention, Head
from gptlib.instruments.files import NOTEBOOKS
from gptlib.instruments.measure.catalogue.transformer import PostNormBlock
from gptlib.instruments.show import diagrams
from gptlib.instruments.show.diagrams import sheet
from gptlib.layers import Block
from gptlib.model import GPT, GPTConfig
from gptlib.tokenizer import CharTokenizer

DRAW = """
import hashlib, torch
from gptlib.attention import CausalSelfAttention
from gptlib.instruments.show import diagrams
from gptlib.layers import Block
from gptlib.model import GPT, GPTConfig
x = torch.zeros(2, 5, 24)
model = GPT(GPTConfig(block_size=8, n_embd=24, n_head=3))
for one in (
    diagrams.gpt_map(model, torch.zeros(2, 5, dtype=torch.long), "norm"),
    diagrams.block_diagram(Block(24, 3, 0.0), x),
    diagrams.attention_diagram(CausalSelfAttention(24, 3), x),
    diagrams.heads_diagram(CausalSelfAttention(24, 3), x),
    diagrams.shift_diagram(torch.arange(5), torch.arange(1, 6), str),
    diagrams.pieces_diagram({"one": list("to be"), "two": ["to", " be"]}, {"two": "to"}),
):
    print(hashlib.sha256((one.html() + repr(one.png())).encode()).hexdigest())
"""


def words_of(diagram):
    return [text.get_text() for text in diagram.sheet.texts]


def the_map(lit=(), **sizes):
    torch.manual_seed(0)
    model = GPT(GPTConfig(block_size=8, n_embd=24, n_head=3, **sizes))
    return diagrams.gpt_map(model, torch.zeros(2, 5, dtype=torch.long), lit)


def test_the_map_says_the_shapes_and_counts_of_its_own_model():
    words = words_of(the_map(n_layer=7))
    assert "block × 7" in words and "attention\n3 heads" in words
    assert {"B 2 · T 5", "residual stream  B 2 · T 5 · C 24", "B 2 · T 5 · V 65"} <= set(words)


@pytest.mark.parametrize("part", diagrams.PARTS)
def test_each_part_can_be_lit_and_nothing_else_changes(part):
    plain, lit = the_map(), the_map(lit=part)
    assert words_of(plain) == words_of(lit) and plain.links == lit.links
    if part not in ("residual", "heads"):
        assert lit.svg() != plain.svg()
    assert (
        diagrams.LIT.lower() in lit.svg().lower()
        and diagrams.LIT.lower() not in plain.svg().lower()
    )


def test_every_box_of_the_map_leads_to_the_notebook_that_builds_it():
    found = the_map()
    building = {number for number, _ in diagrams.PARTS.values()}
    notebooks = {path.name for path in NOTEBOOKS.glob("*.ipynb") if path.name[:2] in building}
    assert {address for *_, address, _ in found.links} == notebooks
    assert found.html().count("<a href=") == len(found.links) >= 8
    width, height = found.get_size_inches()
    for left, bottom, right, top, *_ in found.links:
        assert 0 <= left < right <= width and 0 <= bottom < top <= height


def test_a_diagram_is_the_same_bytes_every_time_with_an_svg_that_can_be_read_and_a_png():
    one, other = the_map(lit="norm"), the_map(lit="norm")
    assert one.svg() == other.svg() and one.png() == other.png() and one.html() == other.html()
    assert ET.fromstring(one.svg()).tag.endswith("svg") and "dc:date" not in one.svg()
    data, size = one._repr_mimebundle_()
    assert (
        set(data) == {"text/html", "image/png", "text/plain"}
        and size["image/png"]["width"] == one.size[0]
    )


def test_two_processes_draw_the_same_bytes():
    runs = [
        subprocess.run(
            [sys.executable, "-c", DRAW], capture_output=True, text=True, env=env, check=True
        ).stdout.split()
        for env in (os.environ | {"PYTHONHASHSEED": seed} for seed in "12")
    ]
    assert runs[0] == runs[1] and len(set(runs[0])) == 6


def contrast(one, other):
    """The contrast of two colours as accessibility guidelines define it."""
    lights = []
    for colour in (one, other):
        rgb = np.array(to_rgb(colour))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        lights.append(linear @ (0.2126, 0.7152, 0.0722))
    return (max(lights) + 0.05) / (min(lights) + 0.05)


@pytest.mark.parametrize("part", diagrams.PARTS)
def test_words_in_boxes_have_contrast_on_any_page_and_words_beside_them_on_white_and_dark(part):
    found = the_map(lit=part)
    boxes = [p for p in found.sheet.patches if isinstance(p, FancyBboxPatch)]
    filled = [box for box in boxes if box.get_facecolor()[3] == 1]  # not the frame of a block
    assert len(filled) == 9
    for text in found.sheet.texts:
        if text.get_text() == "+":
            continue
        around = [box for box in filled if box.get_path().contains_point(text.get_position())]
        if around:
            assert contrast(around[0].get_facecolor()[:3], text.get_color()) > 9, text
        else:
            assert min(contrast(text.get_color(), p) for p in ("#ffffff", "#111111")) > 4, text


def test_words_lie_inside_the_sheet_and_do_not_touch_each_other():
    for found in (
        the_map(),
        diagrams.block_diagram(Block(8, 2, 0.0), torch.randn(2, 5, 8)),
        diagrams.block_diagram(PostNormBlock(8, 2, 0.0), torch.randn(2, 5, 8)),
        diagrams.blocks_diagram(dict.fromkeys("ab", Block(8, 2, 0.0)), torch.randn(2, 5, 8)),
        diagrams.attention_diagram(Head(32, 16, 8), torch.randn(4, 8, 32)),
        diagrams.attention_diagram(CausalSelfAttention(192, 6), torch.randn(1, 14, 192)),
        diagrams.heads_diagram(CausalSelfAttention(192, 6), torch.randn(1, 14, 192)),
    ):
        found.canvas.draw()
        boxes = [text.get_window_extent() for text in found.sheet.texts]
        words = words_of(found)
        for i, box in enumerate(boxes):
            assert box.x0 >= 0 and box.x1 <= found.bbox.width, words[i]
            assert box.y0 >= 0 and box.y1 <= found.bbox.height, words[i]
            touched = [words[j] for j in range(i) if box.overlaps(boxes[j])]
            assert not touched, (words[i], touched)


def test_the_png_has_the_very_fills_of_the_boxes():
    found = the_map()
    pixels = np.asarray(Image.open(io.BytesIO(found.png())).convert("RGBA")).reshape(-1, 4)
    there = {tuple(int(channel) for channel in pixel) for pixel in np.unique(pixels, axis=0)}
    for kind in sheet.KINDS.values():
        fill = tuple(round(255 * channel) for channel in sheet.pale(kind))
        assert any(max(abs(a - b) for a, b in zip(fill, pixel)) <= 1 for pixel in there), kind


def test_pre_norm_and_post_norm_are_told_by_the_order_of_the_calls():
    x = torch.randn(2, 5, 8)
    assert diagrams.calls_of(Block(8, 2, 0.0), x) == ["ln1", "attention", "ln2", "ffwd"]
    assert diagrams.calls_of(PostNormBlock(8, 2, 0.0), x) == ["attention", "ln1", "ffwd", "ln2"]
    assert "pre-norm" in words_of(diagrams.block_diagram(Block(8, 2, 0.0), x))
    assert "post-norm" in words_of(diagrams.block_diagram(PostNormBlock(8, 2, 0.0), x))


def test_blocks_side_by_side_keep_their_own_parts_and_titles():
    x = torch.randn(2, 5, 8)
    pair = {"first": Block(8, 2, 0.0), "second": PostNormBlock(8, 2, 0.0)}
    alone = [words_of(diagrams.block_diagram(block, x, title)) for title, block in pair.items()]
    assert words_of(diagrams.blocks_diagram(pair, x)) == alone[0] + alone[1]


@pytest.mark.parametrize("make", [lambda: Head(8, 4, 6), lambda: CausalSelfAttention(8, 2)])
def test_the_shapes_of_one_head_are_those_of_its_tensors(make):
    words = words_of(diagrams.attention_diagram(make(), torch.randn(2, 6, 8)))
    assert words.count("D 4") == 4 and words.count("C 8") == 1 and words.count("T 6") == 9


def test_splitting_and_merging_ends_where_it_began():
    words = words_of(diagrams.heads_diagram(CausalSelfAttention(12, 3), torch.randn(2, 5, 12)))
    assert words.count("B 2 · T 5 · C 12") == 4 and words.count("B 2 · H 3 ·\nT 5 · D 4") == 2


def test_below_every_token_stands_the_one_that_follows_it():
    tokenizer = CharTokenizer()
    ids = torch.tensor(tokenizer.encode("To be"))
    words = words_of(diagrams.shift_diagram(ids[:-1], ids[1:], lambda i: tokenizer.decode([i])))
    assert words == ["x", "T", "o", "␣", "b", "y", "o", "␣", "b", "e"]


def test_every_piece_of_a_text_is_as_wide_as_its_characters():
    drawn = diagrams.pieces_diagram({"one": list("to be"), "two": ["to", " be"]}, {"two": "to"})
    assert words_of(drawn) == ["one", "t", "o", "␣", "b", "e", "two", "to", "␣be"]
    boxes = [patch for patch in drawn.sheet.patches if isinstance(patch, FancyBboxPatch)]
    starts = [box.get_x() for box in boxes]
    assert starts[5:] == pytest.approx([starts[0], starts[2]])
    assert [box.get_linewidth() > 2 for box in boxes] == [False] * 5 + [True, False]


def test_looking_at_a_model_leaves_no_hooks_and_its_mode():
    model = GPT(GPTConfig(block_size=8, n_embd=24, n_head=3, n_layer=2)).train()
    diagrams.gpt_map(model, torch.zeros(1, 3, dtype=torch.long))
    assert model.training and not any(
        m._forward_hooks or m._forward_pre_hooks for m in model.modules()
    )
    assert not any(isinstance(m, nn.Identity) for m in model.modules())
