"""``serializer="signed"``: any serializer's bytes, signed with a shared secret, and encrypted when asked for."""

from collections.abc import Callable
from typing import Any, ClassVar

from kernel.contracts.serializer import Buffer, DecodeLimits, FormatContext, Serializer
from kernel.errors import DecodeError, EncodeError, ImproperlyConfigured
from plugin_serializer_signed.envelope import seal, unseal
from plugin_serializer_signed.inside import Inside, whole
from plugin_serializer_signed.keyring import KeyRing

LEEWAY_S = 60.0
"""Seconds by which the clock of a signer may be ahead, where the age of messages is bounded."""


class Seal:
    """What one application signs and opens messages with.

    Args:
        context: with the options of the plugin.

    Raises:
        ImproperlyConfigured: for options that cannot work.
    """

    def __init__(self, context: FormatContext) -> None:
        options: Any = context.options
        self.keys = KeyRing(options["keys"], options["sign_with"])
        self.inside = Inside(options["serializer"], options["accept"], context.serializers)
        self.clock: Callable[[], float] = context.clock
        self.encrypts: bool = options["encrypt"]
        self._max_age: float | None = options["max_age"]
        if self._max_age is not None and self._max_age <= 0:
            raise ImproperlyConfigured(f"max_age is {self._max_age!r}, not a number of seconds above 0")

    def close(self, obj: object) -> bytes:
        """The message of a value."""
        inner = self.inside.writer
        body = inner.dumps(obj)
        return seal(self.keys.signer, inner.content_type, self.clock(), body, encrypt=self.encrypts)

    def open(self, data: bytes, limits: DecodeLimits) -> object:
        """The value of a message."""
        opened = unseal(self.keys, data)
        self._check_age(self.clock() - opened.signed_at)
        return self.inside.read(opened.content_type, opened.body, limits)

    def _check_age(self, age: float) -> None:
        if self._max_age is None:
            return
        if age > self._max_age:
            raise DecodeError(
                f"The message was signed {age:,.0f} seconds ago, more than max_age of {self._max_age:g} allows",
                cure="It may have been replayed; else raise max_age above what messages and results wait.",
            )
        if age < -LEEWAY_S:
            raise DecodeError(
                f"The message was signed {-age:,.0f} seconds in the future", cure="Set the clocks of the machines."
            )


class SignedSerializer(Serializer):
    """Signs what another serializer writes, and decodes nothing whose signature it has not found good.

    What it carries is what the serializer inside carries. Equal values give other bytes, as the time is among them.

    Args:
        keeper: made by :meth:`configured`; None signs and reads nothing.
    """

    name: ClassVar[str] = "signed"
    content_type: ClassVar[str] = "application/x-kernel-signed"
    content_encoding: ClassVar[str] = "binary"
    safe: ClassVar[bool] = True
    types: ClassVar[frozenset[str]] = frozenset()
    canonical: ClassVar[bool] = False

    def __init__(self, keeper: Seal | None = None) -> None:
        self._keeper = keeper

    def configured(self, context: FormatContext) -> Serializer:
        """The serializer with the keys of the application.

        Raises:
            ImproperlyConfigured: for options that cannot work; without keys only when a setting names it.
        """
        if not context.options["keys"] and not context.needed:
            return self
        return SignedSerializer(Seal(context))

    def hides(self) -> bool:
        """Whether it encrypts."""
        return self._keeper is not None and self._keeper.encrypts

    def dumps(self, obj: object) -> bytes:
        """Encode with the serializer inside, and sign.

        Raises:
            EncodeError: for what that serializer cannot carry, naming its path, and without keys.
        """
        if self._keeper is None:
            raise EncodeError("There are no keys to sign with", cure=_NO_KEYS)
        return self._keeper.close(obj)

    def loads(self, data: Buffer, limits: DecodeLimits) -> object:
        """Verify, then decode with the serializer inside.

        Raises:
            DecodeError: for an unknown key, a message that was changed or is too old, a content type inside that is
                not accepted, all before anything inside is decoded; and for what the serializer inside refuses.
        """
        message = whole(data, limits)
        if self._keeper is None:
            raise DecodeError("There are no keys to verify with", cure=_NO_KEYS)
        return self._keeper.open(message, limits)


_NO_KEYS = "Give them in plugin_options, as {'serializer.signed': {'keys': {name: secret}}}."
