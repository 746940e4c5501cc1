"""Every kind of URL leads to a server: plain, TLS, socket file, sentinels, cluster."""

import time

import pytest

from kernel.contracts import Deadline
from kernel.errors import Code, DriverError
from kernel_conformance.provision import program
from kernel_conformance.server import Server
from kernel_conformance.servers.redis import RedisServer
from plugin_common_redis import CODES, Connector, Mode, Phone, Script, key_prefix, parse


def soon(seconds=10.0):
    return Deadline.after(seconds)


def answers(url, tag="", **given):
    wire = Connector(parse(url, **given), tag).connect(soon())
    try:
        return wire.ask(["PING"], soon())
    finally:
        wire.close()


@pytest.fixture(scope="module")
def server():
    made = RedisServer(fsync="everysec")
    made.start()
    yield made
    made.stop()


def test_plain_tls_and_socket(server):
    assert answers(server.url) == b"PONG"
    assert answers(server.tls_url) == b"PONG"
    assert answers(server.socket_url) == b"PONG"
    assert answers(server.tls_url.split("?")[0] + "?ssl_cert_reqs=none") == b"PONG"


@pytest.mark.parametrize("what", ["unknown authority", "wrong name", "no tls", "wrong password"])
def test_refusals(server, what):
    host, port = server.address
    login = f":{server.password}@"
    url = {
        "unknown authority": server.tls_url.split("?")[0],
        "wrong name": server.tls_url.replace("127.0.0.1", "127.0.0.2"),
        "no tls": f"redis://{login}{host}:{server.tls_port}",
        "wrong password": f"redis://:wrong@{host}:{port}",
    }[what]
    with pytest.raises(Exception) as caught:
        answers(url)
    assert any(kind in CODES for kind in type(caught.value).__mro__) or isinstance(caught.value, OSError)
    assert server.password not in str(caught.value)


def test_a_database_that_is_not_there(server):
    with pytest.raises(DriverError) as caught:
        answers(server.url.removesuffix("/0") + "/99999")
    assert caught.value.code is Code.INVALID


def test_a_cluster_of_one_node():
    node = RedisServer(fsync="everysec", extra={"cluster-enabled": "yes"})
    node.start()
    try:
        url = f"redis+cluster://:{node.password}@127.0.0.1:{node.address[1]}"
        with pytest.raises(Exception, match="serves slot"):
            answers(url, "jobs")
        node.ask("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        end = time.monotonic() + 10
        while "cluster_state:ok" not in node.ask("CLUSTER", "INFO") and time.monotonic() < end:
            time.sleep(0.05)
        assert answers(url, "jobs") == b"PONG"
        assert answers(f"redis+cluster://:{node.password}@127.0.0.1:1;{url}", "jobs") == b"PONG"
    finally:
        node.stop()


@pytest.fixture
def sentinel(server):
    host, port = server.address

    def configure(folder):
        lines = [
            f"sentinel monitor main {host} {port} 1",
            f"sentinel auth-pass main {server.password}",
            "sentinel down-after-milliseconds main 60000",
        ]
        (folder / "sentinel.conf").write_text("\n".join(lines) + "\n")

    command = (
        f"{program('redis-server', 'redis-server')} {{dir}}/sentinel.conf --sentinel --port {{port}} --bind {{host}}"
    )
    made = Server(command, before_start=configure)
    made.start()
    yield made
    made.stop()


def test_sentinels_show_the_way(server, sentinel):
    host, port = sentinel.address
    url = f"sentinel://:{server.password}@{host}:1;sentinel://{host}:{port}"
    assert answers(url, master_name="main") == b"PONG"
    assert answers(f"sentinel://:{server.password}@{host}:{port}/3?master_name=main") == b"PONG"
    with pytest.raises(Exception, match="knows no master"):
        answers(url, master_name="other")


@pytest.mark.parametrize(
    ("url", "mode", "nodes", "db"),
    [
        ("redis://", Mode.SERVER, (("localhost", 6379),), 0),
        ("redis://u:p%40ss@h:1/2", Mode.SERVER, (("h", 1),), 2),
        ("rediss://h?db=3", Mode.SERVER, (("h", 6379),), 3),
        ("redis+socket:///run/redis.sock?virtual_host=4", Mode.SOCKET, (("localhost", 6379),), 4),
        ("sentinel://a;sentinel://b:1/5?", Mode.SENTINEL, (("a", 26379), ("b", 1)), 0),
        ("redis+cluster://a:7000;redis+cluster://b:7001", Mode.CLUSTER, (("a", 7000), ("b", 7001)), 0),
    ],
)
def test_addresses(url, mode, nodes, db):
    found = parse(url, "main")
    assert (found.mode, found.nodes, found.db) == (mode, nodes, db)


def test_secrets_are_known_and_hidden():
    found = parse("rediss://u:p%40ss@h?ssl_password=key")
    assert (found.username, found.password) == ("u", "p@ss")
    assert set(found.secrets) == {"p@ss", "key"}
    assert "p@ss" not in repr(found)
    assert "p%40ss" not in found.name


@pytest.mark.parametrize(
    "url",
    [
        "http://h", "redis://h/x", "redis://h:port", "redis://a;redis://b", "redis://h?what=1", "redis+socket://",
        "sentinel://h", "redis+cluster://h/1", "rediss://h?ssl_cert_reqs=maybe", "rediss://h?ssl_check_hostname=maybe",
    ],
)  # fmt: skip
def test_urls_that_lead_nowhere(url):
    with pytest.raises(DriverError) as caught:
        parse(url)
    assert caught.value.code is Code.INVALID
    assert caught.value.cure


def test_the_keys_of_a_cluster_share_a_hash_tag():
    cluster, plain = parse("redis+cluster://h"), parse("redis://h")
    assert key_prefix(cluster, "proj", "") == ("{proj}:", "proj")
    assert key_prefix(cluster, "proj", "a{b}c:") == ("a{b}c:", "b")
    assert key_prefix(plain, "proj", "") == ("", "")
    with pytest.raises(DriverError, match="hash tag"):
        key_prefix(cluster, "proj", "plain:")


def test_large_and_nested_replies(server):
    wire = Connector(parse(server.url)).connect(soon())
    big = bytes(300_000)
    wire.ask(["SET", "big", big], soon())
    replies = wire.ask_all([["GET", "big"], ["PING"], ["MGET", "big", "none", "big"], ["HELLO"]], soon())
    assert replies[0] == big
    assert replies[1] == b"PONG"
    assert replies[2] == [big, None, big]
    assert replies[3][b"proto"] == 3
    assert Script("return {1, 'a', {2, false}}").run(wire, [], [], soon()) == [1, b"a", [2, None]]
    wire.close()


def test_a_call_that_was_interrupted_leaves_nothing_to_the_next(server):
    """Its reply may still come; nobody must take it for another's."""
    phone = Phone(Connector(parse(server.url)), soon())
    wire = phone.wire(soon())
    with pytest.raises(TimeoutError):
        wire.ask(["BLPOP", "nothing", "5"], soon(0.05))
    assert not wire.usable
    again = phone.wire(soon())
    assert again is not wire
    assert again.ask(["PING"], soon()) == b"PONG"
    assert phone.wire(soon()) is again
    server.ask("CLIENT", "KILL", "TYPE", "normal")
    assert phone.wire(soon()).ask(["PING"], soon()) == b"PONG"
    phone.close()
