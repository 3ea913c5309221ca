"""The node's side of a claim: its own key, a single-use token, a pinned CA, a certificate."""

import http.client
import json
import os
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from siaga_core.errors import SiagaError
from siaga_core.service.files import write_atomic
from siaga_edge.node import NodeConfig

LIMIT_S = 20.0
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
    answer = _ask(config, {"token": token, "csr_pem": request_pem(key, config.node.id)}, ca_file)
    certificate = x509.load_pem_x509_certificate(answer["certificate_pem"].encode())
    if certificate.public_key() != key.public_key():
        raise ClaimFailed("the gateway answered with a certificate for another key; nothing was stored")
    write_atomic(config.hub.certificate_file, (answer["certificate_pem"] + answer["chain_pem"]).encode())
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


def _ask(config: NodeConfig, claim: dict[str, str], ca_file: Path) -> dict[str, str]:
    url = urlsplit(config.hub.gateway_url)
    try:
        context = ssl.create_default_context(cafile=os.fspath(ca_file))
        connection = http.client.HTTPSConnection(
            url.hostname or "", url.port or 443, timeout=LIMIT_S, context=context
        )
        connection.request("POST", "/v1/claim", json.dumps(claim), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read(_ANSWER_MOST_BYTES)
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        raise ClaimFailed(f"gateway {config.hub.gateway_url} was not reached: {error}") from error
    if answer.status != 200:
        raise ClaimFailed(
            f"gateway {config.hub.gateway_url} refused the claim: {body.decode(errors='replace')}"
        )
    found: dict[str, str] = json.loads(body)
    return found
