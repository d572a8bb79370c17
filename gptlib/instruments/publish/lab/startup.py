# Python runs this at the start of each kernel of `run.py lab`, which names it in PYTHONSTARTUP.
if "get_ipython" in globals():
    from gptlib.instruments.show import hints

    hints.install(get_ipython())  # noqa: F821
    del hints
