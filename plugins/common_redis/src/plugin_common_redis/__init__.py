"""How the Redis plugins of kernel reach a server: URLs, connections, scripts, errors. It is no plugin itself."""

from plugin_common_redis.address import SCHEMES, Address, Mode, parse
from plugin_common_redis.connect import Connector
from plugin_common_redis.errors import CODES, ReplyError, UnknownScript
from plugin_common_redis.keys import key_prefix
from plugin_common_redis.phone import Phone
from plugin_common_redis.script import Script
from plugin_common_redis.wire import Wire, Word, packed, packed_words

__all__ = [
    "CODES",
    "SCHEMES",
    "Address",
    "Connector",
    "Mode",
    "Phone",
    "ReplyError",
    "Script",
    "UnknownScript",
    "Wire",
    "Word",
    "key_prefix",
    "packed",
    "packed_words",
    "parse",
]
