"""The one place that knows which devices there are; everything else is handed one."""

import torch


def best_device():
    """'cuda' if there is a usable NVIDIA or AMD GPU, else 'mps' on an Apple chip, else 'cpu'."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def device_of(model):
    """The device of model's first parameter; 'cpu' for a model without any."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
