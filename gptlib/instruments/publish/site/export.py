"""All notebooks of a project as pages in a folder, with an index, style sheet and the files that they link to."""

import shutil
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pygments.formatters import HtmlFormatter

from gptlib.instruments.publish import authoring
from gptlib.instruments.publish.site import body, live
from gptlib.instruments.publish.site.folder import check_ours, replaced
from gptlib.instruments.publish.site.links import Links

HERE = Path(__file__).parent
CODE_COLOURS = {"light": "vs", "dark": "github-dark"}


def export(folder, root=authoring.ROOT, say=lambda words: None):
    """Write the pages of the project root into folder and return the path of the index.

    Only a folder that is new, empty or as an earlier export left it is written to; it is replaced in one piece, or
    left as it was. say is called with the name of each page. What cannot be shown raises ValueError.
    """
    folder = Path(folder).absolute()
    check_ours(folder)
    links = Links(root)
    if not links.lectures:
        raise ValueError(f"there is no notebook in {str(links.root / 'notebooks')!r}")
    index = index_page(links)
    lectures = [told(lecture_page(path, links), say) for path in links.lectures]
    documents = list(document_pages(links))
    with replaced(folder) as fresh:
        write_pages(fresh, index, lectures, documents)
        copy_files(links.files, fresh)
    return folder / index.name


def told(page, say):
    """page, after say has been told of it."""
    say(page.name + (", run for what lives in it" if page.models else ""))
    return page


def index_page(links):
    """The front page: what the README says before its first section."""
    path = links.root / "README.md"
    text = path.read_text(encoding="utf-8") if path.is_file() else "# Notebooks\n"
    return body.document_page(text.split("\n## ")[0], path, links)


def lecture_page(path, links):
    """The page of one notebook; it is run where something in it lives."""
    notebook = authoring.read(path)
    models = live.enliven(notebook, path.parent) if live.wants_a_run(notebook) else {}
    return body.notebook_page(notebook, path, links, models)


def document_pages(links):
    """The pages of Markdown files, as long as a link brings a new one."""
    while links.documents:
        path = links.documents.pop()
        yield body.document_page(path.read_text(encoding="utf-8"), path, links)


def write_pages(folder, index, lectures, documents):
    """Write every page and the style sheet into folder."""
    around = zip([None, *lectures], lectures, [*lectures[1:], None])
    for before, page, after in around:
        write(folder, "page.html", page, index=index, before=before, after=after)
    for page in documents:
        write(folder, "page.html", page, index=index, before=None, after=None)
    write(folder, "index.html", index, lectures=lectures)
    style = (HERE / "site.css").read_text(encoding="utf-8") + code_colours()
    (folder / "site.css").write_text(style, encoding="utf-8")


def write(folder, template, page, **more):
    """Fill a template for page and write it."""
    shapes = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    models = live.embedded(page.models) if page.models else ""
    script = (HERE / "live.js").read_text(encoding="utf-8") if page.models else ""
    text = shapes.get_template(template).render(page=page, models=models, script=script, **more)
    (folder / page.name).write_text(text, encoding="utf-8", newline="\n")


def code_colours():
    """The style sheet for highlighted code, light and dark."""
    sheets = {
        scheme: HtmlFormatter(style=style).get_style_defs(".highlight")
        for scheme, style in CODE_COLOURS.items()
    }
    dark = f"@media screen and (prefers-color-scheme: dark) {{\n{sheets['dark']}\n}}\n"
    return f"\n{sheets['light']}\n{dark}"


def copy_files(files, folder):
    """Copy what the pages link to."""
    for source, name in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)
