"""What the conformance suite needs to know of the router; imported by the suite only, with the extra ``test``."""

from collections.abc import Mapping, Sequence

from kernel_conformance import RouterHarness


class ShardedHarness(RouterHarness):
    """``router.sharded``, with the task's name for a key, as that is what the suite varies."""

    consistent = True
    rules: object = {"tasks": ["app*", "*.é"], "key": "task", "queues": ["red", "green", "blue"]}
    # Routes of released versions: they must stay, or keys move when the plugin is updated.
    routed: Mapping[str, str] = {
        "app.mail": "green",
        "app.report": "red",
        "app0.tasks.add": "red",
        "x.é": "blue",
        "app": "green",
    }
    unrouted: Sequence[str] = ("other.task", "APP.x", " app", "é")

    def pattern_rules(self, pattern: str, queue: str) -> object:
        """A glob in ``tasks``."""
        return {"tasks": [pattern], "key": "task", "queues": [queue]}

    def shard_rules(self, queues: Sequence[str]) -> object:
        """Every task, by its name."""
        return {"key": "task", "queues": list(queues)}
