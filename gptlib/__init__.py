"""What the notebooks build, one idea a file; instruments/ looks, measures and checks."""

import importlib.abc
import sys

FIRST_EDITION = {
    "gptlib.doors": "gptlib.validate",
    "gptlib.instruments.authoring": "gptlib.instruments.publish.authoring",
    "gptlib.instruments.catalogue": "gptlib.instruments.measure.catalogue",
    "gptlib.instruments.checkpoint": "gptlib.instruments.models.checkpoint",
    "gptlib.instruments.checks": "gptlib.instruments.exercises",
    "gptlib.instruments.device": "gptlib.instruments.models.device",
    "gptlib.instruments.experiments": "gptlib.instruments.measure.experiments",
    "gptlib.instruments.explorer": "gptlib.instruments.show.explorer",
    "gptlib.instruments.fast": "gptlib.instruments.models.fast",
    "gptlib.instruments.growth": "gptlib.instruments.measure.growth",
    "gptlib.instruments.hugging_face": "gptlib.instruments.models.hugging_face",
    "gptlib.instruments.landmarks": "gptlib.instruments.measure.baselines",
    "gptlib.instruments.look": "gptlib.instruments.models.inspection",
    "gptlib.instruments.plots": "gptlib.instruments.show.plots",
    "gptlib.instruments.progress": "gptlib.instruments.show.progress",
    "gptlib.instruments.shipped": "gptlib.instruments.models.pretrained",
    "gptlib.instruments.subwords": "gptlib.instruments.models.subwords",
    "gptlib.instruments.widgets": "gptlib.instruments.show.widgets",
    "gptlib.instruments.write": "gptlib.instruments.show.write",
}


class SaysWhatToDo(importlib.abc.MetaPathFinder):
    """Asked last, for modules that are not found: tells a notebook of the first edition where they are now."""

    def find_spec(self, name, path=None, target=None):
        if name in FIRST_EDITION:
            raise ImportError(  # a ModuleNotFoundError would be swallowed by `from … import …`
                f"This notebook is of the first edition: {name} is {FIRST_EDITION[name]} now. "
                "`python run.py lab` puts this edition's notebooks into my/ beside yours; go on in those, or keep the "
                "first edition's folder for this one."
            )


sys.meta_path.append(SaysWhatToDo())
