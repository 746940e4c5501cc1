"""Speaking TLS to the servers."""

import socket
import ssl
from collections.abc import Mapping

from kernel.errors import Code, DriverError

_FILES = ("tls_ca", "tls_cert", "tls_key")


class Tls:
    """What the options say; the files are read when the first connection is made.

    Args:
        options: of the driver.

    Raises:
        DriverError: INVALID for a key without a certificate.
    """

    def __init__(self, options: Mapping[str, object]) -> None:
        given = {name: options.get(name) for name in _FILES}
        self._files = {name: str(value) for name, value in given.items() if value is not None}
        self._check_hostname = bool(options.get("tls_check_hostname", True))
        self._context: ssl.SSLContext | None = None
        if "tls_key" in self._files and "tls_cert" not in self._files:
            raise DriverError(Code.INVALID, "Option tls_key without tls_cert", cure="Give the certificate, too.")

    def wrap(self, connected: socket.socket, host: str) -> ssl.SSLSocket:
        """The connection, encrypted, once the server has proven who it is.

        Raises:
            OSError: when it has not, or the connection breaks.
            DriverError: INVALID for files that cannot be used.
        """
        if self._context is None:
            self._context = self._made()
        return self._context.wrap_socket(connected, server_hostname=host)

    def _made(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self._files.get("tls_ca"))
            if "tls_cert" in self._files:
                context.load_cert_chain(self._files["tls_cert"], self._files.get("tls_key"))
        except (OSError, ValueError) as error:
            raise DriverError(
                Code.INVALID,
                f"The files of {', '.join(self._files) or 'the system'} cannot be used: {error}",
                cure="Correct the options tls_ca, tls_cert and tls_key.",
            ) from error
        context.check_hostname = self._check_hostname
        return context


def tls_of(options: Mapping[str, object]) -> Tls | None:
    """How to speak TLS; None when the option ``tls`` does not ask for it.

    Raises:
        DriverError: INVALID for options that have no effect.
    """
    if options.get("tls"):
        return Tls(options)
    idle = [name for name in _FILES if options.get(name) is not None]
    if idle:
        raise DriverError(Code.INVALID, f"Option {idle[0]} without tls", cure="Set tls to true, or leave it out.")
    return None
