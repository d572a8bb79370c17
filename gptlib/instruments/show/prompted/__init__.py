"""What the explorer and the walk share: a prompt that Python answers, and their scripts joined into one module."""
