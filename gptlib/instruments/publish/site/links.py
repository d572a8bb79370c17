"""Where the links of the notebooks lead inside the site: to another page, to a copied file, or out to the web."""

from urllib.parse import quote, unquote, urlsplit


class Links:
    """What the site has for each file of the project.

    root: the project. lectures: the notebooks in order. pages: {path: name of its page}. files: {path: name of its
    copy}. documents: the Markdown files that somebody links to, which want a page of their own.
    """

    def __init__(self, root):
        self.root = root.resolve()
        self.lectures = sorted((self.root / "notebooks").glob("*.ipynb"))
        self.pages = {path: f"{path.stem}.html" for path in self.lectures}
        self.pages[self.root / "README.md"] = "index.html"
        self.files = {}
        self.documents = []

    def resolve(self, source, url, picture=False):
        """url, which the file source holds, as the site needs it. A picture must lie in the project."""
        parts = urlsplit(url)
        if picture and parts.scheme != "data" and (parts.scheme or parts.netloc):
            raise ValueError(f"the picture {url} lies on another host; keep it in the project")
        if parts.scheme or parts.netloc or not parts.path:
            return url
        name = self.name_of(self.target(source, parts.path), url)
        fragment = f"#{parts.fragment}" if parts.fragment and name != "index.html" else ""
        return quote(name) + fragment

    def target(self, source, path):
        """The file that a relative path in source means; a folder stands for its README."""
        target = (source.parent / unquote(path)).resolve()
        return target / "README.md" if target.is_dir() else target

    def name_of(self, target, url):
        """The name in the site of a file of the project."""
        if target in self.pages:
            return self.pages[target]
        if not target.is_file() or not target.is_relative_to(self.root):
            raise ValueError(f"the link {url} leads to no file of the project; mend or remove it")
        name = target.relative_to(self.root).as_posix()
        if target.suffix == ".md":
            self.pages[target] = name.removesuffix(".md").replace("/", "-") + ".html"
            self.documents.append(target)
            return self.pages[target]
        self.files[target] = f"files/{name}"
        return self.files[target]
