"""The pages of `run.py html`: nothing from outside, every link arrives, formulas typeset, nothing half-written."""

import base64
import copy
import re
from contextlib import suppress
from functools import cache
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import run
from gptlib.instruments.publish import authoring
from gptlib.instruments.publish.site import folder as folders
from gptlib.instruments.publish.site import live
from gptlib.instruments.publish.site.export import export
from gptlib.instruments.publish.site.formulas import mathml

PNG = base64.b64encode(b"\x89PNG, only the beginning of one").decode()
FORMULAS = r"""Inline $\mathbf{W}_o$ and $a<b$, displayed

$$
\operatorname{softmax}\left(\frac{QK^\top}{\sqrt{d_k}}\right)V
- 1
$$

\begin{align} a &= b \\ c &= d \end{align}

and ordinary: `$`, `sha$l`, `a$b$c` and \$5."""
LINKS = "[b](b.ipynb#Two-x-words?-(note-1)), [data](../data), [front](../README.md#x), [out](https://example.org)"
SECTIONS = "# B\n\n## Two `x` words? (note 1)\n\n## Same\n\n## Same\n\n"
SOLUTION = "<details>\n<summary>Solution</summary>\n\n```python\n1 < 2\n```\n</details>"


def text(*parts):
    return new_markdown_cell("".join(parts))


def picture(words):
    data = {"image/png": PNG, "text/plain": words}
    shown = new_output("execute_result", data, execution_count=1)
    return new_code_cell("plot()", execution_count=1, outputs=[shown])


def project(root, **notebooks):
    """A project in root with these notebooks, {name: cells}, a README and data/."""
    for folder in ("notebooks", "data"):
        (root / folder).mkdir()
    (root / "README.md").write_text("# Small\n\nWords.\n\n## Not on the front page\n")
    (root / "data" / "README.md").write_text("# Data\n\n[t](t.csv), [a](../notebooks/a.ipynb)")
    (root / "data" / "t.csv").write_text("1,2")
    for name, cells in notebooks.items():
        written = nbformat.writes(new_notebook(cells=cells))
        (root / "notebooks" / f"{name}.ipynb").write_text(written, encoding="utf-8")
    return root


@cache
def pages(folder):
    """{name: parsed page} of a site that no longer changes."""
    return {
        path.name: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for path in folder.glob("*.html")
    }


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A site of two small notebooks with all kinds of links, formulas and outputs."""
    a = [text("# A\n\n*Why?*\n\n", LINKS), text(FORMULAS)]
    b = [
        text(SECTIONS, SOLUTION),
        picture('[picture: 1 < "2"]'),
        picture("[picture: it] with step"),
    ]
    root = project(tmp_path_factory.mktemp("small"), a=a, b=b)
    export(root / "site", root)
    return root / "site"


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A site of the series from its stored outputs; nothing is run."""
    target = tmp_path_factory.mktemp("real") / "html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live, "wants_a_run", lambda notebook: False)
        export(target)
    return target


@pytest.fixture(params=["small", "real"])
def site(request):
    return request.getfixturevalue(request.param)


def test_every_link_and_anchor_arrives(site):
    found = pages(site)
    ids = {name: {tag["id"] for tag in page.find_all(id=True)} for name, page in found.items()}
    for name, page in found.items():
        for href in [tag["href"] for tag in page.find_all(href=True)]:
            parts = urlsplit(href)
            if parts.scheme == "https":
                continue
            target = unquote(parts.path) or name
            assert (site / target).is_file(), f"{name}: {href}"
            assert not parts.fragment or unquote(parts.fragment) in ids[target], f"{name}: {href}"


def test_no_id_stands_twice_on_a_page(site):
    for name, page in pages(site).items():
        ids = [tag["id"] for tag in page.find_all(id=True)]
        assert len(ids) == len(set(ids)), name


def test_nothing_is_loaded_from_another_host(site):
    outside = re.compile(r"^\s*(https?:)?//")
    for name, page in pages(site).items():
        loads = [tag.get("src") or tag.get("srcset") for tag in page.select("[src], [srcset]")]
        loads += [tag["href"] for tag in page.select("link[href]")]
        styles = " ".join(tag.get_text() for tag in page.find_all("style"))
        styles += " ".join(tag["style"] for tag in page.find_all(style=True))
        assert not [load for load in loads if outside.match(load)], name
        assert not re.search(r"@import|url\(", styles), name
    assert not re.search(r"@import|url\(", (site / "site.css").read_text())


def words_of(page):
    """What one reads on a page outside of code and formulas."""
    page = copy.copy(page)
    for tag in page.find_all(["code", "pre", "script", "style", "math"]):
        tag.decompose()
    return page.get_text()


def formulas_of(notebook):
    """How many formulas the Markdown of a notebook has, by a count that knows nothing of the export."""
    words = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    words = re.sub(r"```.*?```|`[^`]*`|\\\$", "", words, flags=re.S)
    return words.count("$$") / 2 + words.replace("$$", "").count("$") / 2 + words.count("\\begin{")


def test_every_formula_becomes_mathml_and_no_dollar_sign_is_left_over(site):
    source = site.parent if (site.parent / "notebooks").is_dir() else authoring.ROOT
    found = pages(site)
    for path in (source / "notebooks").glob("*.ipynb"):
        page = found[f"{path.stem}.html"]
        assert len(page.find_all("math")) == formulas_of(authoring.read(path)), path.name
        assert "$" not in words_of(page).replace("$5", ""), path.name


def test_formulas_keep_their_letters_and_ordinary_dollar_signs_stay(small):
    page = pages(small)["a.html"]
    inline = page.find("math")
    assert inline.get_text() == "𝐖o" and inline["display"] == "inline"
    assert len(page.select("math[display=block] mfrac")) == 1
    assert len(page.select("mtr")) == 2 and len(page.select("mtr mtd")) == 4
    assert [code.get_text() for code in page.select("code")] == ["$", "sha$l", "a$b$c"]
    assert page.get_text().rstrip().find("and \\$5") == -1 and "$5." in page.get_text()


@pytest.mark.parametrize(
    "wrong",
    [r"\softmaxx(x)", r"\frac{1}{2", "a}b", "x^2^3", r"\begin{foo}a\end{foo}", "a & b", r"\sqrt"],
)
def test_a_formula_that_would_come_out_wrong_is_named_with_its_notebook(tmp_path, wrong):
    root = project(tmp_path, a=[text(f"# A\n\nLet ${wrong}$ be.")])
    with pytest.raises(ValueError, match=r"^a\.ipynb: the formula \$.*cannot be typeset") as caught:
        export(tmp_path / "site", root)
    assert wrong in str(caught.value)


def test_ln_stands_apart_from_its_letter_and_not_from_a_bracket():
    assert "<mi>ln</mi><mspace" in mathml(r"\ln p") and "<mspace" not in mathml(r"\ln(p)")
    assert mathml(r"2\log_2 x").count("<mspace") == 2 and "<mspace" not in mathml("xy")


def test_aligned_and_bold_come_out_as_columns_and_letters():
    assert mathml(r"\begin{aligned} a &= b \end{aligned}").count("<mtd") == 2
    assert mathml(r"\mathbf{x1}").count("𝐱") == 1 and "mathvariant" not in mathml(r"\mathbf{x1}")


def bad_cell(kind):
    return {
        "dollar": text("It costs $5 and $6."),
        "link": text("[there](no_such.ipynb)"),
        "outside": text("[there](../../secret.txt)"),
        "picture": text("![x](https://example.org/x.png)"),
        "unrun": new_code_cell("1 + 1"),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("dollar", "belongs to no formula"),
        ("link", r"no_such\.ipynb leads to no file"),
        ("outside", "leads to no file of the project"),
        ("picture", "lies on another host"),
        ("unrun", "never run; run `python run.py refresh`"),
    ],
)
def test_what_cannot_be_shown_is_said_and_nothing_is_written(tmp_path, kind, sentence):
    (tmp_path / "secret.txt").touch()
    (tmp_path / "p").mkdir()
    root = project(tmp_path / "p", a=[text("# A")], b=[bad_cell(kind)])
    before = sorted(root.iterdir())
    with pytest.raises(ValueError, match=rf"^b\.ipynb: .*{sentence}"):
        export(root / "site", root)
    assert sorted(root.iterdir()) == before


def test_the_index_lists_every_notebook_in_order_with_question_and_sections(real):
    index = pages(real)["index.html"]
    lectures = sorted(authoring.NOTEBOOKS.glob("*.ipynb"))
    rows = index.select(".lectures > li")
    assert [row.a["href"] for row in rows] == [f"{path.stem}.html" for path in lectures]
    for row, path in zip(rows, lectures):
        source = "\n".join(cell.source for cell in authoring.read(path).cells)
        assert f"# {row.a.get_text()}\n\n*{row.p.get_text()}*" in source
        assert len(row.select("li")) == len(re.findall(r"^## ", source, re.M))


def test_one_can_walk_from_the_first_page_to_the_last_and_back(real):
    found, name, way = pages(real), "00_start_here.html", []
    while name:
        way.append(name)
        after = found[name].select_one("a[rel=next]")
        name = after and after["href"]
        assert not name or found[name].select_one("a[rel=prev]")["href"] == way[-1]
    assert way == [f"{path.stem}.html" for path in sorted(authoring.NOTEBOOKS.glob("*.ipynb"))]


def test_every_stored_picture_is_on_its_page(real):
    for path in authoring.NOTEBOOKS.glob("*.ipynb"):
        outputs = [o for cell in authoring.read(path).cells for o in cell.get("outputs", [])]
        shown = [o.data["image/png"].strip() for o in outputs if "image/png" in o.get("data", {})]
        images = pages(real)[f"{path.stem}.html"].select("figure img")
        assert [image["src"].split(",")[1] for image in images] == shown, path.name


def test_only_a_picture_with_controls_says_that_it_moves_and_descriptions_are_escaped(small):
    still, moving = pages(small)["b.html"].select("figure")
    assert still.img["alt"] == 'picture: 1 < "2"' and still.figcaption is None
    assert "python run.py lab" in moving.figcaption.get_text()


def test_solutions_stay_folded_with_their_code_in_colour(small, real):
    solution = pages(small)["b.html"].select_one(".text details")
    assert not solution.has_attr("open") and solution.select_one(".highlight .mi")
    for path in authoring.NOTEBOOKS.glob("*.ipynb"):
        source = "\n".join(cell.source for cell in authoring.read(path).cells)
        folded = pages(real)[f"{path.stem}.html"].select(".text details")
        assert len(folded) == source.count("<details>"), path.name


def test_linked_files_come_along_and_markdown_becomes_a_page(small):
    assert (small / "files" / "data" / "t.csv").read_text() == "1,2"
    assert pages(small)["data-README.html"].h1.get_text() == "Data"
    assert "Not on the front page" not in pages(small)["index.html"].get_text()


def test_an_export_takes_the_place_of_the_last_one_and_leaves_nothing_beside_it(tmp_path):
    root = project(tmp_path, a=[text("# A")], b=[text("# B")])
    export(root / "site", root)
    (root / "notebooks" / "b.ipynb").unlink()
    export(root / "site", root)
    assert "b.html" not in pages(root / "site")
    assert {path.name for path in root.iterdir()} == {"notebooks", "data", "README.md", "site"}


@pytest.mark.parametrize("name", ["mine.txt", "index.html"])
def test_files_that_the_export_did_not_write_are_not_lost(tmp_path, name):
    root = project(tmp_path, a=[text("# A")])
    export(root / "site", root)
    (root / "site" / name).write_text("my work")
    with pytest.raises(ValueError, match=f"{name}' is not as the export wrote it"):
        export(root / "site", root)
    assert (root / "site" / name).read_text() == "my work"
    with pytest.raises(ValueError, match="is no folder"):
        export(root / "README.md", root)


def test_an_export_that_breaks_off_leaves_the_last_one_whole(tmp_path):
    folder = tmp_path / "site"
    with folders.replaced(folder) as fresh:
        (fresh / "page.html").write_text("first")
    with suppress(KeyboardInterrupt), folders.replaced(folder) as fresh:
        (fresh / "page.html").write_text("half")
        raise KeyboardInterrupt
    assert (folder / "page.html").read_text() == "first"
    assert list(tmp_path.iterdir()) == [folder]


def test_a_notebook_is_run_if_it_mentions_an_anywidget_or_what_makes_one(tmp_path):
    library = "import anywidget\nclass Explorer(anywidget.AnyWidget): ...\ndef explore():\n    return Explorer()\n"
    (tmp_path / "explorer.py").write_text(
        library
        + "def other():\n    return 'Explorer'\ndef __getattr__(name):\n    return Explorer\n"
    )
    assert live.live_names(tmp_path) == {"AnyWidget", "Explorer", "explore"}
    assert live.wants_a_run(new_notebook(cells=[new_code_cell("class My(AnyWidget): ...")]))
    assert not live.wants_a_run(new_notebook(cells=[text("An AnyWidget in words.")]))


def test_html_takes_one_folder(capsys):
    assert run.main(["html", "one", "two"]) == run.main(["html", "--open"]) == 1
    assert capsys.readouterr().err.count("takes the name of one folder") == 2


def test_html_writes_into_html_or_where_one_says(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(run, "environment", lambda: "python")
    monkeypatch.setattr(run, "become", asked.append)
    monkeypatch.chdir(tmp_path)
    run.html([]), run.html(["pages"])
    assert [command[-1] for command in asked] == [str(run.ROOT / "html"), str(tmp_path / "pages")]
    assert asked[0][:3] == ["python", "-m", "gptlib.instruments.site"]
