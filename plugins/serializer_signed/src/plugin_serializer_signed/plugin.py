"""The plugins ``serializer.signed`` and ``serializer.auth``."""

from collections.abc import Mapping

from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import Manifest, Option
from kernel.contracts.serializer import Serializer
from plugin_serializer_signed.auth import AuthSerializer
from plugin_serializer_signed.signed import SignedSerializer

_CONTRACTS: Mapping[str, str] = {"serializer": "1.1"}
_INSIDE: Mapping[str, Option] = {
    "serializer": Option(str, "json", "name of the serializer that writes what is signed"),
    "accept": Option((list, tuple), (), "names of further serializers whose bytes may be inside"),
}


class SignedPlugin:
    """Provides ``signed``."""

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """Its options stand in setting ``plugin_options``, under ``serializer.signed``."""
        options = {
            "keys": Option(
                (dict, Mapping), {}, "name of a key and its secret, or file:PATH; newest first", secret=True
            ),
            "sign_with": Option(str, "", "name of the key that signs; empty for the first of keys"),
            "encrypt": Option(bool, False, "encrypt what is written; what is read may be either"),
            "max_age": Option((int, float), None, "seconds after signing when a message is refused; None is never"),
        }
        return Manifest("serializer.signed", _CONTRACTS, options={**options, **_INSIDE})

    @hookimpl
    def kernel_serializers(self) -> list[Serializer]:
        """The one."""
        return [SignedSerializer()]


class AuthPlugin:
    """Provides ``auth``; its keys and certificates are named by the settings of ``security_*``."""

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """Its options stand in setting ``plugin_options``, under ``serializer.auth``."""
        return Manifest("serializer.auth", _CONTRACTS, options=_INSIDE)

    @hookimpl
    def kernel_serializers(self) -> list[Serializer]:
        """The one."""
        return [AuthSerializer()]


signed = SignedPlugin()
auth = AuthPlugin()
