"""``celery.utils.dispatch.Signal``: for signals of an application's own."""

from collections.abc import Sequence

from kernel.runtime.signal import Signal as KernelSignal


class Signal(KernelSignal):
    """A signal by the parameters of Celery's.

    Args:
        providing_args: names of the arguments receivers get.
        use_caching: has no effect: receivers are a tuple that is gone through.
        name: for messages.
    """

    __slots__ = ()

    def __init__(
        self, providing_args: Sequence[str] | None = None, use_caching: bool = False, name: str | None = None
    ) -> None:
        del use_caching
        super().__init__(name or "", tuple(providing_args or ()))
