"""How the conformance suite reaches the broker: a folder for every run, a queue for every test."""

import tempfile
from pathlib import Path

from kernel_conformance import BrokerHarness


class FsHarness(BrokerHarness):
    """No server to start or to break; other processes reach the same folder."""

    embedded = True
    faults = frozenset({"proc"})

    def start(self) -> None:
        """Make the folder."""
        self._folder = tempfile.TemporaryDirectory(prefix="plugin-broker-fs-")

    def stop(self) -> None:
        """Remove it."""
        self._folder.cleanup()

    def current_url(self) -> str:
        """One folder for all tests: their queues have names of their own."""
        return f"fs://{self._folder.name}"

    def raw_depth(self, queue: str) -> int:
        """Files of messages in the queue's folder, past the plugin."""
        return sum(file.name[0] != "." for file in Path(self._folder.name, queue).iterdir())
