"""``app.GroupResult``: the results of groups, of one application (features.md 2.1)."""

from functools import partial

from kernel.app.group_result import GroupResult


class BoundGroupResult(partial[GroupResult]):
    """Makes results of groups with ``app`` given, and restores those that were saved."""

    def restore(self, id: str) -> GroupResult | None:  # noqa: A002 - the documented name
        """The group saved under that id, or None; see :meth:`GroupResult.restore`."""
        return GroupResult.restore(id, self.keywords["app"])
