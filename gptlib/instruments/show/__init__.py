"""Pictures: plots, widgets, the attention explorer, the training panel, text as it is written."""
