"""Keys and certificates for the tests; one set for all of them, as RSA keys take a while to make."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kernel.builtins.serializers.json import JsonSerializer
from kernel.builtins.serializers.pickle import PickleSerializer
from kernel.contracts.serializer import FormatContext
from plugin_serializer_signed.auth import AuthSerializer
from plugin_serializer_signed.signed import SignedSerializer

NOW = 1_795_258_800.0
INNER = {name: each for each in (JsonSerializer(), PickleSerializer()) for name in (each.name, each.content_type)}
SECRETS = {"new": "n" * 40, "old": "o" * 40}
SIGNED = {"keys": SECRETS, "sign_with": "", "encrypt": False, "max_age": None, "serializer": "json", "accept": ()}


class Clock:
    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        return self.now


def signed(clock=None, **options):
    context = FormatContext({**SIGNED, **options}, {}, INNER, clock or Clock())
    return SignedSerializer().configured(context)


class Authority:
    """Writes keys and certificates into a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.keys = {}

    def path(self, name):
        return str(self.folder / name)

    def key(self, name, kind="rsa", password=None):
        if name not in self.keys:
            made = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
            self.keys[name] = made
        cipher = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        form = serialization.PrivateFormat.PKCS8
        pem = self.keys[name].private_bytes(serialization.Encoding.PEM, form, cipher)
        (self.folder / f"{name}.key").write_bytes(pem)
        return self.keys[name]

    def certificate(self, name, days=(-1, 30), key="", serial=None, into=""):
        """Days are counted from NOW; ``into`` is a folder of the store."""
        private = self.key(key or name)
        subject = x509.Name(
            [
                x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "DE"),
                x509.NameAttribute(x509.NameOID.COMMON_NAME, "proj authority"),
            ]
        )
        now = datetime.fromtimestamp(NOW, UTC)
        unsigned = x509.CertificateBuilder(
            subject, subject, private.public_key(), serial or x509.random_serial_number()
        )
        unsigned = unsigned.not_valid_before(now + timedelta(days[0])).not_valid_after(now + timedelta(days[1]))
        pem = unsigned.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        path = self.folder / into / f"{name}.crt"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(pem)
        return str(path)

    def auth(self, name, store, clock=None, password=None, options=None, **settings):
        paths = {
            "security_key": self.path(f"{name}.key"),
            "security_key_password": password,
            "security_certificate": self.path(f"{name}.crt"),
            "security_cert_store": store,
            "security_digest": "sha256",
            **settings,
        }
        given = {"serializer": "json", "accept": (), **(options or {})}
        return AuthSerializer().configured(FormatContext(given, paths, INNER, clock or Clock()))


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("certificates"))
    for name in ("alice", "bob", "mallory"):
        made.key(name)
        made.certificate(name)
    for name in ("alice", "bob"):
        made.certificate(name, into="trusted")
        (made.folder / "trusted" / f"{name}.crt").write_bytes((made.folder / f"{name}.crt").read_bytes())
    return made
