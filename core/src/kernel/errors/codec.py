"""Values that cannot become bytes, and bytes that cannot become values."""

from kernel.errors.base import KernelError


class CodecError(KernelError):
    """Base of the errors between values and bytes."""

    code = "CODEC"


class EncodeError(CodecError):
    """A value the chosen serializer cannot carry; the message names its path, as in ``args[2].user``."""

    code = "ENCODE"


class DecodeError(CodecError):
    """Bytes that are not a value of the format they claim, or exceed a bound on size, depth or nodes."""

    code = "DECODE"


class ContentDisallowed(CodecError):
    """The message's content type is not in ``accept_content``, so it is not decoded (features.md 1.10)."""

    code = "CONTENT"
