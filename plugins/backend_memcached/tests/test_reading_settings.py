"""URLs, options, keys and times to live."""

import pytest

from kernel.contracts import PluginContext
from kernel.errors import Code, DriverError
from plugin_backend_memcached.address import nodes
from plugin_backend_memcached.backend import MemcachedBackend
from plugin_backend_memcached.expiry import expiry
from plugin_backend_memcached.keys import LONGEST, Keys

NOW = 1_800_000_000.25
DAY = 86_400.0


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("memcached://h", ["h:11211"]),
        ("memcached://h:1/", ["h:1"]),
        ("cache+memcached://h1:1;h2:2/", ["h1:1", "h2:2"]),
        ("cache+pylibmc://127.0.0.1:11211;", ["127.0.0.1:11211"]),
        ("CACHE+MEMCACHE://h:1", ["h:1"]),
        ("cache+pymemcache://[::1]:5;[::2]", ["::1:5", "::2:11211"]),
        ("memcached:///run/memcached.sock", ["/run/memcached.sock"]),
        ("memcached://unix:/run/a.sock;h", ["/run/a.sock", "h:11211"]),
    ],
)
def test_servers_of_a_url(url, wanted):
    assert [node.name for node in nodes(url)] == wanted


@pytest.mark.parametrize(
    "url",
    [
        "memcached://", "memcached:///", "memcached://;", "redis://h", "memcached:h", "memcached://h:x", "memcached://h:0",
        "memcached://h:70000", "memcached://h;h:11211", "memcached://h?a=1", "memcached://h/path", "memcached://user:pw@h",
    ],
)  # fmt: skip
def test_wrong_urls_are_refused(url):
    with pytest.raises(DriverError) as caught:
        MemcachedBackend(url, {}, PluginContext())
    assert caught.value.code is Code.INVALID
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"tombstone_s": 0}, {"tombstone_s": True},
        {"item_size": 10}, {"item_size": True}, {"max_size": "1"}, {"tls_ca": "x"}, {"tls_cert": "x"},
        {"tls": True, "tls_key": "x"},
    ],
)  # fmt: skip
def test_wrong_options_are_refused(options):
    with pytest.raises(DriverError) as caught:
        MemcachedBackend("memcached://h", options, PluginContext())
    assert caught.value.code is Code.INVALID


def test_keys_are_celerys_for_ids_that_are_keys():
    keys = Keys("celery")
    assert keys.task("5f1b6c1e-0d0f-4f0e-8b3d-2f3f6d1f7a10") == "celery-task-meta-5f1b6c1e-0d0f-4f0e-8b3d-2f3f6d1f7a10"
    assert keys.group("g") == "celery-taskset-meta-g"
    assert Keys("shop").task("a%b") == "shop-task-meta-a%b"


def test_no_two_ids_have_one_key():
    odd = ["", "a", "%", "%a", "%%", "%#", "%25", "a b", "%a%20b", "a%20b", "ü", "%C3%BC", "a\r\nb", "\x00", "\ud800"]
    odd += ["x" * 220, "x" * 233, "x" * 234, "x" * 300, "ü" * 100, "%" + "x" * 240]
    made = [Keys("celery").task(one) for one in odd]
    assert len(set(made)) == len(odd)
    for key in made:
        assert len(key) <= LONGEST
        assert key.isascii()
        assert key.isprintable()
        assert " " not in key


@pytest.mark.parametrize(
    ("ttl", "wanted"),
    [
        (None, 0),
        (0.0, -1),
        (-5.0, -1),
        (0.1, 2),
        (1.0, 2),
        (1.5, 3),
        (DAY, 86_401),
        (30 * DAY - 2, 2_591_999),
        (30 * DAY, 1_802_592_002),
        (365 * DAY, 1_831_536_002),
        (100_000 * DAY, 2**31 - 1),
        (float("inf"), 0),
    ],
)
def test_times_to_live(ttl, wanted):
    assert expiry(ttl, NOW) == wanted
