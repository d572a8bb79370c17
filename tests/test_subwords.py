"""Tokenizers with pieces of several bytes."""

import pytest

from gptlib.instruments.models import subwords
from gptlib.tokenizer import CharTokenizer


def test_gpt2_pieces_are_those_of_the_published_vocabulary():
    gpt2 = subwords.gpt2()
    assert gpt2.n_vocab == 50_257
    assert gpt2.encode("hello world") == [31373, 995]
    assert subwords.pieces(gpt2, "hello world") == ["hello", " world"]


TEXT = "Where is Romeo, my Romeo?\n"


def test_pieces_put_together_are_the_text():
    bpe = subwords.train_bpe(TEXT * 20, 280)
    for tokenizer in (CharTokenizer.from_text(TEXT), bpe, subwords.gpt2()):
        assert "".join(subwords.pieces(tokenizer, TEXT)) == TEXT


@pytest.fixture(scope="module")
def any_text():
    """Tokenizers that promise to take any text: ours, learned from a text without digits, and GPT-2's."""
    return subwords.with_all_bytes(subwords.train_bpe(TEXT * 20, 40)), subwords.gpt2()


@pytest.mark.parametrize(
    "typed", ["chào", "1623", "<img src=x onerror=alert(1)>", "春はあけぼの 👍🏽", "\x00\t", ""]
)
def test_whatever_is_typed_comes_back_byte_for_byte(any_text, typed):
    for tokenizer in any_text:
        assert b"".join(subwords.pieces_in_bytes(tokenizer, typed)) == typed.encode()
    ours, _ = any_text
    assert ours.decode(ours.encode(typed).ids) == typed


def test_a_part_of_a_character_is_shown_as_its_bytes(any_text):
    assert subwords.pieces(any_text[0], "chào") == ["c", "h", "C3", "A0", "o"]


def test_the_added_bytes_change_nothing_of_what_was_learned(any_text):
    before = subwords.train_bpe(TEXT * 20, 40)
    assert any_text[0].encode(TEXT).ids == before.encode(TEXT).ids
    single = {token for token in any_text[0].get_vocab() if len(token) == 1}
    assert len(single) == 256 and any_text[0].get_vocab_size() == before.get_vocab_size() + len(
        single - set(before.get_vocab())
    )


def test_the_signs_of_bytes_are_those_of_the_tokenizers_library():
    from tokenizers.pre_tokenizers import ByteLevel

    assert sorted(subwords.BYTE_SIGNS.values()) == sorted(ByteLevel.alphabet())
    for byte, sign in subwords.BYTE_SIGNS.items():
        if byte < 128:  # a byte of its own in UTF-8
            ((found, _),) = ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(
                chr(byte)
            )
            assert found == sign
