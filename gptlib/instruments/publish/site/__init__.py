"""The notebooks as a book of web pages that works offline from the file system: `python run.py html [FOLDER]`.

Sphinx with the theme Furo makes the pages. `text` gives it a notebook as Markdown, `live` keeps anywidgets moving
without a kernel, `formulas` typesets, `folder` puts all of it in place in one piece, and `book` calls them in turn.
"""
