"""What can go wrong, in the user's terms. The command line turns each into one message and an exit code."""


class BadInput(Exception):
    """The request cannot be carried out as it stands; nothing was started. Exit code 2."""


class Unfinished(Exception):
    """A run stopped before its end, or a check failed; what was saved stays. Exit code 3."""
