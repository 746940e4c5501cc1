"""The common document of wire.md 10.1. The golden ones were written by Celery 5.7.0 with its clock stopped."""

import dataclasses
import json

import pytest

from kernel.builtins.compressors.gzip import GzipCompressor
from kernel.builtins.serializers.json import JsonSerializer
from kernel.builtins.serializers.pickle import PickleSerializer
from kernel.contracts import Compressor, DecodeLimits, Record, Serializer
from kernel.contracts.compressed import marked
from kernel.contracts.document import Documents
from kernel.engine.codec import Codec
from kernel.engine.result_formats import ResultFormats
from kernel.errors import Code, DriverError

DONE = "2026-11-21T10:00:00.123456+00:00"
EXTENDED = Record(
    id="t1json",
    status="SUCCESS",
    result=b'{"a": [1, "\\u00fc"]}',
    date_done=DONE,
    group_id="g1",
    parent_id="p1",
    name="tasks.add",
    args="[1, 2]",
    kwargs='{"a": 1}',
    worker="w@h",
    retries=2,
    queue="q",
    stamps='{"s": ["v"]}',
)
EXTENDED_GOLDEN = (
    b'{"status": "SUCCESS", "result": {"a": [1, "\\u00fc"]}, "traceback": null, "children": [], '
    b'"date_done": "2026-11-21T10:00:00.123456+00:00", "group_id": "g1", "parent_id": "p1", "name": "tasks.add", '
    b'"args": [1, 2], "kwargs": {"a": 1}, "worker": "w@h", "retries": 2, "queue": "q", "stamped_headers": ["s"], '
    b'"s": ["v"], "task_id": "t1json"}'
)
FAILURE_GOLDEN = (
    b'{"status": "FAILURE", "result": {"exc_type": "ValueError", "exc_message": ["x", 3], "exc_module": "builtins"}, '
    b'"traceback": "tb", "children": null, "date_done": "2026-11-21T10:00:00.123456+00:00", "task_id": "t2json"}'
)
COMPRESSED_GOLDEN = (
    b"\x00celery-compressed\x00application/x-gzip\x00x\x9c\xabV*.I,)-V\xb2RP\n\x0euvv\r\x0eV\xd2QP*J-.\xcd)\x01\tV"
    b"\x0c\x13\x00\xf2UIQbrjRbr6\xd0cy\xa599@\xa1\xe4\x8c\xcc\x9c\x94\xa2\xd4<\x84HJbIj|J~^*\xc8\xf7F\x06Ff\xba\x86"
    b"\x86\xbaF\x86!\x86\x06V\x06 \xa4ghdlbj\xa6\r\xe6\x80MM,\xce\x8e\xcfL\x01)/1T\xaa\x05\x00\xe8\\\x845"
)
PICKLE_GOLDEN = (
    b"\x80\x04\x95\xa6\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x06status\x94\x8c\x07FAILURE\x94\x8c\x06result\x94\x8c"
    b"\x08builtins\x94\x8c\nValueError\x94\x93\x94\x8c\x01x\x94K\x03\x86\x94R\x94\x8c\ttraceback\x94\x8c\x02tb\x94\x8c"
    b"\x08children\x94N\x8c\tdate_done\x94\x8c 2026-11-21T10:00:00.123456+00:00\x94\x8c\x07task_id\x94\x8c\x08t2pickle"
    b"\x94u."
)
NOISE = bytes(range(256))


def documents(serializer: str = "json") -> Documents:
    serializers: list[Serializer] = [JsonSerializer(), PickleSerializer()]
    compressors: list[Compressor] = [GzipCompressor()]
    return Documents(
        ResultFormats(Codec(serializers, compressors, ("json", "pickle"), DecodeLimits(max_bytes=1 << 20)), serializer)
    )


def test_it_is_the_document_that_celery_writes() -> None:
    assert documents().write(EXTENDED) == EXTENDED_GOLDEN
    assert Documents(None).write(EXTENDED) == EXTENDED_GOLDEN
    assert documents().read("t1json", EXTENDED_GOLDEN) == EXTENDED


def test_without_extended_fields_and_with_children() -> None:
    record = Record("x", "SUCCESS", b"3", children='[[["c", null], null]]', traceback="tb")
    assert documents().write(record) == (
        b'{"status": "SUCCESS", "result": 3, "traceback": "tb", "children": [[["c", null], null]], '
        b'"date_done": null, "task_id": "x"}'
    )


def test_a_failure_that_celery_wrote() -> None:
    found = documents().read("t2json", FAILURE_GOLDEN)
    assert found == Record(
        "t2json",
        "FAILURE",
        b'{"exc_type": "ValueError", "exc_message": ["x", 3], "exc_module": "builtins"}',
        traceback="tb",
        date_done=DONE,
    )


def test_a_compressed_document_that_celery_wrote() -> None:
    found = documents().read("t1", COMPRESSED_GOLDEN)
    assert (found.status, found.result) == ("SUCCESS", b'"' + b"x" * 200 + b'"')


def test_a_compressed_result_compresses_the_whole_document() -> None:
    plain = Record("t1", "SUCCESS", b'"' + b"x" * 200 + b'"', date_done=DONE)
    payload = marked("application/x-gzip", GzipCompressor().compress(plain.result or b""))
    written = documents().write(dataclasses.replace(plain, result=payload))
    assert written.startswith(b"\x00celery-compressed\x00application/x-gzip\x00")
    assert documents().read("t1", written) == plain


def test_a_pickled_document_that_celery_wrote() -> None:
    found = documents("pickle").read("t2pickle", PICKLE_GOLDEN)
    assert (found.status, found.traceback, found.date_done) == ("FAILURE", "tb", DONE)
    assert found.content_type == "application/x-python-serialize"
    error = PickleSerializer().loads(found.result or b"", DecodeLimits())
    assert isinstance(error, ValueError)
    assert error.args == ("x", 3)


def test_another_serializer_writes_the_whole_document() -> None:
    serializer = PickleSerializer()
    record = dataclasses.replace(
        EXTENDED,
        result=serializer.dumps({1, 2}),
        content_type=serializer.content_type,
        content_encoding="binary",
        children="[1]",
    )
    written = documents("pickle").write(record)
    document = serializer.loads(written, DecodeLimits())
    assert isinstance(document, dict)
    assert (document["status"], document["result"], document["children"]) == ("SUCCESS", {1, 2}, [1])
    assert (document["args"], document["stamped_headers"], document["s"]) == ([1, 2], ["s"], ["v"])
    assert documents("pickle").read("t1json", written) == record
    assert documents("pickle").read("t1json", EXTENDED_GOLDEN) == EXTENDED


ODD = [
    Record("x", "PENDING"),
    Record("x", "SUCCESS", b"null"),
    Record("x", "SUCCESS", b""),
    Record("x", "SUCCESS", NOISE),
    Record("x", "SUCCESS", b" 1"),
    Record("x", "SUCCESS", b"1 2"),
    Record("x", "SUCCESS", b'{"a":1,"a":2}'),
    Record("x", "SUCCESS", b"[" * 100_000 + b"]" * 100_000),
    Record("x", "SUCCESS", b"NaN"),
    Record("x", "SUCCESS", '"ü\U0001f600"'.encode()),
    Record("x", "SUCCESS", b'"\\ud800"'),
    Record("x", "SUCCESS", b"1", content_encoding="binary"),
    Record("x", "SUCCESS", NOISE, content_type="application/x-yaml", content_encoding="binary"),
    Record("x", "SUCCESS", NOISE, content_type="application/x-python-serialize", content_encoding="binary"),
    Record("x", "SUCCESS", b"\x00celery-compressed\x00" + NOISE),
    Record("x", "SUCCESS", b"\x00celery-compressed\x00application/x-gzip\x00damaged"),
    Record("x", "FAILURE", b"1", traceback="\ud800\x00", worker="\ud800", children='"\ud800"'),
    Record("x", "FAILURE", b"", traceback="", children="", args="", kwargs="", worker="", retries=0, queue=""),
    Record("x", "FAILURE", b"1", children="[]", args="[]", kwargs="{}", stamps="{}", group_id="", parent_id=""),
    Record("x", "FAILURE", b"1", children="null", args="null", kwargs=" {}", stamps="null"),
    Record("x", "SUCCESS", b"1", stamps='{"status": "x"}'),
    Record("x", "SUCCESS", b"1", stamps='{"kernel": 1}'),
    Record("x", "SUCCESS", b"1", stamps='{"a":1}'),
    Record("x", "SUCCESS", b"1", stamps="[" * 100_000),
    Record("x", "PROGRESS", b'{"done": 1}', retries=0),
]


@pytest.mark.parametrize("record", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("serializer", ["", "json", "pickle"])
def test_every_record_comes_back_as_it_was(record: Record, serializer: str) -> None:
    one = documents(serializer) if serializer else Documents(None)
    assert one.read("x", one.write(record)) == record


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"{}", b'{"status": 1}', b'{"status": "SUCCESS"', b'{"status": "SUCCESS"} x', b"\xff",
        b'{"status": "SUCCESS",}', b'{status: "SUCCESS"}', b'{"status": "A", "kernel": 1}', b"[" * 100_000,
        b'{"status": "A", "kernel": {"result": "no base64"}}', b'{"status": "A", "kernel": {"result": 1}}',
        b"\x00celery-compressed\x00application/x-gzip\x00damaged", b"\x00celery-compressed\x00zip\x00", b"\x80\x04",
    ],
)  # fmt: skip
@pytest.mark.parametrize("serializer", ["", "json", "pickle"])
def test_what_is_no_document_is_corrupt(data: bytes, serializer: str) -> None:
    one = documents(serializer) if serializer else Documents(None)
    with pytest.raises(DriverError) as caught:
        one.read("x", data)
    assert caught.value.code is Code.CORRUPT


def test_a_document_may_lack_fields_and_have_others() -> None:
    assert documents().read("x", b' { "status" : "A" ,"more": [1] } ') == Record("x", "A", b"null")
    assert documents().read("x", b'{"status": "A", "worker": 1, "retries": "2"}').worker == "1"


def test_a_large_result_is_not_escaped_again() -> None:
    text = json.dumps("ü" * 100_000, ensure_ascii=False)
    assert len(documents().write(Record("x", "SUCCESS", text.encode()))) < len(text.encode()) + 200


STRUCTURE = b'[["g", null], [[["one", null], null]]]'


def test_a_saved_group_is_as_celery_saves_it():
    written = documents().write_group(STRUCTURE)
    assert written == b'{"result": [["g", null], [[["one", null], null]]]}'
    assert documents().read_group("g", written) == STRUCTURE
    pickled = documents("pickle").write_group(STRUCTURE)
    assert PickleSerializer().loads(pickled, DecodeLimits()) == {"result": json.loads(STRUCTURE)}
    assert documents("pickle").read_group("g", pickled) == STRUCTURE
    assert documents("pickle").read_group("g", written) == STRUCTURE


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\x80"])
def test_what_is_no_saved_group_is_corrupt(data):
    with pytest.raises(DriverError) as caught:
        documents().read_group("g", data)
    assert caught.value.code is Code.CORRUPT
