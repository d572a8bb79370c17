"""The notebooks as pages for the browser that work offline from the file system: `python run.py html [FOLDER]`.

`formulas` turns LaTeX into MathML, `links` says where a link leads, `text` turns Markdown into HTML and `body` a whole
notebook, `live` keeps anywidgets moving without a kernel, `folder` puts all of it in place in one piece, and `export`
calls them in turn.
"""
