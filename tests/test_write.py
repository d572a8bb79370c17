"""Text as it is written, and what the first lecture needs for it: few imports, one thread."""

import copy
import os
import signal
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from IPython.core.interactiveshell import InteractiveShell

from gptlib.instruments.publish import authoring
from gptlib.instruments.show.write import stream_text, write
from gptlib.layers import LayerNorm
from gptlib.model import GPT, GPTConfig
from gptlib.tokenizer import CharTokenizer


def in_a_new_process(code, **environment):
    """What code prints in a Python of its own, which nobody has told how many threads to use."""
    clean = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


FIRST_TORCH = "import torch; torch.get_num_threads(); from gptlib.instruments.show import write"  # in use already
TORCH_LATER = "from gptlib.instruments.show import plots; import torch"


@pytest.mark.parametrize("imports", [FIRST_TORCH, TORCH_LATER])
def test_the_instruments_leave_torch_with_one_thread_unless_the_environment_asks_for_more(imports):
    code = f"{imports}; print(torch.get_num_threads())"
    assert in_a_new_process(code) == "1"
    assert in_a_new_process(code, OMP_NUM_THREADS="2") == "2"


def test_whoever_asks_for_more_threads_gets_them():
    code = f"{FIRST_TORCH}; torch.set_num_threads(2); from gptlib.instruments.show import plots"
    assert in_a_new_process(f"{code}; print(torch.get_num_threads())") == "2"


def test_what_the_first_lecture_needs_to_write_brings_no_pictures_and_no_other_peoples_models():
    heavy = ("matplotlib", "ipywidgets", "transformers", "tokenizers", "tiktoken", "pandas")
    lecture = authoring.read(authoring.chosen(["00"])[0])
    first = next(cell.source for cell in lecture.cells if cell.cell_type == "code")
    code = f"{first}\nimport sys\nprint([name for name in {heavy} if name in sys.modules])"
    assert in_a_new_process(code) == "[]"


@pytest.fixture(scope="module")
def gpt():
    """A small GPT with weights large enough that the next character depends on those before it."""
    torch.manual_seed(0)
    model = GPT(GPTConfig(block_size=8, n_embd=16, n_head=2, n_layer=2, dropout=0.1))
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return model


@pytest.mark.parametrize("prompt", ["\n", "ROMEO:", "O Romeo, my Romeo"])
def test_text_that_fits_into_block_size_is_streamed_as_it_is_written(gpt, prompt):
    room = max(1, 8 - len(prompt) + 1)
    for seed in range(10):
        streamed = stream_text(gpt, CharTokenizer(), prompt[-8:], room, seed, temperature=0.9)
        assert "".join(streamed) == write(
            gpt, CharTokenizer(), prompt[-8:], room, seed, temperature=0.9
        )


def test_beyond_block_size_each_character_is_drawn_from_what_the_model_says_of_the_last_four_to_eight(
    gpt,
):
    tokenizer, generator = CharTokenizer(), torch.Generator().manual_seed(3)
    streamed = "".join(stream_text(gpt, tokenizer, "ab", 60, seed=3, temperature=0.9))
    shown = tokenizer.encode("ab")
    for character in streamed:  # the slow twin: no cache, the whole model on what is shown
        shown = shown if len(shown) <= 8 else shown[-4:]
        logits = gpt.eval()(torch.tensor([shown]))[0, -1]
        drawn = torch.multinomial(F.softmax(logits / 0.9, dim=-1), 1, generator=generator).item()
        assert tokenizer.itos[drawn] == character
        shown = [*shown, drawn]


def interrupted_after(reads, model):
    """A copy of model whose reading is interrupted, as by Kernel → Interrupt, after so many reads."""
    left, model = iter(range(reads)), copy.deepcopy(model)

    def read(module, tokens):
        if next(left, None) is None:
            signal.raise_signal(signal.SIGINT)

    model.token_embedding_table.register_forward_pre_hook(read)
    return model


@pytest.fixture
def shell():
    """The IPython that a cell runs in, as it comes, without what run.py lab gives it."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def test_an_interrupt_prints_the_text_so_far_and_a_sentence_and_ends_the_cell(gpt, shell, capsys):
    shell.user_ns |= {"write": write, "model": interrupted_after(5, gpt), "chars": CharTokenizer()}
    shell.run_cell("text = 'old'\ntext = write(model, chars, 'ab', seed=1)\ntext = 'new'")
    said = capsys.readouterr().out
    assert said.startswith(write(gpt, CharTokenizer(), "ab", 5, seed=1) + "\n")
    assert "stopped in line 2 of this cell" in said and "Traceback" not in said
    assert shell.user_ns["text"] == "old"


def test_streaming_reads_most_characters_once_and_leaves_the_model_as_it_was(gpt):
    model, read = copy.deepcopy(gpt).train(), []
    note = lambda _, tokens: read.append(tokens[0].shape[1])  # noqa: E731
    model.token_embedding_table.register_forward_pre_hook(note)
    list(stream_text(model, CharTokenizer(), "a", 16))
    assert read == [1] * 8 + [4, 1, 1, 1, 1] + [4, 1, 1]
    assert model.training and type(model.blocks[0].ln1) is LayerNorm
