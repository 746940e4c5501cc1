"""An exception of the kernel worker that no client has imported."""


class Stranger(Exception):
    """Unknown to whoever waits for it."""
