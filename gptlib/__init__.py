"""What the notebooks build, one idea a file; instruments/ looks, measures and checks."""
