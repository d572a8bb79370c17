"""For the kernels of `run.py lab`: what to do about an error that has little to do with the cell that shows it."""

NOT_RUN = (
    "{} is made by a cell that has not run since the kernel was started, or it is misspelled. "
    "In the menu, Run → Run All Above Selected Cell runs what is missing."
)


def after_cell(result):
    """Behind a NameError, say what to run; result is IPython's of a cell."""
    problem = result.error_in_exec
    if isinstance(problem, NameError) and not isinstance(problem, UnboundLocalError):
        print(NOT_RUN.format(problem.name or "This name"))


def install(shell):
    """Have the IPython shell do this after every cell."""
    shell.events.register("post_run_cell", after_cell)
