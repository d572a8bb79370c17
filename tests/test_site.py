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
from gptlib.instruments.publish.site import live
from gptlib.instruments.publish.site.book import export, front_page
from gptlib.instruments.publish.site.folder import replaced
from gptlib.instruments.show.picture import Picture

PICTURE = base64.b64encode(Picture("nothing", width=2, height=1).png()).decode()
FORMULAS = r"""Inline $\mathbf{W}_o$ and $a<b$, displayed

$$
\operatorname{softmax}\left(\frac{QK^\top}{\sqrt{d_k}}\right)V
- 1
$$

\begin{align*} a &= b \\ c &= d \end{align*}

and ordinary: `$`, `sha$l`, `a$b$c`, \$5, $5 and $6, $7/$8."""
HEADINGS = "# B\n\n## Two `x` words? (note 1)\n\n## Same\n\n## Same\n\n"
FRAGMENT = "b.ipynb#Two-x-words?-(note-1)"
LINKS = f"[b]({FRAGMENT}), [front](../README.md), [out](https://example.org)"
SOLUTION = "<details>\n<summary>Solution</summary>\n\n```python\n1 < 2\n```\n</details>"
HOSTILE = "<img src=x onerror=alert(1)> & \x1b[31mred\x1b[0m"


def text(*parts):
    return new_markdown_cell("".join(parts))


def shown(tags=(), source="1 + 1", **data):
    """A cell with one displayed output, {mime type with _ for /: content}."""
    data = {mime.replace("_", "/"): content for mime, content in data.items()}
    output = new_output("execute_result", data, execution_count=1)
    options = {"metadata": {"tags": list(tags)}} if tags else {}
    return new_code_cell(source, execution_count=1, outputs=[output], **options)


def picture(words, **options):
    return shown(image_png=PICTURE, text_plain=words, **options)


def project(root, **notebooks):
    """A project in root with these notebooks, {name: cells}, a README and data/."""
    for folder in ("notebooks", "data"):
        (root / folder).mkdir(parents=True)
    (root / "README.md").write_text(
        "# Small\n\nWords.\n\n[d](data/README.md), [a](notebooks/a.ipynb)"
    )
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
        path.relative_to(folder).as_posix(): BeautifulSoup(path.read_text("utf-8"), "html.parser")
        for path in folder.rglob("*.html")
    }


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A site of two small notebooks with all kinds of links, formulas, outputs and tags."""
    printed = new_code_cell(
        f"print({HOSTILE!r})",
        execution_count=1,
        outputs=[new_output("stream", name="stdout", text=HOSTILE)],
    )
    a = [text("# A\n\n*Why?*\n\n", LINKS), text(FORMULAS), shown(text_plain=HOSTILE), printed]
    b = [
        text(HEADINGS, SOLUTION),
        text("**2.** The next exercise."),
        picture('[picture: 1 < "2"]', tags=["plot"], source="draw()"),
        picture("[picture: it] with step", tags=["guard"], source="assert 1"),
        shown(text_html=f'<a href="{FRAGMENT}">map</a>', text_plain="map"),
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
            target = (site / name).parent / unquote(parts.path) if parts.path else site / name
            assert target.is_file(), f"{name}: {href}"
            anchors = ids.get(target.resolve().relative_to(site.resolve()).as_posix(), ())
            assert not parts.fragment or unquote(parts.fragment) in anchors, f"{name}: {href}"


def test_a_link_to_a_heading_leads_to_this_heading_from_words_and_from_outputs(small):
    for page, words in (("a", "b"), ("b", "map")):
        found = pages(small)[f"notebooks/{page}.html"]
        links = [link["href"] for link in found.select("article a") if link.get_text() == words]
        target, _, fragment = links[0].partition("#")
        assert (target, len(links)) == ("b.html", 1)
        heading = pages(small)["notebooks/b.html"].find(id=fragment).h2
        assert heading.get_text().startswith("Two x words? (note 1)")


def test_no_id_stands_twice_on_a_page(site):
    for name, page in pages(site).items():
        ids = [tag["id"] for tag in page.select("article [id]")]
        assert len(ids) == len(set(ids)), name


def test_nothing_is_loaded_from_another_host(site):
    outside = re.compile(r"^\s*(https?:)?//")
    for name, page in pages(site).items():
        loads = [tag.get("src") or tag.get("srcset") for tag in page.select("[src], [srcset]")]
        loads += [tag["href"] for tag in page.select("link[href]")]
        assert not [load for load in loads if outside.match(load)], name
    for path in site.rglob("*.css"):
        assert not re.search(r"@import|url\((?!['\"]?data:)", path.read_text("utf-8")), path.name


def words_of(page):
    """What one reads in a page's text outside of code and formulas."""
    page = copy.copy(page.article)
    for tag in page.find_all(["code", "pre", "script", "style", "math"]):
        tag.decompose()
    return page.get_text()


def formulas_of(notebook):
    """How many formulas the Markdown of a notebook has, by a count that knows nothing of the export."""
    words = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    words = re.sub(r"```.*?```|`[^`]*`|\\\$|\$\d", "", words, flags=re.S)
    return words.count("$$") / 2 + words.replace("$$", "").count("$") / 2 + words.count("\\begin{a")


def test_every_formula_becomes_mathml_and_no_dollar_sign_is_left_over(site):
    source = site.parent if (site.parent / "notebooks").is_dir() else authoring.ROOT
    for path in (source / "notebooks").glob("*.ipynb"):
        page = pages(site)[f"notebooks/{path.stem}.html"]
        assert len(page.find_all("math")) == formulas_of(authoring.read(path)), path.name
        assert "$" not in re.sub(r"\$\d", "", words_of(page)), path.name


def test_formulas_keep_their_letters_and_ordinary_dollar_signs_stay(small):
    page = pages(small)["notebooks/a.html"].article
    assert page.find("math").get_text() == "𝐖o"
    assert len(page.select("math[display=block] mfrac")) == 1 and len(page.select("mtr")) == 2
    codes = [code.get_text() for code in page.select("p > code")]
    assert codes == ["$", "sha$l", "a$b$c"] and "$5, $5 and $6, $7/$8." in page.get_text()


def test_formulas_that_would_come_out_wrong_are_all_named_with_their_notebook(tmp_path):
    wrong = [r"\softmaxx(x)", r"\frac{1}{2", "x^2^3", r"\begin{foo}a\end{foo}", "a & b", r"\sqrt"]
    lines = "\n\n".join(f"Let ${formula}$ be." for formula in wrong)
    root = project(tmp_path, a=[text("# A\n\n", lines)])
    with pytest.raises(ValueError, match=r"^notebooks.a\.ipynb:3: ") as caught:
        export(root / "site", root)
    for formula in wrong:
        assert f"the formula ${formula}$ cannot be typeset" in str(caught.value)
    assert not (root / "site").exists()


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        (text("[there](no_such.ipynb)"), r"target not found: 'no_such\.ipynb'"),
        (text("[there](a.ipynb#No-such-heading)"), "No-such-heading"),
        (text("![x](no_such.png)"), r"image file not readable: notebooks/no_such\.png"),
        (new_code_cell("1 + 1"), "never run; run `python run.py refresh`"),
        (shown(text_html="<p onclick=x()>a", text_plain=""), "holds a script in <p>"),
        (shown(text_html="<script>x()</script>", text_plain=""), "holds a script in <script>"),
    ],
)
def test_what_cannot_be_shown_is_said_and_nothing_is_written(tmp_path, cell, sentence):
    root = project(tmp_path, a=[text("# A")], b=[text("# B"), cell])
    before = sorted(root.iterdir())
    with pytest.raises(ValueError, match=rf"^notebooks.b\.ipynb:.*{sentence}"):
        export(root / "site", root)
    assert sorted(root.iterdir()) == before


def test_every_page_has_every_notebook_in_order_in_its_sidebar(real):
    names = [path.stem for path in sorted(authoring.NOTEBOOKS.glob("*.ipynb"))]
    for name, page in pages(real).items():
        links = [link["href"] for link in page.select(".sidebar-tree a")]
        assert [link.removesuffix(".html").split("/")[-1] for link in links] == [
            link if f"notebooks/{link}.html" != name else "#" for link in names
        ], name


def test_one_can_walk_from_the_first_page_to_the_last_and_back(real):
    way, name = [], "index.html"
    while link := pages(real)[name].select_one("link[rel=next]"):
        way.append(link["href"].split("/")[-1])
        back = pages(real)[f"notebooks/{way[-1]}"].select_one("link[rel=prev]")["href"]
        assert back.split("/")[-1] == (way[-2] if way[:-1] else "README.html")
        name = f"notebooks/{way[-1]}"
    assert way == [f"{path.stem}.html" for path in sorted(authoring.NOTEBOOKS.glob("*.ipynb"))]


def test_every_stored_picture_is_on_its_page(real):
    for path in authoring.NOTEBOOKS.glob("*.ipynb"):
        outputs = [
            o.get("data", {}) for c in authoring.read(path).cells for o in c.get("outputs", [])
        ]
        stored = [
            o["image/png"].strip()
            for o in outputs
            if set(o) & {"image/png", "text/html"} == {"image/png"}
        ]
        images = pages(real)[f"notebooks/{path.stem}.html"].select("figure > img")
        assert [image["src"].split(",")[1] for image in images] == stored, path.name


def test_words_that_a_cell_printed_or_returned_are_words_and_never_html(small):
    article = pages(small)["notebooks/a.html"].article
    returned, printed = article.select(".output")
    assert (
        returned.get_text()
        == printed.get_text()
        == HOSTILE.replace("\x1b[31m", "").replace("\x1b[0m", "")
    )
    assert not article.select("[onerror]")


def test_only_a_picture_with_controls_says_that_it_moves_and_descriptions_are_escaped(small):
    still, moving, _ = pages(small)["notebooks/b.html"].select("figure")
    assert still.img["alt"] == 'picture: 1 < "2"' and still.figcaption is None
    assert "python run.py lab" in moving.figcaption.get_text()


@pytest.mark.parametrize("still", ["", "More.\n\n![still](s.png)\n\n"])
def test_the_front_page_shows_the_first_live_picture_in_place_of_its_still(still):
    alive = picture("[picture: p]", **{live.LIVE: {"state": {}}})
    notebooks = {"notebooks/a": new_notebook(cells=[alive, picture("[picture: q]")])}
    found = front_page(f"# T\n\nWords.\n\n{still}End.", notebooks)
    assert found.count('class="live"') == 1 and "s.png" not in found
    assert found.index("Words.") < found.index('class="live"') < found.index("End.")


def test_a_picture_has_half_the_width_of_its_sharp_pixels(small):
    assert pages(small)["notebooks/b.html"].select_one("figure img")["width"] == "200"


def test_checks_and_plotting_code_are_folded_and_what_they_show_is_not(small):
    page = pages(small)["notebooks/b.html"].article
    folds = page.select("details.folded")
    assert [fold.summary.get_text() for fold in folds] == ["The code of the picture", "Checks"]
    assert [fold.pre.get_text().strip() for fold in folds] == ["draw()", "assert 1"]
    assert (
        not page.select("details figure, details[open]") and len(page.select("div.highlight")) == 4
    )


def test_solutions_stay_folded_with_their_code_in_colour(small, real):
    solution = pages(small)["notebooks/b.html"].select_one("details")
    assert solution.summary.get_text() == "Solution" and solution.select_one(".highlight .mi")
    for path in authoring.NOTEBOOKS.glob("*.ipynb"):
        source = "\n".join(cell.source for cell in authoring.read(path).cells)
        folded = pages(real)[f"notebooks/{path.stem}.html"].select("details:not(.folded)")
        assert len(folded) == source.count("<details>"), path.name


def test_linked_files_come_along_and_markdown_becomes_a_page(small):
    (copied,) = small.rglob("t.csv")
    assert copied.read_text() == "1,2"
    assert pages(small)["data/README.html"].h1.get_text().startswith("Data")


def test_an_export_takes_the_place_of_the_last_one_and_leaves_nothing_beside_it(tmp_path):
    root = project(tmp_path, a=[text("# A")], b=[text("# B")])
    export(root / "site", root)
    (root / "notebooks" / "b.ipynb").unlink()
    export(root / "site", root)
    assert [path.name for path in (root / "site" / "notebooks").iterdir()] == ["a.html"]
    assert {path.name for path in root.iterdir()} == {"notebooks", "data", "README.md", "site"}


@pytest.mark.parametrize("name", ["mine.txt", "index.html"])
def test_files_that_were_not_written_this_way_are_not_lost(tmp_path, name):
    folder = tmp_path / "site"
    with replaced(folder) as fresh:
        (fresh / "index.html").write_text("a page")
    (folder / name).write_text("my work")
    with pytest.raises(ValueError, match=f"{name} is not as the export wrote it"), replaced(folder):
        pass
    assert (folder / name).read_text() == "my work"
    with pytest.raises(ValueError, match="is no folder"), replaced(folder / name):
        pass


def test_an_export_that_breaks_off_leaves_the_last_one_whole(tmp_path):
    folder = tmp_path / "site"
    with replaced(folder) as fresh:
        (fresh / "page.html").write_text("first")
    with suppress(KeyboardInterrupt), replaced(folder) as fresh:
        (fresh / "page.html").write_text("half")
        raise KeyboardInterrupt
    assert (folder / "page.html").read_text() == "first"
    assert list(tmp_path.iterdir()) == [folder]


def test_a_notebook_is_run_if_it_mentions_an_anywidget_or_what_makes_one(tmp_path):
    library = "import anywidget\nclass Explorer(anywidget.AnyWidget): ...\ndef explore():\n    return Explorer()\n"
    (tmp_path / "explorer.py").write_text(library + "def other():\n    return 'Explorer'\n")
    assert live.live_names(tmp_path) == {"AnyWidget", "Explorer", "explore"}
    assert live.wants_a_run(new_notebook(cells=[new_code_cell("class My(AnyWidget): ...")]))
    assert live.wants_a_run(new_notebook(cells=[new_code_cell("AttentionExplorer(model)")]))
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
    assert asked[0][:3] == ["python", "-m", "gptlib.instruments.publish.site"]
