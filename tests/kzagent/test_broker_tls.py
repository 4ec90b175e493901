"""A broker that is reached by TLS: both sides show a certificate, and the broker's name is checked."""

from __future__ import annotations

import datetime
import ipaddress
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import redis
from agent_lab import Deployment
from agent_process import Process, send, until
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kernelzone.orders import Kind

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="the packaged broker has no TLS"),
]


class Certificates(NamedTuple):
    """Files of one authority: its certificate, and certificate and key of the broker and of an agent."""

    authority: Path
    broker: Path
    broker_key: Path
    agent: Path
    agent_key: Path


def _signed(folder: Path, name: str, issuer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None):
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    issuer_name, issuer_key = issuer or (subject, key)
    made = (
        x509.CertificateBuilder(issuer_name, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / f"{name}.key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return subject, key


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    authority = _signed(tmp_path, "authority", None)
    for name in ("broker", "agent"):
        _signed(tmp_path, name, authority)
    names = ("authority.pem", "broker.pem", "broker.key", "agent.pem", "agent.key")
    return Certificates(*(tmp_path / name for name in names))


class TlsBroker:
    """A Redis that speaks TLS alone, on a port of this machine."""

    def __init__(self, certificates: Certificates) -> None:
        self.port = _free_port()
        given = {
            "--tls-port": str(self.port),
            "--tls-cert-file": str(certificates.broker),
            "--tls-key-file": str(certificates.broker_key),
            "--tls-ca-cert-file": str(certificates.authority),
        }
        words = ["--port", "0", "--save", "", "--bind", "127.0.0.1", *(word for pair in given.items() for word in pair)]
        self.process = subprocess.Popen(["redis-server", *words], stdout=subprocess.DEVNULL)
        files = {"ssl_ca_certs": certificates.authority, "ssl_certfile": certificates.agent}
        files["ssl_keyfile"] = certificates.agent_key
        self.files = {name: str(path) for name, path in files.items()}
        self.client = redis.Redis(host="127.0.0.1", port=self.port, ssl=True, **self.files)

    def url(self, **files: str) -> str:
        return f"rediss://127.0.0.1:{self.port}/0?{'&'.join(f'{name}={path}' for name, path in files.items())}"

    def answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False

    def close(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def broker(certificates: Certificates) -> Iterator[TlsBroker]:
    broker = TlsBroker(certificates)
    until(broker.answers)
    yield broker
    broker.close()


def test_an_agent_works_off_orders_over_tls_with_its_certificate(deployment: Deployment, broker: TlsBroker) -> None:
    deployment.agent.journal.close()
    process = Process(deployment, url=broker.url(**broker.files))
    try:
        order = deployment.order(Kind.INSPECT)
        send(broker.url(**broker.files), process.queue, deployment.authority.sign(order))
        assert deployment.site.wait_for(lambda: deployment.site.final(order.order)).code == "DONE"
    finally:
        process.end()


@pytest.mark.parametrize("shown", [["ssl_certfile", "ssl_keyfile"], ["ssl_ca_certs"]])
def test_an_agent_gets_no_orders_unless_both_sides_are_certified(
    deployment: Deployment, broker: TlsBroker, shown: list[str]
) -> None:
    deployment.agent.journal.close()
    process = Process(deployment, url=broker.url(**{name: broker.files[name] for name in shown}))
    try:
        broker.client.lpush(process.queue, "order")
        until(lambda: "Cannot connect to" in process.output.read_text(), timeout_s=15)
        assert broker.client.llen(process.queue) == 1
    finally:
        process.end()
