"""Ids of results, counters and joins in a file that several namespaces share."""

_MARK = "\x00"
_DEFAULT = "kernel"


class Names:
    """Keys of one namespace. Those of the default namespace are the ids themselves, so its files need no change."""

    def __init__(self, namespace: str) -> None:
        self._prefix = "" if namespace == _DEFAULT else f"{_MARK}{namespace}{_MARK}"

    def key(self, name: str) -> str:
        """The key of an id; two namespaces never have one in common."""
        if self._prefix:
            return self._prefix + name
        # No namespace is empty, so that a doubled mark begins no other namespace's key.
        return f"{_MARK}{_MARK}{name}" if name.startswith(_MARK) else name
