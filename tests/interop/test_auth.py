"""Signed messages of a real Celery are believed here, and ours there; forged ones by neither (wire.md 14.3)."""

import base64
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from kernel import Kernel
from kernel.contracts.serializer import DecodeLimits
from kernel.engine.codec import Codec
from kernel.errors import DecodeError
from kernel.runtime.boot import build_services
from kernel_conformance import provision
from kernel_conformance.servers.rabbitmq import RabbitMQ

from .conftest import REQUIREMENTS, add_vhost
from .sides import QUEUES, Client, Side, Site, Worker, bins

BODY = [
    [1, "zwölf", None, 2.5],
    {"user": {"id": 7}},
    {"callbacks": None, "errbacks": None, "chain": None, "chord": None},
]
CELERY = """
import json, sys
from celery import Celery
from kombu.serialization import dumps, loads

given = json.loads(sys.argv[1])
app = Celery("signing", task_serializer="auth", accept_content=["auth"], set_as_current=True)
app.setup_security(
    key=given["key"], key_password=given["password"], cert=given["cert"], store=given["store"],
    digest=given["digest"], allowed_serializers=[given["inner"]], serializer=given["inner"],
)
for line in sys.stdin:
    command, value = json.loads(line)
    try:
        if command == "dumps":
            content_type, encoding, body = dumps(value, serializer="auth")
            answer = [content_type, encoding, body if isinstance(body, str) else body.decode()]
        else:
            answer = loads(value.encode(), "application/data", "utf-8", accept={"application/data"})
    except Exception as error:
        answer = {"error": type(error).__name__, "text": str(error)}
    print(json.dumps(answer), flush=True)
"""


class Celery:
    """A process of Celery that signs and verifies."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        python = provision.venv("interop", REQUIREMENTS) / "python"
        self._process = subprocess.Popen(
            [str(python), "-c", CELERY, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, command: str, value: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([command, value]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(self._process.communicate()[1])
        return json.loads(line)

    def stop(self) -> None:
        self._process.communicate(timeout=30)


def make_identity(folder: Path, name: str, *, expired: bool = False, password: bytes | None = None) -> None:
    """A key, and a certificate with an issuer of several names."""
    key = rsa.generate_private_key(65537, 2048)
    oids = (x509.NameOID.COUNTRY_NAME, x509.NameOID.ORGANIZATION_NAME, x509.NameOID.COMMON_NAME)
    issuer = x509.Name(
        [x509.NameAttribute(oid, text) for oid, text in zip(oids, ("DE", "Größe AG", name), strict=True)]
    )
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(issuer, issuer, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(9)).not_valid_after(now + timedelta(-1 if expired else 9))
    cipher = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    form = serialization.PrivateFormat.TraditionalOpenSSL
    (folder / f"{name}.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, cipher))
    (folder / f"{name}.crt").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("auth")
    make_identity(made, "ours")
    make_identity(made, "theirs", password=b"open sesame")
    (made / "strangers").mkdir()
    make_identity(made / "strangers", "stranger")
    make_identity(made / "strangers", "late", expired=True)
    return made


@pytest.fixture(scope="module")
def celery(folder: Path) -> Iterator[Callable[..., Celery]]:
    started: list[Celery] = []

    def start(name: str = "theirs", digest: str = "sha256", inner: str = "json") -> Celery:
        settings = {
            "key": str(folder / f"{name}.key"),
            "password": "open sesame" if name == "theirs" else None,
            "cert": str(folder / f"{name}.crt"),
            "store": str(folder / "*.crt"),
            "digest": digest,
            "inner": inner,
        }
        started.append(Celery(settings))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def ours(folder: Path, name: str = "ours", digest: str = "sha256", inner: str = "json") -> Codec:
    """The codec of an application that was set up as Celery's is."""
    app = Kernel("signing", task_serializer="auth", accept_content=["auth"], set_as_current=False)
    app.conf.update(plugins=["serializer.yaml", "serializer.msgpack"])
    app.setup_security(
        key=folder / f"{name}.key",
        cert=folder / f"{name}.crt",
        store=str(folder / "*.crt"),
        digest=digest,
        allowed_serializers=["json"],
        serializer=inner,
    )
    return build_services(app.config, "signing").codec


@pytest.mark.parametrize(("digest", "inner"), [("sha256", "json"), ("sha512", "yaml"), ("sha384", "msgpack")])
def test_both_directions(folder: Path, celery: Callable[..., Celery], digest: str, inner: str) -> None:
    theirs, codec = celery(digest=digest, inner=inner), ours(folder, digest=digest, inner=inner)
    assert codec.decode(*_parts(theirs.ask("dumps", BODY))) == BODY
    sent = codec.encode(BODY, "auth")
    assert (sent.content_type, sent.content_encoding) == ("application/data", "utf-8")
    assert theirs.ask("loads", sent.body.decode()) == BODY


def test_neither_believes_what_was_changed(folder: Path, celery: Callable[..., Celery]) -> None:
    theirs, codec = celery(), ours(folder)
    for message in (theirs.ask("dumps", BODY)[2], codec.encode(BODY, "auth").body.decode()):
        forged = base64.b64encode(base64.b64decode(message).replace(b'"id": 7', b'"id": 8')).decode()
        assert forged != message
        assert theirs.ask("loads", forged)["error"] == "DecodeError"  # what kombu makes of it
        with pytest.raises(DecodeError, match="signature does not fit"):
            codec.decode(forged.encode(), "application/data", "utf-8")


def test_neither_believes_strangers(folder: Path, celery: Callable[..., Celery]) -> None:
    message = ours(folder / "strangers", "stranger").encode(BODY, "auth").body
    assert "Unknown certificate" in celery().ask("loads", message.decode())["text"]
    with pytest.raises(DecodeError, match="not in the store"):
        ours(folder).decode(message, "application/data", "utf-8")


def _parts(answer: Any) -> tuple[bytes, str, str]:
    content_type, encoding, body = answer
    return body.encode(), content_type, encoding


def test_limits_hold_inside_as_well(folder: Path) -> None:
    codec = ours(folder)
    deep: list[Any] = []
    for _ in range(120):
        deep = [deep]
    message = codec.encode(deep, "auth").body
    serializer = codec.serializer("auth")
    assert serializer.loads(message, DecodeLimits()) == deep
    with pytest.raises(DecodeError):
        serializer.loads(message, DecodeLimits(max_depth=100))


@pytest.fixture(scope="module")
def signed(folder: Path, rabbit: RabbitMQ, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site where nothing is taken that is not signed; each side would have a key of its own, here both have one."""
    config = {
        "broker_url": add_vhost(rabbit, "signed"),
        "result_backend": "rpc://",
        "task_serializer": "auth",
        "result_serializer": "auth",
        "accept_content": ["auth"],
        "security_key": str(folder / "ours.key"),
        "security_certificate": str(folder / "ours.crt"),
        "security_cert_store": str(folder / "*.crt"),
    }
    return Site(tmp_path_factory.mktemp("signed"), bins(provision.venv("interop", REQUIREMENTS)), config)


@pytest.mark.parametrize("worker", ["celery", "kernel"])
def test_tasks_and_results_travel_signed(signed: Site, worker: Side) -> None:
    with ExitStack() as stack:
        stack.callback(Worker(worker, signed).stop)
        client = Client("kernel" if worker == "celery" else "celery", signed)
        stack.callback(client.stop)
        body = {"text": "Größe", "numbers": [1, 2.5, None]}
        assert client.value(client.send("shared.echo", body, queue=QUEUES[worker])) == {"args": [body], "kwargs": {}}
        error = client.error(client.send("shared.fail", "builtin", queue=QUEUES[worker]))
        assert (error["builtin"], error["args"]) == (True, ["not this", 7])
