"""memcached, with as little memory as it is told, over TCP or TLS."""

import subprocess
from pathlib import Path

from kernel_conformance.outcome import NotRun
from kernel_conformance.provision import program
from kernel_conformance.server import Server

PACKAGE = "memcached"


class MemcachedServer(Server):
    """One server on a port of its own; what it holds is gone when it ends.

    Args:
        memory_mb: megabytes for values; what is stored beyond drives older values out.
        tls: speak TLS only, with a certificate for the loopback address that signs itself.
    """

    def __init__(self, *, memory_mb: int = 64, tls: bool = False) -> None:
        super().__init__("", before_start=self._prepare)
        self._memory_mb = memory_mb
        self._tls = tls
        self._home = Path()

    @property
    def version(self) -> str:
        """What it is, for a report."""
        done = subprocess.run([program(PACKAGE, PACKAGE), "-V"], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    @property
    def authority(self) -> Path:
        """The certificate to trust."""
        return self._home / "server.crt"

    def start(self) -> None:
        """Start it; see :meth:`Server.start`."""
        words = [str(program(PACKAGE, PACKAGE)), "-u nobody -l {host} -p {port} -U 0", f"-m {self._memory_mb}"]
        if self._tls:
            words.append("-Z -o ssl_chain_cert={dir}/server.crt,ssl_key={dir}/server.key")
        self._command = " ".join(words)
        super().start()

    def stop(self) -> None:
        """End it at once: it has nothing to save, and takes a second to end politely."""
        self.kill()
        super().stop()

    def _prepare(self, folder: Path) -> None:
        self._home = folder
        if not self._tls or self.authority.exists():
            return
        command = [
            *(str(program("openssl", "openssl")), "req", "-x509", "-newkey", "ec", "-pkeyopt"),
            *("ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
            *("-keyout", str(folder / "server.key"), "-out", str(self.authority)),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotRun(f"no certificate for the test server can be made: {done.stderr.strip()[-300:]}")
        # It gives up its rights before it reads them.
        folder.chmod(0o755)
        (folder / "server.key").chmod(0o644)
