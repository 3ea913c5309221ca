"""The node's side of identity: its own key; a claim with a single-use token; renewal before it expires."""

import contextlib
import http.client
import json
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from siaga_core.errors import SiagaError
from siaga_core.service.clock import Clock, read_floor_ns, write_floor
from siaga_core.service.files import write_atomic
from siaga_edge.node import NodeConfig

LIMIT_S = 20.0
# A month of missed renewals is noticed and mended; the certificate is good for 90 days.
RENEW_BEFORE = timedelta(days=30)
# OpenSSL's X509_V_FLAG_NO_CHECK_TIME. A node whose clock is wrong in either direction must still be able to
# ask its hub for the time and a new certificate; chain, name and the pinned CA are checked all the same.
_NO_CHECK_TIME = 0x200000
_WHAT = {"/v1/claim": "the claim", "/v1/renew": "the renewal", "/v1/time": "to tell the time"}
_ANSWER_MOST_BYTES = 64 * 1024


class ClaimFailed(SiagaError):
    """The gateway was not reached or did not accept the claim."""


def enrol(config: NodeConfig, token: str, ca_file: Path) -> str:
    """Claim this node's certificate; when it expires (ISO 8601). Raises ClaimFailed.

    The key is made here, is readable by its owner alone and never leaves. A power cut at any point is met by
    running this again: the same key is used, and the hub takes it with the same token until that expires.
    """
    key = own_key(config.hub.key_file)
    # Before the token is used: what fails here must not fail after it.
    config.hub.certificate_file.parent.mkdir(parents=True, exist_ok=True)
    claim = {"token": token, "csr_pem": request_pem(key, config.node.id)}
    return _store(config, key, _ask(config, "/v1/claim", claim, ca_file))


def renewal_due(config: NodeConfig, now: datetime) -> bool:
    """Whether the node's certificate has a month left at `now`, or less, or lies in the future."""
    certificate = x509.load_pem_x509_certificate(config.hub.certificate_file.read_bytes())
    left = certificate.not_valid_after_utc - now
    return left < RENEW_BEFORE or now < certificate.not_valid_before_utc


def renew(config: NodeConfig) -> str:
    """Get a new certificate for the same key; when it expires. Raises ClaimFailed.

    Works with a certificate that has expired and with any clock: the gateway looks at chain, revocation and
    proof of the key alone. A power cut leaves the old certificate or the new one.
    """
    key = own_key(config.hub.key_file)
    old = x509.load_pem_x509_certificate(config.hub.certificate_file.read_bytes())
    old_pem = old.public_bytes(serialization.Encoding.PEM).decode()
    wish = {"certificate_pem": old_pem, "csr_pem": request_pem(key, config.node.id)}
    return _store(config, key, _ask(config, "/v1/renew", wish, config.hub.ca_file))


@dataclass(frozen=True, slots=True)
class HubTime:
    """The hub's clock said `wall_ns` at some moment between two of this node's boot clock."""

    wall_ns: int
    asked_boot_ns: int
    told_boot_ns: int


def hub_time(config: NodeConfig, clock: Clock) -> HubTime:
    """Ask for the hub's clock over TLS to the pinned CA; the handshake is not counted. Raises ClaimFailed."""
    asked: list[int] = []
    answer = _ask(config, "/v1/time", None, config.hub.ca_file, lambda: asked.append(clock.boot_ns()))
    try:
        return HubTime(int(answer["wall_ns"]), asked[0], clock.boot_ns())
    except (KeyError, TypeError, ValueError) as error:
        raise ClaimFailed(f"gateway {config.hub.gateway_url} told no time") from error


def _store(config: NodeConfig, key: ec.EllipticCurvePrivateKey, answer: dict[str, Any]) -> str:
    certificate = x509.load_pem_x509_certificate(answer["certificate_pem"].encode())
    if certificate.public_key() != key.public_key():
        raise ClaimFailed("the gateway answered with a certificate for another key; nothing was stored")
    write_atomic(config.hub.certificate_file, (answer["certificate_pem"] + answer["chain_pem"]).encode())
    made_ns = int(certificate.not_valid_before_utc.timestamp()) * 10**9
    if config.node.data_dir.is_dir() and made_ns > read_floor_ns(config.node.data_dir):
        with contextlib.suppress(OSError):  # the first answer of the hub says it again
            write_floor(config.node.data_dir, made_ns)
    return certificate.not_valid_after_utc.isoformat()


def own_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """This node's key, made if there is none yet."""
    if path.exists():
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:  # TypeError: it wants a password
            raise ClaimFailed(f"{path} cannot be used as a key; move it away and enrol again") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ClaimFailed(f"{path} is no elliptic curve key; move it away and enrol again")
        return key
    made = ec.generate_private_key(ec.SECP256R1())
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = serialization.NoEncryption()
    pem = made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    write_atomic(path, pem, mode=0o600)
    return made


def request_pem(key: ec.EllipticCurvePrivateKey, node: str) -> str:
    """A certificate request for `node`, signed by its key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, node)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def _ask(
    config: NodeConfig,
    path: str,
    body: dict[str, str] | None,
    ca_file: Path,
    connected: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    url = urlsplit(config.hub.gateway_url)
    try:
        context = ssl.create_default_context(cafile=os.fspath(ca_file))
        context.verify_flags |= _NO_CHECK_TIME
        connection = http.client.HTTPSConnection(
            url.hostname or "", url.port or 443, timeout=LIMIT_S, context=context
        )
        headers = {"Content-Type": "application/json"}
        connection.connect()
        connected()
        connection.request("POST" if body else "GET", path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        said = answer.read(_ANSWER_MOST_BYTES)
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        raise ClaimFailed(f"gateway {config.hub.gateway_url} was not reached: {error}") from error
    if answer.status != 200:
        raise ClaimFailed(
            f"gateway {config.hub.gateway_url} refused {_WHAT[path]}: {said.decode(errors='replace')}"
        )
    found: dict[str, Any] = json.loads(said)
    return found
