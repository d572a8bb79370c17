"""The exercises' checks, and how far a reader has come."""
