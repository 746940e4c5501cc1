"""The root of the exception tree."""


class KernelError(Exception):
    """Something the kernel or a plugin reports: what happened, and what to do about it.

    ``code`` is stable and searchable (documented in ``docs/errors.md``); ``cure`` is one sentence that tells
    the reader what to do, or ``""`` when nothing useful can be said. ``args`` stay what the caller gave, so
    that an exception survives the trip through a result store unchanged (wire.md 10.1).
    """

    code: str = "KERNEL"
    cure: str = ""

    def __init__(self, *args: object, cure: str = "") -> None:
        super().__init__(*args)
        if cure:
            self.cure = cure
            self.add_note(cure)  # so that a plain traceback shows it, too

    def one_line(self) -> str:
        """What a terminal shows: the message, then the cure, on a single line."""
        text = " ".join(str(self).split()) or type(self).__name__
        if not self.cure:
            return text
        return f"{text} {self.cure}" if text.endswith((".", "!", "?", ":")) else f"{text}. {self.cure}"
