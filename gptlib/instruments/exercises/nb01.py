"""Exercises: how many chunks a text has, drawing a batch, the size of a vocabulary."""

import torch

from gptlib.instruments.exercises.answer import Answer
from gptlib.instruments.exercises.diagnosis import NotYet, Wrong, kind
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
    explanation="starts from 0 to 1000 − 8 − 1; token 0 is never a target",
)


# ---- a batch


def seen_in_bulk(get_batch):
    """A function that looks at many chunks of twelve numbered tokens: how they go on, and which ones there are."""
    as_given(get_batch)

    def draw(block_size, batch_size, seed=5):
        generator = torch.Generator().manual_seed(seed)
        pair = get_batch(torch.arange(100, 112), block_size, batch_size, generator)
        if pair is None or pair is Ellipsis:
            raise NotYet("nothing comes back; is there still a …, or is the return missing?")
        if not (isinstance(pair, tuple | list) and len(pair) == 2):
            raise Wrong(f"{kind(pair)} came back, two tensors x and y were expected")
        for name, part in zip("xy", pair):
            if not isinstance(part, torch.Tensor):
                raise Wrong(
                    f"{name} is {kind(part)}: torch.stack makes one tensor of a list of chunks"
                )
            if part.dim() != 2:
                raise Wrong(
                    f"{name} has the shape {tuple(part.shape)}: a row for each chunk, torch.stack"
                )
        return pair

    def call(block_size, batch_size):
        x, y = draw(block_size, batch_size)
        if x.shape != y.shape:
            raise Wrong(
                f"x has the shape {tuple(x.shape)}, y {tuple(y.shape)}: one target for each position of x"
            )
        first = x[:, :1]
        return {
            "x, counted from the first token of its row": x - first,
            "y, counted from the first token of x": y - first,
            "the same seed, the same batch": torch.equal(x, draw(block_size, batch_size)[0]),
            "another seed, the same batch": torch.equal(x, draw(block_size, batch_size, seed=6)[0]),
            "starts that are drawn": (first == torch.arange(100, 112)).any(0),
            "starts in order": bool((first.diff(dim=0) >= 0).float().mean() > 0.9),
        }

    return call


def batches(lag=1, first=0, last=0, seeded="given", step=1, alike=False, in_order=False):
    """A get_batch: y lags behind x, first or last starts are left out, starts are multiples of step, or all the same."""

    def get_batch(tokens, block_size, batch_size, generator):
        count = (len(tokens) - block_size - max(lag - 1, 0) - last + step - 1) // step
        if seeded == "own":
            generator = torch.Generator().manual_seed(0)
        if seeded == "none":
            generator = None
        shape = (1, 1) if alike else (batch_size, 1)
        starts = step * torch.randint(first, count, shape, generator=generator)
        if in_order:
            starts = torch.arange(batch_size)[:, None] % count
        index = starts.expand(batch_size, 1) + torch.arange(block_size)
        return tokens[index], tokens[index + lag]

    return get_batch


def by_unfold(tokens, block_size, batch_size, generator):
    """All chunks there are, by unfold, and a choice among them."""
    chunks = tokens.unfold(0, block_size + 1, 1)
    chosen = chunks[torch.randint(len(chunks), (batch_size,), generator=generator)]
    return chosen[:, :-1], chosen[:, 1:]


def drawn_twice(tokens, block_size, batch_size, generator):
    """x from some starts and y from others."""
    drawn = [by_unfold(tokens, block_size, batch_size, generator) for _ in range(2)]
    return drawn[0][0], drawn[1][1]


get_batch = Check(
    right=by_unfold,
    mistakes={
        "the targets are not shifted: y is x, and the model would only have to copy": batches(
            lag=0
        ),
        "the targets are shifted by two: y is x one step later": batches(lag=2),
        "the targets are shifted the wrong way: y is the token after, not the one before": (
            batches(lag=-1, first=1)
        ),
        "x and y are exchanged: y lies one token further": lambda *a: by_unfold(*a)[::-1],
        "x and y are different chunks: draw the starts once, for both": drawn_twice,
        "the last start is never drawn: randint leaves its upper end out, so len(tokens) - block_size": (
            batches(last=1)
        ),
        "start 0 is never drawn: randint begins at 0 by itself": batches(first=1),
        "the generator is not used, so the same seed gives another batch: pass it to randint": (
            batches(seeded="none")
        ),
        "the generator is not used, and every call gives the same batch: pass it to randint": (
            batches(seeded="own")
        ),
        "chunks begin at multiples of block_size only: every start from 0 on is possible": (
            batches(step=3)
        ),
        "all rows are the same chunk: draw batch_size starts": batches(alike=True),
        "the starts are not drawn, but taken in order: torch.randint": batches(in_order=True),
        "block_size and batch_size are exchanged: batch_size rows of block_size tokens": (
            lambda *a: tuple(part.T for part in by_unfold(*a))
        ),
    },
    cases=(lambda: (3, 2000),),
    prepare=seen_in_bulk,
    explanation="each target is the next token, each start is drawn, the same seed gives the same batch",
)


# ---- the size of a vocabulary; BPE draws nothing at random: 2,345 pieces give 2.999 characters each, 2,375 give 3.005

PIECES = 2_360
pieces = Answer(
    right=((0.96 * PIECES, 1.04 * PIECES),),
    mistakes={
        "that is more than 3 characters a token: a smaller size will do": ((PIECES, 65_536),),
        "that is less than 3 characters a token: take more pieces": ((66, PIECES),),
        "that is a number of characters a token: which vocabulary size gives 3?": ((1, 6),),
        "65 are the single characters: BPE adds pieces to them": 65,
    },
    expected="a vocabulary size",
    explanation="each further tenth of a character costs more pieces than the last",
)
