import doctest
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gptlib import tokenizer as module
from gptlib.tokenizer import LECTURE_ALPHABET, CharTokenizer


def test_the_lectures_alphabet_has_its_65_characters_and_ids():
    tokenizer = CharTokenizer(alphabet=LECTURE_ALPHABET)
    assert tokenizer.vocab_size == 65
    assert tokenizer.encode("First Cit") == [18, 47, 56, 57, 58, 1, 15, 47, 58]
    assert list(LECTURE_ALPHABET) == sorted(LECTURE_ALPHABET)


@given(st.text(min_size=1))
def test_decoding_an_encoded_text_of_any_writing_gives_it_back(text):
    tokenizer = CharTokenizer.from_text(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert sorted(set(tokenizer.encode(text))) == list(range(tokenizer.vocab_size))


@pytest.mark.parametrize("text", ["春はあけぼの", "Xin chào, thế giới", "🜁🜂", "a"])
def test_writings_other_than_latin_are_no_exception(text):
    tokenizer = CharTokenizer.from_text(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_whole_corpus_survives_there_and_back():
    text = (Path(__file__).parents[1] / "data" / "shakespeare.txt").read_text(encoding="utf-8")
    tokenizer = CharTokenizer()
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_empty_text_encodes_to_nothing():
    assert CharTokenizer().encode("") == []
    assert CharTokenizer().decode([]) == ""


def test_an_unknown_character_is_named_with_its_place():
    with pytest.raises(
        ValueError, match=r"'é' \(position 3\).*build a tokenizer from a text that contains it"
    ):
        CharTokenizer().encode("caféé")


@pytest.mark.parametrize("bad", [[65], [-1], [0, 99]])
def test_an_id_outside_the_vocabulary_is_named(bad):
    with pytest.raises(ValueError, match=f"id {bad[-1]} .*ends at 64"):
        CharTokenizer().decode(bad)


@pytest.mark.parametrize(
    ("alphabet", "words"), [("", "empty"), ("abca", "'a' twice"), (["ab"], "'ab'")]
)
def test_an_alphabet_that_is_none_gets_a_sentence(alphabet, words):
    with pytest.raises(ValueError, match=words):
        CharTokenizer(alphabet)


def test_decoding_takes_any_sequence_of_ids_and_no_other_numbers():
    tokenizer = CharTokenizer("abc")
    for ids in (iter([2, 0]), (2, 0), torch.tensor([2, 0]), np.array([2, 0]), (i for i in (2, 0))):
        assert tokenizer.decode(ids) == "ca"
    for other in (1.5, "1", None, True):
        with pytest.raises(TypeError, match="is no token id; ids are whole numbers"):
            tokenizer.decode([other])


def test_the_example_in_the_docstring_is_true():
    assert doctest.testmod(module).failed == 0
