"""For kernels: what to do about an error that has little to do with the cell that shows it, and a calm end of Stop."""

import sys

NOT_RUN = (
    "{} is made by a cell that has not run since the kernel was started, or it is misspelled. "
    "In the menu, Run → Run All Above Selected Cell runs what is missing."
)
STOPPED = "\nstopped in line {} of this cell; run it again to start it over"


def after_cell(result):
    """Behind a NameError, say what to run; result is IPython's of a cell."""
    problem = result.error_in_exec
    if isinstance(problem, NameError) and not isinstance(problem, UnboundLocalError):
        print(NOT_RUN.format(problem.name or "This name"))


def stopped(shell, kind, problem, trace, tb_offset=None):
    """In place of the traceback of an interrupt, which leads into whatever was being computed, say where it was."""
    while trace and trace.tb_frame.f_globals is not shell.user_ns:
        trace = trace.tb_next
    print(STOPPED.format(trace.tb_lineno if trace else "?"))


def calm_interrupts(shell=None):
    """Have shell, IPython's present one if there is one, show no traceback when a cell is interrupted.

    The cell counts as failed all the same, so nothing that was to run after it runs. Handlers of others stay.
    """
    if shell is None and "IPython" in sys.modules:
        shell = sys.modules["IPython"].get_ipython()
    if shell is not None and not shell.custom_exceptions:
        shell.set_custom_exc((KeyboardInterrupt,), stopped)


def install(shell):
    """Have the IPython shell do all this."""
    shell.events.register("post_run_cell", after_cell)
    calm_interrupts(shell)
