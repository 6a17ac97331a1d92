"""The one error a user's own mistake raises.

Its text is one line: what was expected, what came, what to do next. The command line prints that line and exits
with code 2; anything else that is raised is a fault of ours and keeps its trace.
"""


class InputError(ValueError):
    """Something the user named, wrote or chose cannot be used."""
