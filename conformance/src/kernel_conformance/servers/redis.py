"""Redis servers of our own: durable, with a password, over TCP and TLS."""

import contextlib
import secrets
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from kernel_conformance.outcome import NotRun
from kernel_conformance.provision import program
from kernel_conformance.server import Server, free_port

PACKAGE = "redis-server"
DATABASES = 4096
"""Databases of a server: enough to give every test one of its own."""
CONFIG = """\
bind {host}
port {port}
dir {folder}
unixsocket {folder}/redis.sock
unixsocketperm 700
daemonize no
appendonly yes
appendfsync {fsync}
save ""
databases {databases}
"""
TLS = """\
tls-port {port}
tls-cert-file {folder}/server.crt
tls-key-file {folder}/server.key
tls-ca-cert-file {folder}/server.crt
tls-auth-clients no
"""


class RedisServer(Server):
    """A server in a folder of its own; what it answered ok to survives its being killed.

    Args:
        password: what clients must know; None makes one up, "" lets everybody in.
        fsync: ``always`` survives a power cut, ``everysec`` the death of the process.
        extra: further lines of its configuration, such as ``{"cluster-enabled": "yes"}``.
    """

    def __init__(
        self, *, password: str | None = None, fsync: str = "always", extra: Mapping[str, str] | None = None
    ) -> None:
        super().__init__("", ready=self._answers, before_start=self._configure)
        self.password = secrets.token_hex(8) if password is None else password
        self.tls_port = 0
        self._fsync = fsync
        self._extra = dict(extra or {})
        self._home = Path()

    @property
    def version(self) -> str:
        """What it is, for a report."""
        text = subprocess.run([program(PACKAGE, PACKAGE), "--version"], capture_output=True, text=True, check=True)
        return f"Redis {text.stdout.partition('v=')[2].partition(' ')[0]}"

    @property
    def url(self) -> str:
        """Where a client finds it."""
        return f"redis://{self._login}{self.address[0]}:{self.address[1]}/0"

    @property
    def tls_url(self) -> str:
        """The same over TLS."""
        return f"rediss://{self._login}{self.address[0]}:{self.tls_port}/0?ssl_ca_certs={self.authority}"

    @property
    def socket_url(self) -> str:
        """The same by its socket file."""
        return f"redis+socket://{self._login}{self._home}/redis.sock?virtual_host=0"

    @property
    def authority(self) -> Path:
        """The certificate to trust."""
        return self._home / "server.crt"

    def start(self) -> None:
        """Start it; see :meth:`Server.start`."""
        self._command = f"{program(PACKAGE, PACKAGE)} {{dir}}/redis.conf"
        super().start()

    def ask(self, *words: str) -> str:
        """Send one command, past every plugin; the reply as text."""
        tool = program("redis-cli", "redis-tools")
        host, port = self.address
        login = ["-a", self.password, "--no-auth-warning"] if self.password else []
        done = subprocess.run(
            [tool, "-h", host, "-p", str(port), *login, *words], capture_output=True, text=True, check=True, timeout=30
        )
        return done.stdout.strip()

    @property
    def _login(self) -> str:
        return f":{self.password}@" if self.password else ""

    def _configure(self, folder: Path) -> None:
        self._home = folder
        file = folder / "redis.conf"
        if file.exists():
            return
        self.tls_port = free_port()
        _certify(folder)
        host, port = self.address
        text = CONFIG.format(host=host, port=port, folder=folder, fsync=self._fsync, databases=DATABASES)
        text += TLS.format(port=self.tls_port, folder=folder)
        if self.password:
            text += f"requirepass {self.password}\n"
        file.write_text(text + "".join(f"{key} {value}\n" for key, value in self._extra.items()))

    def _answers(self, address: tuple[str, int]) -> bool:
        """Whether it has loaded its data."""
        with contextlib.suppress(OSError), socket.create_connection(address, timeout=0.5) as connection:
            login = f"AUTH {self.password}\r\n" if self.password else ""
            connection.sendall(f"{login}PING\r\n".encode())
            said = b""
            while not said.endswith(b"\n") or said.count(b"\n") < 1 + bool(login):
                data = connection.recv(4096)
                if not data:
                    return False
                said += data
            return said.endswith(b"+PONG\r\n")
        return False


def _certify(folder: Path) -> None:
    """Make a key and a certificate for the loopback address that signs itself."""
    command: list[str | Path] = [
        *(program("openssl", "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-days", "3650", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
        *("-keyout", folder / "server.key", "-out", folder / "server.crt"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotRun(f"no certificate for the test server can be made: {done.stderr.strip()[-300:]}")
