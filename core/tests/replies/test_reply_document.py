"""Results as messages: any serializer, never compressed, and nothing that is no result."""

import json

import pytest

from kernel.builtins.compressors.zlib import ZlibCompressor
from kernel.builtins.serializers.json import JsonSerializer
from kernel.builtins.serializers.pickle import PickleSerializer
from kernel.contracts import Outgoing, Record
from kernel.contracts.serializer import DecodeLimits
from kernel.engine.codec import Codec
from kernel.engine.records import Records
from kernel.engine.reply_document import ReplyDocuments
from kernel.errors import KernelError
from kernel.model.config import Config
from kernel.model.context import Request

CODEC = Codec([JsonSerializer(), PickleSerializer()], [ZlibCompressor()], ["json", "pickle"], DecodeLimits())
DOCUMENTS = ReplyDocuments(CODEC)
REQUEST = Request(id="t1", task="t", parent_id="p", children=[[["c", None], None]], reply_to="here")


def sent(record: Record, **fields: object) -> Outgoing:
    body, content_type, encoding = DOCUMENTS.write(record)
    found = {"body": body, "content_type": content_type, "content_encoding": encoding, "correlation_id": record.id}
    return Outgoing(queue="here", headers={}, id=record.id, **{**found, **fields})


@pytest.mark.parametrize("serializer", ["json", "pickle"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("value", [None, 5, "text", [1, {"a": [None, True]}], "x" * 5000])
def test_a_value_makes_the_trip(serializer, compression, value):
    records = Records(Config(result_serializer=serializer, result_compression=compression), CODEC)
    message = sent(records.success(REQUEST, value, "w", 1.5))
    assert message.content_type == CODEC.serializer(serializer).content_type
    assert not message.body.startswith(b"\x00")
    meta = records.meta(DOCUMENTS.read(message))
    assert (meta.task_id, meta.status, meta.result, meta.parent_id) == ("t1", "SUCCESS", value, "p")
    assert meta.children == [[["c", None], None]]


def test_a_failure_makes_the_trip():
    records = Records(Config(result_serializer="pickle"), CODEC)
    meta = records.meta(DOCUMENTS.read(sent(records.failure(REQUEST, KeyError("k"), "trace", "w", 1.5))))
    assert (repr(meta.result), meta.traceback) == ("KeyError('k')", "trace")


def test_what_kombu_compressed_is_read():
    plain = json.dumps({"status": "SUCCESS", "result": 1, "task_id": "t1"}).encode()
    compressed = CODEC.compressor("zlib").compress(plain)
    message = Outgoing("q", compressed, {"compression": "application/x-gzip"}, "t1", correlation_id="t1")
    assert DOCUMENTS.read(message).status == "SUCCESS"


@pytest.mark.parametrize(
    "fields",
    [
        {"correlation_id": None},
        {"body": b"{"},
        {"body": b"[]"},
        {"body": b"\x80\x04N."},
        {"body": b"not yaml", "content_type": "application/x-yaml"},
    ],
)
def test_what_is_no_result_is_an_error(fields):
    records = Records(Config(), CODEC)
    with pytest.raises(KernelError):
        DOCUMENTS.read(sent(records.success(REQUEST, 1, "w", 1.5), **fields))
