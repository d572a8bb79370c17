"""Exercises: how many chunks a text has, drawing a batch, the size of a vocabulary."""

import torch

from gptlib.instruments.exercises import diagnosis
from gptlib.instruments.exercises.answer import Answer
from gptlib.instruments.exercises.diagnosis import Wrong
from gptlib.instruments.exercises.grader import Check, as_given

chunks = Answer(
    right=(992,),
    mistakes={
        "the last chunk needs one token more, the target of its last position": 993,
        "start 0 counts too: from 0 to 991": 991,
        "chunks may overlap: every start from 0 on is possible": (125.0,),
        "a chunk of 8 with its targets takes 9 tokens, and chunks may overlap": 124,
        "not every token can be a start: 9 tokens have to be left": 1000,
        "that is the number of tokens in all chunks: count the chunks": 992 * 8,
    },
    expected="the number of different chunks",
    explanation="starts from 0 to 1000 − 8 − 1; the token at position 0 is never a target",
)  # fmt: skip


def seen_in_bulk(get_batch):
    """A function that looks at many chunks of twelve numbered tokens: how they go on, and which ones there are."""
    as_given(get_batch)

    def draw(block_size, batch_size, seed):
        generator = torch.Generator().manual_seed(seed)
        pair = get_batch(torch.arange(12), block_size, batch_size, generator)
        x, y = diagnosis.several(pair, "two tensors, x and y")
        if x.dim() != 2 or x.shape != y.shape:
            raise Wrong(
                f"x has the shape {tuple(x.shape)}, y {tuple(y.shape)}: a row for each chunk, and in y a target for "
                "each position of x"
            )
        return x, y

    def call(block_size, batch_size):
        x, y = draw(block_size, batch_size, seed=5)
        return {
            "x, counted from the first token of its row": x - x[:, :1],
            "y, counted from the first token of x": y - x[:, :1],
            "the starts that are drawn": (x[:, :1] == torch.arange(12)).any(0),
            "the same seed gives the same batch": torch.equal(
                x, draw(block_size, batch_size, 5)[0]
            ),
            "another seed gives another batch": not torch.equal(
                x, draw(block_size, batch_size, 6)[0]
            ),
        }

    return call


def batches(lag=1, first=0, last=0, seeded=True, step=1, rows=None):
    """A get_batch: y lags behind x, starts are left out or multiples of step, and only so many rows differ."""

    def get_batch(tokens, block_size, batch_size, generator):
        count = (len(tokens) - block_size - max(lag - 1, 0) - last + step - 1) // step
        starts = torch.randint(
            first, count, (rows or batch_size, 1), generator=generator if seeded else None
        )
        index = step * starts.expand(batch_size, 1) + torch.arange(block_size)
        return tokens[index], tokens[index + lag]

    return get_batch


def by_unfold(tokens, block_size, batch_size, generator):
    """All chunks there are, by unfold, and a choice among them."""
    chunks = tokens.unfold(0, block_size + 1, 1)
    chosen = chunks[torch.randint(len(chunks), (batch_size,), generator=generator)]
    return chosen[:, :-1], chosen[:, 1:]


get_batch = Check(
    right=by_unfold,
    mistakes={
        "the targets are not shifted: y is x, and the model would only have to copy": batches(lag=0),
        "the targets are shifted by two: y is x one step later": batches(lag=2),
        "the targets are shifted the wrong way: y is the token after, not the one before": batches(lag=-1, first=1),
        "x and y are exchanged: y lies one token further": lambda *a: by_unfold(*a)[::-1],
        "x and y are different chunks: draw the starts once, for both":
            lambda *a: (by_unfold(*a)[0], by_unfold(*a)[1]),
        "the last start is never drawn: randint leaves its upper end out, so len(tokens) - block_size": batches(last=1),
        "start 0 is never drawn: randint begins at 0 by itself": batches(first=1),
        "the generator is not used, so the same seed gives another batch: pass it to randint": batches(seeded=False),
        "the starts do not depend on the generator: torch.randint(…, generator=generator)":
            lambda t, T, B, g: by_unfold(t, T, B, torch.Generator().manual_seed(0)),
        "chunks begin at multiples of block_size only: every start from 0 on is possible": batches(step=3),
        "all rows are the same chunk: draw batch_size starts": batches(rows=1),
        "block_size and batch_size are exchanged: batch_size rows of block_size tokens":
            lambda *a: tuple(part.T for part in by_unfold(*a)),
    },
    cases=(lambda: (3, 2000),),
    prepare=seen_in_bulk,
    explanation="each target is the next token, each start is drawn, the same seed gives the same batch",
)  # fmt: skip

# BPE draws nothing at random: 2,352 pieces give 2.9999 characters each, 2,353 give 3.0002
PIECES = 2_353
pieces = Answer(
    right=((PIECES - 100, PIECES + 100),),  # the exercise says: to within a hundred
    mistakes={
        "that is more than 3 characters a token: a smaller size will do": ((PIECES, 65_536),),
        "that is less than 3 characters a token: take more pieces": ((66, PIECES),),
        "65 are the single characters: BPE adds pieces to them": 65,
        "that is a number of characters a token: which vocabulary size gives 3?": ((1, 6),),
    },
    expected="a vocabulary size",
    explanation="each further tenth of a character costs more pieces than the last",
)  # fmt: skip
