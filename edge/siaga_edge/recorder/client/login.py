"""Proof of the password to a camera: digest (RFC 7616, RFC 2617) and basic (RFC 7617). Pure."""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from siaga_edge.recorder.client.messages import NotUnderstood

_PAIR = re.compile(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]*))')
_HASHES = {"md5": "md5", "sha-256": "sha256"}
_STRENGTH = {"basic": 1, "md5": 2, "sha-256": 3}


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a camera asks for. `algorithm`: basic, md5 or sha-256."""

    algorithm: str
    realm: str
    nonce: str = ""
    opaque: str = ""
    has_qop: bool = False
    stale: bool = False


def strongest(values: Sequence[str]) -> Challenge:
    """The strongest that is understood of the WWW-Authenticate headers. Raises NotUnderstood."""
    found = [one for value in values if (one := _challenge(value)) is not None]
    if not found:
        raise NotUnderstood("a way to log in that is not known here")
    return max(found, key=lambda one: _STRENGTH[one.algorithm])


def authorization(
    challenge: Challenge, user: str, password: str, method: str, url: str, count: int, cnonce: str
) -> str:
    """Value of the Authorization header; `count` is the how-manieth use of the nonce."""
    if challenge.algorithm == "basic":
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    realm, nonce = challenge.realm, challenge.nonce
    secret = _hashed(challenge, f"{user}:{realm}:{password}")
    asked = _hashed(challenge, f"{method}:{url}")
    said = {"username": user, "realm": realm, "nonce": nonce, "uri": url}
    text = ", ".join(f'{name}="{_quoted(value)}"' for name, value in said.items())
    if challenge.has_qop:
        proof = _hashed(challenge, f"{secret}:{nonce}:{count:08x}:{cnonce}:auth:{asked}")
        text += f', qop=auth, nc={count:08x}, cnonce="{cnonce}"'
    else:
        proof = _hashed(challenge, f"{secret}:{nonce}:{asked}")
    text += f', response="{proof}", algorithm={challenge.algorithm.upper()}'
    return "Digest " + text + (f', opaque="{_quoted(challenge.opaque)}"' if challenge.opaque else "")


def _challenge(value: str) -> Challenge | None:
    scheme, _, rest = value.strip().partition(" ")
    said = {name.lower(): _plain(quoted) or bare for name, quoted, bare in _PAIR.findall(rest)}
    if scheme.lower() == "basic":
        return Challenge("basic", said.get("realm", ""))
    algorithm = said.get("algorithm", "MD5").lower()
    ways = [way.strip().lower() for way in said.get("qop", "").split(",") if way.strip()]
    if scheme.lower() != "digest" or algorithm not in _HASHES or (ways and "auth" not in ways):
        return None
    stale = said.get("stale", "").lower() == "true"
    return Challenge(
        algorithm, said.get("realm", ""), said.get("nonce", ""), said.get("opaque", ""), bool(ways), stale
    )


def _hashed(challenge: Challenge, text: str) -> str:
    return hashlib.new(_HASHES[challenge.algorithm], text.encode(), usedforsecurity=False).hexdigest()


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _plain(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)
