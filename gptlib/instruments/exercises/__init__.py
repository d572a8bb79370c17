"""The exercises of the notebooks, one file each: what grades an answer, and how far a reader has come."""
