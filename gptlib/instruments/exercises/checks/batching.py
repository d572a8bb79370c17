"""Check of notebook 01: batches."""

import torch

from gptlib.instruments.exercises.checks.judging import Check
from gptlib.instruments.exercises.checks.reading import NotYet, Wrong, kind


def seen_in_bulk(batch_of):
    """A function that looks at 2,000 chunks of twelve numbered tokens: how they go on, which starts there are."""
    if not callable(batch_of):
        raise Wrong(f"{kind(batch_of)} came, a function was expected")

    def draw(block_size, batch_size):
        generator = torch.Generator().manual_seed(5)
        pair = batch_of(torch.arange(100, 112), block_size, batch_size, generator)
        if pair is None or pair is Ellipsis:
            raise NotYet("nothing comes back; is there still a …, or is the return missing?")
        if not (isinstance(pair, tuple | list) and len(pair) == 2):
            raise Wrong(f"{kind(pair)} came back, two tensors x and y were expected")
        return pair

    def call(block_size, batch_size):
        x, y = draw(block_size, batch_size)
        again = torch.equal(x, draw(block_size, batch_size)[0])
        first = x[:, :1]
        return x - first, y - first, again, *first.unique().tolist()

    return call


def batches(lag=1, last=0, given=True, step=1, alike=False):
    """A get_batch: y lags behind x, last starts are left out, starts are multiples of step, or all the same."""

    def batch_of(tokens, block_size, batch_size, generator):
        count = (len(tokens) - block_size - max(lag - 1, 0) - last + step - 1) // step
        shape = (1, 1) if alike else (batch_size, 1)
        starts = step * torch.randint(count, shape, generator=generator if given else None)
        index = starts.expand(batch_size, 1) + torch.arange(block_size)
        return tokens[index], tokens[index + lag]

    return batch_of


def by_unfold(tokens, block_size, batch_size, generator):
    """All chunks there are, by unfold, and a choice among them."""
    chunks = tokens.unfold(0, block_size + 1, 1)
    chosen = chunks[torch.randint(len(chunks), (batch_size,), generator=generator)]
    return chosen[:, :-1], chosen[:, 1:]


def by_target(tokens, block_size, batch_size, generator):
    """x as it should be, and of y the last column only."""
    x, y = batches()(tokens, block_size, batch_size, generator)
    return x, y[:, -1:]


get_batch = Check(
    right=by_unfold,
    wrong={
        "the targets are not shifted: y is x, and the model would only have to copy": batches(
            lag=0
        ),
        "the targets are shifted by two: y is x one step later": batches(lag=2),
        "the last start is never drawn: randint leaves its upper end out, so len(tokens) - block_size": batches(
            last=1
        ),
        "the generator is not used, so the same seed gives another batch: pass it to randint": batches(
            given=False
        ),
        "chunks begin at multiples of block_size only: every start from 0 on is possible": batches(
            step=3
        ),
        "all rows are the same chunk: draw batch_size starts": batches(alike=True),
        "y has the last target only: every position of x has one": by_target,
        "block_size and batch_size are exchanged: batch_size rows of block_size tokens": lambda t, T, B, g: (
            tuple(part.T for part in by_unfold(t, T, B, g))
        ),
    },
    cases=(lambda: (3, 2000),),
    prepare=seen_in_bulk,
    well="each target is the next token, each start is drawn, the same seed gives the same batch",
)
