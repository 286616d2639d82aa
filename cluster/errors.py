"""What can go wrong outside the science. The texts are for the user."""


class ClusterError(Exception):
    """The place where the work should run cannot be used: says what is wrong, and what to do."""


class StoreError(ClusterError):
    """A file could not be read or written: names the path, what happened, and what to do."""
