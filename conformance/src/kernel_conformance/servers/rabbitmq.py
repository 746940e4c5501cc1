"""A rabbitmq-server of our own: free ports on 127.0.0.1, a folder for everything, nothing of the packaged service."""

import contextlib
import os
import re
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kernel_conformance.outcome import NotRun
from kernel_conformance.provision import program
from kernel_conformance.server import Server, free_port

PACKAGE: Final = "rabbitmq-server"
BEHIND_WRAPPER: Final = Path("/usr/lib/rabbitmq/bin")
"""Where Debian keeps the real scripts; those on PATH switch to a user of their own."""
USER: Final = "tester"
PASSWORD: Final = "opensesame"
HOST: Final = "127.0.0.1"
START_S: Final = 180.0
CTL_S: Final = 180.0
_GREETING: Final = b"AMQP\x00\x00\x09\x01"

_CONFIG: Final = """\
listeners.tcp.1 = {host}:{port}
listeners.ssl.1 = {host}:{tls_port}
ssl_options.cacertfile = {dir}/ca.pem
ssl_options.certfile = {dir}/server.pem
ssl_options.keyfile = {dir}/server.key
ssl_options.verify = verify_none
ssl_options.fail_if_no_peer_cert = false
default_user = {user}
default_pass = {password}
log.file = false
log.console = true
log.console.level = warning
disk_free_limit.absolute = 10MB
{more}
"""


def greets(address: tuple[str, int]) -> bool:
    """Whether a server there answers the greeting of AMQP 0-9-1 with its first frame."""
    try:
        with socket.create_connection(address, timeout=1.0) as connection:
            connection.settimeout(5.0)
            connection.sendall(_GREETING)
            return connection.recv(1) == b"\x01"
    except OSError:
        return False


class RabbitMQ(Server):
    """One node with TCP and TLS listeners, a user with a password, and an epmd of its own.

    Killing it kills the Erlang machine at once, as a power cut would; a restart finds the same ports and data.

    Args:
        config: further lines of ``rabbitmq.conf``.
        advanced: settings of Erlang's application ``rabbit`` that have no place there, such as
            ``{channel_tick_interval, 1000}``.

    Attributes:
        user: who may connect, with ``password``.
        tls_port: where TLS is spoken; the certificate is for ``127.0.0.1`` and ``localhost``, signed by ``authority``.
    """

    user = USER
    password = PASSWORD

    def __init__(self, config: str = "", advanced: str = "") -> None:
        super().__init__("{dir}/serve", ready=greets, start_s=START_S, before_start=self._prepare)
        self._more = config
        self._advanced = advanced
        self._epmd: subprocess.Popen[bytes] | None = None
        self._variables: dict[str, str] = {}
        self._home = Path()
        self.tls_port = 0

    @property
    def url(self) -> str:
        """Where it listens, with its user."""
        return f"amqp://{USER}:{PASSWORD}@{HOST}:{self.address[1]}//"

    @property
    def authority(self) -> Path:
        """The certificate of the authority that signed the server's."""
        return self._home / "ca.pem"

    @property
    def other_authority(self) -> Path:
        """The certificate of an authority that signed nothing here."""
        return self._home / "other.pem"

    @property
    def version(self) -> str:
        """What the report calls it, such as ``RabbitMQ 3.10.8``."""
        script = _script("rabbitmq-server")
        found = re.search(r"rabbitmq_server-(\d[\d.]*\d)", str(script.resolve()))
        return f"RabbitMQ {found[1]}" if found else "RabbitMQ"

    def stop(self) -> None:
        """End the node and its epmd, and remove the folder: whatever it kept was a test's."""
        self.kill()
        epmd, self._epmd = self._epmd, None
        if epmd is not None:
            epmd.kill()
            epmd.wait(10)
        self._variables = {}
        super().stop()

    def control(self, *words: str) -> str:
        """Run ``rabbitmqctl`` on this node; what it printed.

        Raises:
            RuntimeError: it failed.
        """
        command = [str(_script("rabbitmqctl")), "--quiet", *words]
        done = subprocess.run(
            command, env=self._environment(), capture_output=True, text=True, timeout=CTL_S, check=False
        )
        if done.returncode:
            raise RuntimeError(f"rabbitmqctl {' '.join(words)}: {done.stderr or done.stdout}"[:500])
        return done.stdout

    def raise_alarm(self) -> None:
        """Let the node believe that it has no memory left: it blocks every connection that publishes."""
        self.control("set_vm_memory_high_watermark", "0")
        self._await_alarms(raised=True)

    def clear_alarm(self) -> None:
        """Let it go on."""
        self.control("set_vm_memory_high_watermark", "0.4")
        self._await_alarms(raised=False)

    def _await_alarms(self, *, raised: bool) -> None:
        """The node looks at its memory once in a second."""
        end = time.monotonic() + CTL_S
        while (self.control("eval", "rabbit_alarm:get_alarms().").strip() != "[]") is not raised:
            if time.monotonic() > end:
                raise RuntimeError(f"the alarm did not become {raised}")

    def _environment(self) -> Mapping[str, str]:
        return {**os.environ, **self._variables}

    def _prepare(self, folder: Path) -> None:
        """Before every start: the files at the first one, and an epmd that lives."""
        if not self._variables:
            self._lay_out(folder)
        if self._epmd is None or self._epmd.poll() is not None:
            self._start_epmd()

    def _lay_out(self, folder: Path) -> None:
        self._home = folder
        self.tls_port = free_port()
        port = self.address[1]
        _make_certificates(folder)
        more = self._more
        (folder / "rabbitmq.conf").write_text(
            _CONFIG.format(
                host=HOST, port=port, tls_port=self.tls_port, dir=folder, user=USER, password=PASSWORD, more=more
            )
        )
        (folder / "enabled_plugins").write_text("[].\n")
        (folder / "advanced.config").write_text(f"[{{rabbit, [{self._advanced}]}}].\n")
        serve = folder / "serve"
        # Where it runs Erlang's database leaves a file when it breaks down.
        serve.write_text(f'#!/bin/sh\ncd "{folder}" && exec "{_script("rabbitmq-server")}"\n')
        serve.chmod(0o755)
        self._variables = {
            "HOME": str(folder),  # the cookie of Erlang is kept there
            "RABBITMQ_NODENAME": f"test{port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_CRASH_DUMP": str(folder / "crash.dump"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "no-such-file"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RUNNING_UNDER_SYSTEMD": "true",  # then the script becomes the Erlang machine instead of its parent
        }
        self._env = self._variables

    def _start_epmd(self) -> None:
        """Before the node would start one that outlives it."""
        port = self._variables["ERL_EPMD_PORT"]
        self._epmd = subprocess.Popen(
            [str(program("epmd", PACKAGE)), "-port", port, "-address", HOST],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 10
        while time.monotonic() < end and self._epmd.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection((HOST, int(port)), timeout=0.5):
                return
            time.sleep(0.02)
        raise NotRun("epmd, the port mapper of Erlang, does not start")


def _script(name: str) -> Path:
    found = program(name, PACKAGE)
    behind = BEHIND_WRAPPER / name
    return behind if behind.exists() else found


def _make_certificates(folder: Path) -> None:
    """An authority, the server's certificate signed by it, and an authority nobody uses."""
    openssl = str(program("openssl", "openssl"))
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650"]
    for name in ("ca", "other"):
        _run(openssl, "req", "-x509", *key, "-subj", f"/CN=test {name}", "-keyout", f"{folder}/{name}.key",
             "-out", f"{folder}/{name}.pem", "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
    extensions = folder / "server.ext"
    extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    _run(openssl, "req", *key, "-subj", "/CN=localhost", "-keyout", f"{folder}/server.key",
         "-out", f"{folder}/server.csr")  # fmt: skip
    _run(openssl, "x509", "-req", "-days", "3650", "-in", f"{folder}/server.csr", "-CA", f"{folder}/ca.pem",
         "-CAkey", f"{folder}/ca.key", "-CAcreateserial", "-extfile", str(extensions),
         "-out", f"{folder}/server.pem")  # fmt: skip


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotRun(f"no certificates for the server: {done.stderr[-300:]}")
