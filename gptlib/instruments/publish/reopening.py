"""For the server of `run.py lab`: a notebook that is opened again shows still pictures where nothing is live."""

import queue

from ipykernel.ipkernel import IPythonKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from gptlib.instruments.publish.authoring import WIDGET_VIEW

OURS = "python3"  # the kernel of the lectures
PATIENCE = 5  # seconds for a kernel to say what it has; one that is only just starting has nothing
STILL = (
    "*No longer live: the Python behind this has ended. To have it back, choose Run → Run All Above Selected Cell in "
    "the menu, then run this cell.*"
)


def view_in(output):
    """The id of the widget that an output shows, or None."""
    return output.get("data", {}).get(WIDGET_VIEW, {}).get("model_id")


def without_dead_views(notebook, living):
    """Take the views of widgets that are not in living out of notebook; what stands beside is shown, under a note."""
    note = {"output_type": "display_data", "data": {"text/markdown": STILL}, "metadata": {}}
    for cell in notebook["cells"]:
        found = []
        for output in cell.get("outputs", []):
            if (view := view_in(output)) and view not in living:
                del output["data"][WIDGET_VIEW]
                found += [note, output] if output["data"] else []
            else:
                found.append(output)
        if "outputs" in cell:
            cell["outputs"] = found


async def widgets_of(kernel):
    """The ids of the widgets that a kernel holds. It is asked beside what it runs, so it may be busy."""
    client = kernel.client()
    client.start_channels(shell=False, iopub=False, stdin=False, hb=False)
    try:
        client.control_channel.send(client.session.msg("comm_info_request", {}))
        reply = await client.control_channel.get_msg(timeout=PATIENCE)
        return set(reply["content"].get("comms", {}))
    except queue.Empty:
        return set()
    finally:
        client.stop_channels()


class Notebooks(AsyncLargeFileManager):
    """Reads and writes files as JupyterLab does, except for what it shows of widgets that are gone, and of kernels.

    A widget without its kernel would say "Error displaying widget". And JupyterLab writes into each notebook it opens
    which kernel it has: one that already says so does not count as changed by that.
    """

    async def get(self, path, content=True, *arguments, **options):
        model = await super().get(path, content, *arguments, **options)
        if content and model["type"] == "notebook":
            notebook = model["content"]
            if any(view_in(output) for c in notebook["cells"] for output in c.get("outputs", [])):
                without_dead_views(notebook, await self.living(path))
            self.name_kernel(notebook["metadata"])
        return model

    async def living(self, path):
        """The ids of the widgets that the kernel of the notebook at path holds: none if there is none, or a new one."""
        for session in await self.parent.session_manager.list_sessions():
            if session["path"].strip("/") == path.strip("/"):
                return await widgets_of(
                    self.parent.kernel_manager.get_kernel(session["kernel"]["id"])
                )
        return set()

    def name_kernel(self, metadata):
        """Put into a notebook's metadata what JupyterLab will put there once our kernel has started."""
        if metadata.get("kernelspec", {}).get("name") == OURS:
            kernel = self.parent.kernel_spec_manager.get_kernel_spec(OURS)
            words = {"display_name": kernel.display_name, "language": kernel.language}
            metadata["kernelspec"] = {"name": OURS, **words}
            metadata["language_info"] = IPythonKernel.language_info
