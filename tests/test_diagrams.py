"""Diagrams say what the modules and tensors that they are drawn from say, and are the same every time."""

import xml.etree.ElementTree as ET

import pytest
import torch
import torch.nn as nn

from gptlib.attention import CausalSelfAttention, Head
from gptlib.instruments.files import NOTEBOOKS
from gptlib.instruments.measure.catalogue.transformer import PostNormBlock
from gptlib.instruments.show import diagrams
from gptlib.layers import Block
from gptlib.model import GPT, GPTConfig
from gptlib.tokenizer import CharTokenizer


def words_of(diagram):
    return [text.get_text() for text in diagram.sheet.texts]


def the_map(lit=(), **sizes):
    torch.manual_seed(0)
    model = GPT(GPTConfig(block_size=8, n_embd=24, n_head=3, **sizes))
    return diagrams.gpt_map(model, torch.zeros(2, 5, dtype=torch.long), lit)


def test_the_map_says_the_shapes_and_counts_of_its_own_model():
    words = words_of(the_map(n_layer=7))
    assert "block, 7 times" in words and "attention\n3 heads" in words
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


def test_pre_norm_and_post_norm_are_told_by_the_order_of_the_calls():
    x = torch.randn(2, 5, 8)
    assert diagrams.calls_of(Block(8, 2, 0.0), x) == ["ln1", "attention", "ln2", "ffwd"]
    assert diagrams.calls_of(PostNormBlock(8, 2, 0.0), x) == ["attention", "ln1", "ffwd", "ln2"]
    assert "pre-norm" in words_of(diagrams.block_diagram(Block(8, 2, 0.0), x))
    assert "post-norm" in words_of(diagrams.block_diagram(PostNormBlock(8, 2, 0.0), x))


@pytest.mark.parametrize("make", [lambda: Head(8, 4, 6), lambda: CausalSelfAttention(8, 2)])
def test_the_shapes_of_one_head_are_those_of_its_tensors(make):
    words = words_of(diagrams.attention_diagram(make(), torch.randn(2, 6, 8)))
    assert words.count("D 4") == 4 and words.count("C 8") == 1 and words.count("T 6") == 9


def test_splitting_and_merging_ends_where_it_began():
    words = words_of(diagrams.heads_diagram(CausalSelfAttention(12, 3), torch.randn(2, 5, 12)))
    assert words.count("B 2 · T 5 · C 12") == 3 and words.count("B 2 · H 3 · T 5 · D 4") == 2


def test_below_every_token_stands_the_one_that_follows_it():
    tokenizer = CharTokenizer()
    ids = torch.tensor(tokenizer.encode("To be"))
    words = words_of(diagrams.shift_diagram(ids[:-1], ids[1:], lambda i: tokenizer.decode([i])))
    assert words == ["x", "T", "o", "␣", "b", "y", "o", "␣", "b", "e"]


def test_looking_at_a_model_leaves_no_hooks_and_its_mode():
    model = GPT(GPTConfig(block_size=8, n_embd=24, n_head=3, n_layer=2)).train()
    diagrams.gpt_map(model, torch.zeros(1, 3, dtype=torch.long))
    assert model.training and not any(
        m._forward_hooks or m._forward_pre_hooks for m in model.modules()
    )
    assert not any(isinstance(m, nn.Identity) for m in model.modules())
