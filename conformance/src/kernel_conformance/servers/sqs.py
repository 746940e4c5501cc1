"""What the servers that speak the protocol of Amazon SQS have in common."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from kernel_conformance.provision import venv
from kernel_conformance.server import Server

START_S = 90.0
"""How long starting may take: the first request imports the whole service."""
_ANSWER_S = 20.0
_SIGNED_BY = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0"


def speaks_sqs(address: tuple[str, int]) -> bool:
    """Whether the server there answers ListQueues. None of these servers looks at the signature."""
    host, port = address
    request = urllib.request.Request(
        f"http://{host}:{port}/",
        data=b"{}",
        headers={
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": "AmazonSQS.ListQueues",
            "Authorization": _SIGNED_BY,
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_S) as answer:
            return isinstance(json.load(answer), dict)
    except (OSError, ValueError, urllib.error.URLError):
        return False


class SqsServer(Server):
    """A server that lives in a virtual environment of its own, made when it is first started.

    Attributes:
        version: what is installed.

    Args:
        name: of the environment, and of the pinned requirements file beside this module.
        command: as in :class:`~kernel_conformance.server.Server`; ``{bin}`` is the environment's folder of programs.
        env: environment variables to add.
    """

    version = ""

    def __init__(self, name: str, command: str, *, env: Mapping[str, str] | None = None) -> None:
        super().__init__(command, ready=speaks_sqs, start_s=START_S, env=env)
        self._name = name
        self._template = command

    def start(self) -> None:
        """Install it if need be, and start it.

        Raises:
            NotRun: it cannot be installed or started.
        """
        if not self.running:
            folder = venv(self._name, Path(__file__).with_name(f"{self._name}.txt"))
            self._command = self._template.replace("{bin}", str(folder))
        super().start()
