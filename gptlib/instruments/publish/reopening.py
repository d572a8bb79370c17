"""For the server of `run.py lab`: a notebook that is opened again, without its kernel, shows its still pictures."""

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from gptlib.instruments.publish.authoring import WIDGET_VIEW


def without_live_views(notebook):
    """Take the views of widgets out of a notebook's outputs; what stands beside them is shown then."""
    for cell in notebook["cells"]:
        if "outputs" in cell:
            for output in cell["outputs"]:
                output.get("data", {}).pop(WIDGET_VIEW, None)
            cell["outputs"] = [output for output in cell["outputs"] if output.get("data") != {}]


class Notebooks(AsyncLargeFileManager):
    """Reads and writes files as JupyterLab does; a notebook whose kernel is gone comes without views of its widgets.

    They would say "Error displaying widget". While the kernel lives, a page that is loaded anew has live ones again.
    """

    async def get(self, path, content=True, *arguments, **options):
        model = await super().get(path, content, *arguments, **options)
        if content and model["type"] == "notebook" and not await self.has_kernel(path):
            without_live_views(model["content"])
        return model

    async def has_kernel(self, path):
        """Whether a kernel runs for the notebook at path."""
        sessions = await self.parent.session_manager.list_sessions()
        return any(session["path"].strip("/") == path.strip("/") for session in sessions)
