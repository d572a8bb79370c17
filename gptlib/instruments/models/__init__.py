"""Trained models: the pretrained ones, files on disk, what goes on inside them, and twins that are faster."""
