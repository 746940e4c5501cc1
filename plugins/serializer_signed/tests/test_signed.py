"""``signed``: what is not signed by a known key is not decoded, whatever was done to it."""

import pickle
import random
import subprocess
import sys
import threading

import pytest

from kernel.contracts.serializer import DecodeLimits, FormatContext
from kernel.errors import DecodeError, EncodeError, ImproperlyConfigured
from plugin_serializer_signed.envelope import seal
from plugin_serializer_signed.keyring import KeyRing
from plugin_serializer_signed.plugin import signed as plugin
from plugin_serializer_signed.signed import SignedSerializer

from .conftest import INNER, NOW, SECRETS, SIGNED, Clock, signed

LIMITS = DecodeLimits()
BODY = [[1, "zwölf", b"\xff"], {"user": None}, {"callbacks": None}]


class Booby:
    """Would be noticed if it were decoded."""

    opened = []

    def __reduce__(self):
        return self.opened.append, ("decoded",)


@pytest.fixture(autouse=True)
def nothing_decoded():
    Booby.opened.clear()
    yield
    assert Booby.opened == []


def test_the_plugin_says_what_it_is():
    (made,) = plugin.kernel_serializers()
    assert (made.name, made.content_type, made.content_encoding) == ("signed", "application/x-kernel-signed", "binary")
    assert plugin.kernel_manifest().options["keys"].secret


@pytest.mark.parametrize("encrypt", [False, True])
def test_round_trip(encrypt):
    data = signed(encrypt=encrypt).dumps(BODY)
    for reader in (signed(), signed(encrypt=True)):
        for given in (data, bytearray(data), memoryview(data)):
            assert reader.loads(given, LIMITS) == BODY
    assert (b"zw" in data) is not encrypt
    assert signed(encrypt=encrypt).hides() is encrypt


def test_encrypted_messages_of_equal_values_have_nothing_in_common():
    one, two = (signed(encrypt=True).dumps(["x" * 1000]) for _ in range(2))
    assert one[:30] == two[:30]  # key, type and time
    assert sum(left == right for left, right in zip(one[40:], two[40:], strict=True)) < 40


@pytest.mark.parametrize("encrypt", [False, True])
def test_no_changed_byte_is_believed(encrypt):
    data = signed(encrypt=encrypt).dumps(BODY)
    reader = signed()
    for position in range(len(data)):
        for change in (1, 0x80):
            changed = bytearray(data)
            changed[position] ^= change
            with pytest.raises(DecodeError):
                reader.loads(changed, LIMITS)
    for end in range(len(data)):
        with pytest.raises(DecodeError):
            reader.loads(data[:end], LIMITS)
    with pytest.raises(DecodeError, match="signature does not fit"):
        reader.loads(data + b"x", LIMITS)


@pytest.mark.parametrize("encrypt", [False, True])
def test_another_secret_of_the_same_name(encrypt):
    stranger = signed(keys={"new": "m" * 40}, serializer="pickle", encrypt=encrypt)
    with pytest.raises(DecodeError, match="signature does not fit") as caught:
        signed(serializer="pickle").loads(stranger.dumps(Booby()), LIMITS)
    assert "m" * 40 not in caught.value.one_line()


def test_an_unknown_key():
    stranger = signed(keys={"their key": "n" * 40}, serializer="pickle")
    with pytest.raises(DecodeError, match="'their key', which is not known"):
        signed(serializer="pickle").loads(stranger.dumps(Booby()), LIMITS)


def test_a_name_of_a_key_cannot_flood_a_log():
    message = b"kSg1\xff" + b"\n" * 255 + b"\x01j" + bytes(60)
    with pytest.raises(DecodeError) as caught:
        signed().loads(message, LIMITS)
    assert len(caught.value.one_line()) < 400


def test_rotation():
    before = signed(keys={"old": SECRETS["old"]})
    between = signed(keys=SECRETS, sign_with="old")
    after = signed(keys=SECRETS)
    at_last = signed(keys={"new": SECRETS["new"]})
    line = [before, between, after, at_last]
    for writer, readers in ((0, {0, 1, 2}), (1, {0, 1, 2}), (2, {1, 2, 3}), (3, {1, 2, 3})):
        data = line[writer].dumps(BODY)
        for number, reader in enumerate(line):
            if number in readers:
                assert reader.loads(data, LIMITS) == BODY
            else:
                with pytest.raises(DecodeError, match="not known here"):
                    reader.loads(data, LIMITS)


def test_what_is_inside_must_be_accepted_too():
    pickled = signed(serializer="pickle").dumps(BODY)
    with pytest.raises(DecodeError, match="'application/x-python-serialize' is not accepted inside"):
        signed().loads(pickled, LIMITS)
    assert signed(accept=["pickle"]).loads(pickled, LIMITS) == BODY


def test_what_the_inner_serializer_refuses_is_named_by_its_place():
    with pytest.raises(EncodeError, match=r"args\[1\]"):
        signed().dumps([[0, object()], {}, None])
    (signer,) = (KeyRing(SECRETS).signer,)
    nested = seal(signer, "application/json", NOW, b"[" * 200 + b"]" * 200, encrypt=False)
    with pytest.raises(DecodeError, match="deeper"):
        signed().loads(nested, LIMITS)


def test_old_messages():
    clock = Clock()
    data = signed(clock).dumps(BODY)
    reader = signed(clock, max_age=600)
    clock.now += 599
    assert reader.loads(data, LIMITS) == BODY
    clock.now += 2
    with pytest.raises(DecodeError, match="601 seconds ago"):
        reader.loads(data, LIMITS)
    assert signed(clock).loads(data, LIMITS) == BODY
    clock.now -= 700
    with pytest.raises(DecodeError, match="99 seconds in the future"):
        reader.loads(data, LIMITS)
    clock.now += 40
    assert reader.loads(data, LIMITS) == BODY


def test_limits_of_size():
    data = signed().dumps("x" * 1000)
    assert signed().loads(data, DecodeLimits(max_bytes=len(data))) == "x" * 1000
    for given in (data, memoryview(data)):
        with pytest.raises(DecodeError, match="above the limit"):
            signed().loads(given, DecodeLimits(max_bytes=len(data) - 1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keys": {}}, "keys is empty"),
        ({"keys": {"k": "short-secret"}}, "12 characters"),
        ({"keys": {"k": 7}}, "of type int"),
        ({"keys": {"": "x" * 40}}, "no name of a key"),
        ({"keys": {"k" * 65: "x" * 40}}, "no name of a key"),
        ({"keys": {"k": "file:/nowhere/at/all"}}, "'/nowhere/at/all' of the key 'k' cannot be read: No such file"),
        ({"sign_with": "nwe"}, "sign_with names 'nwe'"),
        ({"serializer": "yaml"}, "no serializer 'yaml'"),
        ({"accept": ["jason"]}, "no serializer 'jason'"),
        ({"max_age": 0}, "max_age is 0"),
    ],
)
def test_options_that_cannot_work(options, message):
    with pytest.raises(ImproperlyConfigured) as caught:
        signed(**options)
    assert message in str(caught.value)
    assert "short-secret" not in caught.value.one_line()


def test_a_secret_from_a_file(tmp_path):
    path = tmp_path / "secret"
    path.write_text(SECRETS["new"] + "\n")
    assert signed().loads(signed(keys={"new": f"file:{path}"}).dumps(BODY), LIMITS) == BODY
    path.write_bytes(b"\xff" * 40)
    with pytest.raises(ImproperlyConfigured, match="no text in UTF-8"):
        signed(keys={"new": f"file:{path}"})


def test_secrets_are_never_shown():
    made = signed()
    shown = [repr(made), str(vars(made)), repr(KeyRing(SECRETS).signer), str(KeyRing(SECRETS).signer)]
    assert not [text for text in shown if "nnn" in text or "\\x" in text]


def test_without_keys_it_refuses_and_only_where_it_is_needed_it_stops_the_program():
    context = FormatContext({**SIGNED, "keys": {}}, {}, INNER, needed=False)
    idle = SignedSerializer().configured(context)
    with pytest.raises(EncodeError, match="no keys to sign"):
        idle.dumps(BODY)
    with pytest.raises(DecodeError, match="no keys to verify"):
        idle.loads(signed().dumps(BODY), LIMITS)


def test_any_bytes_give_a_decode_error():
    chance = random.Random(5)
    reader = signed()
    for _ in range(3000):
        junk = chance.choice([b"kSg1", b"kSe1", b""]) + chance.randbytes(chance.randint(0, 90))
        with pytest.raises(DecodeError):
            reader.loads(junk, LIMITS)
    with pytest.raises(DecodeError, match="does not begin as one"):
        reader.loads(pickle.dumps(Booby()), LIMITS)


def test_eight_threads():
    one, results = signed(encrypt=True), []

    def work(number):
        value = [number, "x" * number]
        results.append(all(one.loads(one.dumps(value), LIMITS) == value for _ in range(50)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8


APP = """
import sys
from kernel import Kernel
app = Kernel(
    "tasks", broker="sqlite:///k.db", backend="sqlite:///k.db", task_serializer="signed", result_serializer="signed",
    accept_content=["signed"], worker_pool="solo",
    plugin_options={"serializer.signed": {"keys": {"k": "%s"}, "encrypt": True}},
)

@app.task
def shout(text):
    return text.upper() + "!"
"""
CALL = "from tasks import app, shout; print(shout.delay('zebra').get(timeout=60), app.conf.humanize())"


def test_a_task_and_its_result_travel_signed(tmp_path):
    secret = "q" * 40
    (tmp_path / "tasks.py").write_text(APP % secret)
    worker = [sys.executable, "-m", "kernel", "-A", "tasks", "worker", "--concurrency", "1"]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(worker, cwd=tmp_path, stdout=log, stderr=log) as process,
    ):
        called = subprocess.run([sys.executable, "-c", CALL], cwd=tmp_path, capture_output=True, text=True, check=False)
        process.terminate()
    assert called.stdout.startswith("ZEBRA! "), called.stderr + (tmp_path / "log").read_text()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("k.db*"))
    assert b"kSe1" in stored
    assert b"zebra" not in stored
    assert b"ZEBRA" not in stored
    assert secret not in called.stdout + (tmp_path / "log").read_text()
