"""Before anything is installed: find or make the Python environment. Standard library only."""


class UserError(Exception):
    """Something the user can mend; printed as it stands, without a traceback."""
