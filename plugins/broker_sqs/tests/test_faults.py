"""What goes wrong between us and the server."""

import json
import threading
import time
import urllib.request
from dataclasses import replace
from urllib.parse import quote

import boto3
import pytest

from kernel.contracts import Deadline, Outgoing, PluginContext, Settle, SettleKind
from kernel.errors import Code, DriverError
from kernel.model.topology import QueueSpec
from kernel_conformance.proxy import ChaosProxy, Trouble
from kernel_conformance.server import free_port
from kernel_conformance.servers.moto import MotoServer
from plugin_broker_sqs.envelope import UNREADABLE
from plugin_broker_sqs.plugin import plugin

pytestmark = pytest.mark.timed


@pytest.fixture
def proxy(moto):
    with ChaosProxy(moto.server.address) as made:
        yield made


def failure(call):
    started = time.monotonic()
    with pytest.raises(DriverError) as caught:
        call()
    return caught.value, time.monotonic() - started


def test_nobody_listens_at_start(moto):
    broker = moto.unopened(moto.url(("127.0.0.1", free_port())))
    error, took = failure(lambda: broker.open(Deadline.after(3)))
    assert error.code is Code.UNAVAILABLE
    assert error.retryable
    assert took < 6


def test_down_in_the_middle_and_back(moto, proxy):
    broker, direct = moto.broker(moto.url(proxy.address)), moto.broker()
    name = moto.queue(direct)
    consumer = broker.consumer([name], 0)
    assert consumer.receive(1, 0) == []
    proxy.trouble = Trouble(refuse=True)
    proxy.reset()
    error, took = failure(lambda: consumer.receive(1, 5))
    assert error.code is Code.UNAVAILABLE
    assert took < 10
    [result] = broker.publish([moto.message(name)], Deadline.after(2))
    assert result.error.code is Code.UNAVAILABLE
    assert result.error.retryable
    proxy.heal()
    moto.send(broker, moto.message(name))
    found = moto.take(consumer, 1)
    moto.settle(consumer, SettleKind.ACK, *found)


def test_a_black_hole_during_a_long_poll(moto, proxy):
    broker, direct = moto.broker(moto.url(proxy.address)), moto.broker()
    name = moto.queue(direct)
    consumer = broker.consumer([name], 0)
    consumer.receive(1, 0)
    timer = threading.Timer(0.3, lambda: setattr(proxy, "trouble", Trouble(black_hole=True)))
    timer.start()
    started = time.monotonic()
    assert consumer.receive(1, 2) == []
    assert time.monotonic() - started < 6, "it waits as long as it was told, whatever the network does"
    timer.join()
    started = time.monotonic()
    consumer.close(release=True, deadline=Deadline.after(1))
    assert time.monotonic() - started < 5
    proxy.heal()
    proxy.reset()


def test_publishing_into_a_black_hole_ends_by_its_deadline(moto, proxy):
    broker = moto.broker(moto.url(proxy.address))
    name = moto.queue(broker)
    proxy.trouble = Trouble(black_hole=True)
    started = time.monotonic()
    results = broker.publish([moto.message(name, number) for number in range(25)], Deadline.after(2))
    assert time.monotonic() - started < 6
    assert {result.error.code for result in results} == {Code.TIMEOUT}
    proxy.heal()
    proxy.reset()


def test_a_message_given_to_a_connection_that_broke_is_back_in_seconds(moto, proxy):
    broker, direct = moto.broker(moto.url(proxy.address)), moto.broker()
    name = moto.queue(direct)
    consumer = broker.consumer([name], 0)
    consumer.receive(1, 0)
    timer = threading.Timer(0.2, proxy.reset)
    timer.start()
    failure(lambda: consumer.receive(1, 5))
    timer.join()
    moto.send(direct, moto.message(name))
    moto.take(direct.consumer([name], 0), 1, 15)


def test_a_receipt_that_expired_reaches_nobodys_message(site):
    broker, other = site.broker(), site.broker()
    name = site.queue(broker, lease_s=1.0)
    site.send(broker, site.message(name))
    slow, quick = broker.consumer([name], 0), other.consumer([name], 0)
    [old] = site.take(slow, 1)
    [new] = site.take(quick, 1)
    site.settle(quick, SettleKind.EXTEND, new, seconds=60)
    for kind in SettleKind:
        [result] = slow.settle([Settle(old, kind)], Deadline.after(15))
        assert result.error.code is Code.LEASE_LOST
    site.settle(quick, SettleKind.ACK, new)


def test_twelve_hours_are_the_end_of_a_lease(moto):
    broker = moto.broker()
    name = moto.queue(broker)
    moto.send(broker, moto.message(name))
    consumer = broker.consumer([name], 0)
    [held] = moto.take(consumer, 1)
    nearly = replace(held, receipt=held.receipt._replace(handle=held.receipt.handle, since=time.time() - 43_190))
    [result] = consumer.settle([Settle(nearly, SettleKind.EXTEND, 60)], Deadline.after(15))
    assert result.lease_until - time.time() < 10
    over = replace(held, receipt=held.receipt._replace(since=time.time() - 43_300))
    [result] = consumer.settle([Settle(over, SettleKind.EXTEND, 60)], Deadline.after(15))
    assert result.error.code is Code.LEASE_LOST


@pytest.mark.parametrize("text", ["no message of ours", '{"json": true}', "k1.AAAA"])
def test_a_message_of_another_client_can_be_quarantined(site, text):
    broker = site.broker()
    dead = f"dead-{time.time_ns()}"
    name = site.queue(broker, dead_letter=dead)
    site.sdk.send_message(QueueUrl=site.sdk_url(name), MessageBody=text)
    consumer = broker.consumer([name], 0)
    [found] = site.take(consumer, 1)
    assert found.message.content_type == UNREADABLE
    site.settle(consumer, SettleKind.REJECT, found, reason="no task message")
    [buried] = site.take(broker.consumer([dead], 0), 1)
    assert buried.message.body.decode() == text
    assert (buried.dead_reason, buried.dead_queue) == ("no task message", name)


def test_a_queue_that_was_deleted_under_a_consumer(site):
    broker, other = site.broker(), site.broker()
    name = site.queue(broker)
    site.send(broker, site.message(name))
    consumer = broker.consumer([name], 0)
    [held] = site.take(consumer, 1)
    other.delete([name], Deadline.after(15))
    [result] = consumer.settle([Settle(held, SettleKind.ACK)], Deadline.after(15))
    assert result.error.code is Code.LEASE_LOST
    error, _ = failure(lambda: consumer.receive(1, 0))
    assert error.code is Code.NOT_FOUND


@pytest.fixture
def strict():
    """A moto that checks signatures and rights; the key and secret of a user who may use SQS."""
    server = MotoServer()
    server.start()
    address = "http://{}:{}".format(*server.address)
    anyone = {"region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
    iam = boto3.session.Session().client("iam", endpoint_url=address, **anyone)
    iam.create_user(UserName="worker")
    key = iam.create_access_key(UserName="worker")["AccessKey"]
    statement = {"Effect": "Allow", "Action": ["sqs:GetQueueUrl", "sqs:CreateQueue"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="worker", PolicyName="queues", PolicyDocument=policy)
    switch = urllib.request.Request(f"{address}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"})
    urllib.request.urlopen(switch, timeout=10).close()
    yield server, key["AccessKeyId"], key["SecretAccessKey"]
    server.stop()


def test_credentials_are_checked(strict):
    server, key, secret = strict

    def broker(key, secret):
        host, port = server.address
        url = f"sqs://{key}:{quote(secret, safe='')}@{host}:{port}"
        return plugin.kernel_brokers()["sqs"](url, {}, PluginContext())

    for wrong in (broker(key, "wrong-secret"), broker("AKIANOBODY", secret)):
        error, _ = failure(lambda wrong=wrong: wrong.open(Deadline.after(15)))
        assert error.code is Code.AUTH
        assert not error.retryable
        assert secret not in str(error)
        assert "wrong-secret" not in str(error)
    right = broker(key, secret)
    right.open(Deadline.after(15))
    right.declare([QueueSpec("jobs")], Deadline.after(15))
    [refused] = right.publish([Outgoing("jobs", b"", {}, "i")], Deadline.after(15))
    assert refused.error.code is Code.AUTH, "a right that is missing"
    right.close(Deadline.after(5))


def test_without_credentials(moto, monkeypatch):
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    host, port = moto.server.address
    broker = moto.unopened(f"sqs://{host}:{port}")
    error, _ = failure(lambda: broker.open(Deadline.after(15)))
    assert error.code is Code.AUTH
    assert not error.retryable


def test_credentials_and_endpoint_of_the_sdk(moto, monkeypatch):
    host, port = moto.server.address
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    broker = moto.broker("sqs://")
    name = moto.queue(broker)
    moto.send(broker, moto.message(name))
    assert moto.sdk_url(name).endswith(name)
