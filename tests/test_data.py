import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gptlib.data import get_batch, load_text, train_val_split

sizes = st.integers(1, 12)


@given(block_size=sizes, batch_size=sizes, extra=st.integers(1, 30), seed=st.integers(0, 99))
def test_y_is_x_one_step_later_everywhere(block_size, batch_size, extra, seed):
    tokens = torch.arange(100, 100 + block_size + extra)  # each token says where it stands
    generator = torch.Generator().manual_seed(seed)
    x, y = get_batch(tokens, block_size, batch_size, generator)
    assert x.shape == y.shape == (batch_size, block_size)
    assert torch.equal(y, x + 1)
    assert x.min() >= 100 and y.max() <= tokens[-1]


@given(block_size=st.integers(1, 5), extra=st.integers(1, 6))
def test_every_start_is_reachable_and_none_beyond_the_last(block_size, extra):
    tokens = torch.arange(block_size + extra)
    x, _ = get_batch(tokens, block_size, 600, torch.Generator().manual_seed(0))
    assert sorted(set(x[:, 0].tolist())) == list(range(extra))


def test_the_same_seed_draws_the_same_batch_and_another_seed_another():
    tokens = torch.arange(10_000)
    first, again, other = (
        get_batch(tokens, 8, 4, torch.Generator().manual_seed(seed))[0] for seed in (1, 1, 2)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_a_loop_over_slices_gives_the_same_batch():
    tokens = torch.randint(65, (500,), generator=torch.Generator().manual_seed(0))
    x, y = get_batch(tokens, 8, 5, torch.Generator().manual_seed(3))
    starts = (
        torch.randint(500 - 8, (5, 1), generator=torch.Generator().manual_seed(3))
        .flatten()
        .tolist()
    )
    assert torch.equal(x, torch.stack([tokens[i : i + 8] for i in starts]))
    assert torch.equal(y, torch.stack([tokens[i + 1 : i + 9] for i in starts]))


@pytest.mark.parametrize(
    ("block_size", "batch_size"), [(0, 4), (4, 0), (-1, 4), (2.5, 4), (True, 4)]
)
def test_sizes_below_one_or_not_whole_get_a_sentence(block_size, batch_size):
    with pytest.raises(ValueError, match="must be a whole number of at least 1"):
        get_batch(torch.arange(50), block_size, batch_size)


def test_a_text_without_one_whole_example_gets_a_sentence_and_one_more_token_is_enough():
    with pytest.raises(ValueError, match="8 tokens, but block_size 8 needs at least 9"):
        get_batch(torch.arange(8), 8, 1)
    assert get_batch(torch.arange(9), 8, 1)[1].tolist() == [[1, 2, 3, 4, 5, 6, 7, 8]]


def test_the_two_parts_are_the_whole_in_order():
    tokens = torch.arange(101)
    first, rest = train_val_split(tokens, 0.8)
    assert torch.equal(torch.cat([first, rest]), tokens) and len(first) == 80
    assert train_val_split("abcdefghij") == ("abcdefghi", "j")


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 90])
def test_a_fraction_outside_zero_to_one_gets_a_sentence(fraction):
    with pytest.raises(ValueError, match="between 0 and 1"):
        train_val_split("text", fraction)


def test_a_file_is_read_with_plain_line_ends_and_without_an_editors_mark(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes("\ufeffÔ mai\r\nhai\r\n".encode())
    assert load_text(path) == "Ô mai\nhai\n"


def test_files_that_cannot_be_read_get_a_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.txt.*check the name"):
        load_text(tmp_path / "none.txt")
    with pytest.raises(OSError, match="give the path of a text file"):
        load_text(tmp_path)
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9 noir")
    with pytest.raises(ValueError, match=r"not UTF-8 text \(byte 3\)"):
        load_text(tmp_path / "latin.txt")
