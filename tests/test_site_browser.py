"""A page with a live widget, opened from the file system in a browser without any network."""

import pytest
from browser import chromium
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from gptlib.instruments.publish import authoring
from gptlib.instruments.publish.site.book import export

TOY = '''
import anywidget, traitlets
from gptlib.instruments.publish.authoring import WIDGET_VIEW

class Toy(anywidget.AnyWidget):
    _esm = """
    // ends no script: </script>
    export default {
      render({ model, el }) {
        const button = document.createElement("button"), words = document.createElement("output");
        const weights = model.get("weights");
        const say = () => (words.textContent =
          [model.get("count"), model.get("live"), weights.getUint8(2), model.get("name")].join(" "));
        model.on("change:count", say);
        button.onclick = () => { model.set("count", model.get("count") + 1); model.save_changes(); };
        say();
        el.append(button, words);
      },
    };"""
    _css = "output { color: rgb(1, 2, 3) }"
    count = traitlets.Int(3).tag(sync=True)
    live = traitlets.Bool(True).tag(sync=True)
    name = traitlets.Unicode("</script>").tag(sync=True)
    weights = traitlets.Bytes(bytes([7, 8, 255])).tag(sync=True)

    def _repr_mimebundle_(self, **_):
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        return {WIDGET_VIEW: view, "image/png": "STILL", "text/plain": "toy"}
'''
STILL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

FORMULA = r"$$\frac{QK^\top}{\sqrt{D}} = " + " + ".join(20 * ["a"]) + "$$"
ROW = "| a | long | row " * 9
WIDE = f"\n\n{ROW}|\n{'|---' * 27}|\n{ROW}|\n\n"
SOLUTION = "<details><summary>Solution</summary>\n\nSo.\n\n</details>\n\n**2.** Next."


def stored(source):
    """A cell with the outputs that a refreshed notebook keeps of a toy."""
    data = {"image/png": STILL, "text/plain": "toy"}
    output = new_output("execute_result", data, execution_count=1)
    return new_code_cell(source, execution_count=1, outputs=[output])


def exported(root, **notebooks):
    """The folder of an exported project with these notebooks, {name: cells}."""
    (root / "notebooks").mkdir()
    (root / "README.md").write_text("# Front\n\nWords.")
    for name, cells in notebooks.items():
        authoring.write(new_notebook(cells=cells), root / "notebooks" / f"{name}.ipynb")
    export(root / "site", root)
    return root / "site"


@pytest.fixture(scope="module")
def page_path(tmp_path_factory):
    """The exported page of a notebook with two toys, the second with a count of its own, and a wide formula."""
    built = new_code_cell(TOY.replace("STILL", STILL), execution_count=1)
    words = new_markdown_cell(f"# Toys\n\nA perplexing word.\n\n{FORMULA}{WIDE}{SOLUTION}")
    cells = [words, built, stored("Toy()"), stored("Toy(count=10)")]
    return exported(tmp_path_factory.mktemp("toy"), toys=cells) / "notebooks" / "toys.html"


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


def opened(browser, path, **options):
    """(page, what it complained of): path opened without a network; a request to a host is a complaint too."""
    context, complaints = browser.new_context(**options), []
    context.set_offline(True)

    def gate(route):
        if route.request.url.startswith(("file:", "blob:", "data:")):
            return route.continue_()
        complaints.append(route.request.url)
        return route.abort()

    context.route("**/*", gate)
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda problem: complaints.append(str(problem)))
    page.goto(path.as_uri())
    return page, complaints


def test_stored_widgets_answer_for_themselves_without_kernel_and_network(browser, page_path):
    page, complaints = opened(browser, page_path)
    words = page.locator("figure output")
    words.nth(1).wait_for()
    assert words.all_inner_texts() == ["3 false 255 </script>", "10 false 255 </script>"]
    page.locator("figure button").nth(1).click()
    assert words.all_inner_texts() == ["3 false 255 </script>", "11 false 255 </script>"]
    assert words.nth(0).evaluate("tag => getComputedStyle(tag).color") == "rgb(1, 2, 3)"
    assert page.locator("figure img").count() == 0 and complaints == []
    page.context.close()


def test_without_scripts_the_picture_is_there(browser, page_path):
    page, _ = opened(browser, page_path, java_script_enabled=False)
    assert page.locator("figure img").count() == 2
    assert page.locator("figure img").first.is_visible()
    page.context.close()


def test_a_module_that_fails_leaves_the_picture_and_says_why(browser, page_path):
    broken = page_path.with_name("broken.html")
    text = page_path.read_text(encoding="utf-8")
    broken.write_text(text.replace("render({ model, el }) {", "render() { missing();"))
    page, complaints = opened(browser, broken)
    page.wait_for_timeout(300)
    assert page.locator("figure img").count() == 2 and page.locator(".stage").count() == 0
    assert "missing is not defined" in complaints[0]
    page.context.close()


def test_a_fraction_is_drawn_over_two_lines(browser, page_path):
    page, _ = opened(browser, page_path)
    above, below = (page.locator("mfrac > *").nth(i).bounding_box() for i in (0, 1))
    assert above["y"] + above["height"] <= below["y"] + 1 and below["height"] > 5
    page.context.close()


def test_the_next_exercise_stands_apart_from_a_solution(browser, page_path):
    page, _ = opened(browser, page_path)
    above = page.locator("details").bounding_box()
    below = page.get_by_text("2. Next.").bounding_box()
    assert below["y"] - above["y"] - above["height"] >= 16
    page.context.close()


def test_a_phone_scrolls_down_and_never_sideways(browser, page_path):
    page, _ = opened(browser, page_path, viewport={"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    page.context.close()


def test_the_first_live_picture_stands_on_the_front_page(browser, page_path):
    page, complaints = opened(browser, page_path.parents[1] / "index.html")
    page.locator("figure output").wait_for()
    assert page.locator("figure output").inner_text().startswith("3 ") and complaints == []
    page.context.close()


def test_the_search_finds_a_page_from_the_file_system(browser, page_path):
    page, complaints = opened(browser, page_path.parents[1] / "index.html")
    page.get_by_label("Search").fill("perplexing")
    page.get_by_label("Search").press("Enter")
    found = page.locator("#search-results li a")
    found.wait_for()
    assert found.all_inner_texts() == ["Toys"] and complaints == []
    found.click()
    assert page.locator("h1").inner_text() == "Toys"
    page.context.close()


def test_what_does_not_fit_on_a_phone_can_be_scrolled_into_view(browser, page_path):
    page, _ = opened(browser, page_path, viewport={"width": 400, "height": 800})
    for place in (".formula", ".table-wrapper", ".highlight pre"):
        end = page.locator(place).first.evaluate("it => (it.scrollLeft = 1e6, it.scrollLeft)")
        assert end > 50, place
    page.context.close()


EXPLORER = """
from gptlib.instruments.models.pretrained import snapshots
from gptlib.instruments.show.explorer import AttentionExplorer
from gptlib.tokenizer import CharTokenizer

AttentionExplorer(None, CharTokenizer(), "wherefore art thou", steps=snapshots())
"""


@pytest.fixture(scope="module")
def looking(tmp_path_factory):
    """The exported page of a notebook with an explorer."""
    cells = [new_markdown_cell("# Looking"), stored(EXPLORER)]
    return exported(tmp_path_factory.mktemp("looking"), looking=cells) / "notebooks/looking.html"


def test_an_exported_explorer_hovers_locks_compares_and_steps_through_the_training(
    browser, looking
):
    page, complaints = opened(browser, looking)
    explorer = page.locator(".gpt-explorer")
    explorer.wait_for()
    said = lambda: explorer.locator("[aria-live=polite]").inner_text()  # noqa: E731
    explorer.locator("[data-t='4']").first.hover()
    assert said().startswith("position 4 'e', layer 1 head 1")
    explorer.locator(".gpt-explorer-thumbnail").nth(3).click()
    formed = said()
    assert "layer 1 head 4" in formed
    explorer.get_by_label("training step").press("Home")
    assert "layer 1 head 4" in said() and said() != formed
    explorer.get_by_label("compare two heads").check()
    assert said().count("attends to") == 2
    assert explorer.get_by_label("prompt").is_disabled() and complaints == []
    page.context.close()


def test_the_theme_of_the_page_is_the_theme_of_what_lives_in_it(browser, looking):
    page, _ = opened(browser, looking, color_scheme="light")
    colour = "it => getComputedStyle(it).backgroundColor"
    paper = lambda: page.locator(".gpt-explorer").evaluate(colour)  # noqa: E731
    whole = lambda: page.locator("body").evaluate(colour)  # noqa: E731
    page.locator(".gpt-explorer").wait_for()
    light = paper()
    assert light == whole()
    page.evaluate("document.body.dataset.theme = 'dark'")  # what the button beside the title does
    assert paper() == whole() != light
    assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"
    page.context.close()
