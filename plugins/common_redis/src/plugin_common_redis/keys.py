"""What stands before every key, and the hash tag that keeps all keys of a cluster on one node."""

import re

from kernel.errors import Code, DriverError
from plugin_common_redis.address import Address, Mode


def key_prefix(address: Address, namespace: str, global_keyprefix: str) -> tuple[str, str]:
    """The prefix of every key, and its hash tag.

    Scripts touch several keys at once, which a cluster allows on one node only: there every key carries one hash tag,
    ``{<namespace>}`` unless ``global_keyprefix`` has one. Another namespace lives on another node.

    Raises:
        DriverError: INVALID for a prefix of a cluster without a hash tag.
    """
    if address.mode is not Mode.CLUSTER:
        return global_keyprefix, ""
    prefix = global_keyprefix or f"{{{namespace}}}:"
    tag = re.search(r"\{([^{}]+)\}", prefix)
    if tag is None:
        raise DriverError(
            Code.INVALID,
            f"{address.name}: global_keyprefix={global_keyprefix!r} has no hash tag",
            cure="In a cluster all keys must be on one node: write it with a part in braces, such as '{jobs}:'.",
        )
    return prefix, tag[1]
