"""HTTP authentication as cameras do it: basic (RFC 7617), digest with MD5 with or without qop (RFC 7616)."""

import base64
import hashlib
import hmac
import os
import re
from dataclasses import dataclass, field

REALM = "Siaga simulated camera"
_PAIR = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')


@dataclass(frozen=True, slots=True)
class Gate:
    """Who may come in. An empty user lets everybody in. One gate, and so one nonce, per connection."""

    user: str
    password: str
    nonce: str = field(default_factory=lambda: os.urandom(16).hex())

    def challenge(self, auth: str = "digest") -> str:
        """Value of the WWW-Authenticate header."""
        if auth == "basic":
            return f'Basic realm="{REALM}"'
        return f'Digest realm="{REALM}", nonce="{self.nonce}", algorithm=MD5'

    def admits(self, method: str, authorization: str, auth: str = "digest") -> bool:
        """Whether an Authorization header proves the password for `method` and the URI that it names."""
        if not self.user:
            return True
        scheme, _, rest = authorization.partition(" ")
        if scheme.lower() != auth:
            return False
        if auth == "basic":
            proof = base64.b64encode(f"{self.user}:{self.password}".encode())
            return hmac.compare_digest(proof, rest.strip().encode())
        given = {key.lower(): quoted or bare for key, quoted, bare in _PAIR.findall(rest)}
        if given.get("nonce") != self.nonce or given.get("username") != self.user:
            return False
        return hmac.compare_digest(self._response(method, given), given.get("response", ""))

    def _response(self, method: str, given: dict[str, str]) -> str:
        secret = _md5(f"{self.user}:{REALM}:{self.password}")
        request = _md5(f"{method}:{given.get('uri', '')}")
        if "qop" not in given:
            return _md5(f"{secret}:{self.nonce}:{request}")
        proof = f"{given.get('nc', '')}:{given.get('cnonce', '')}:{given['qop']}"
        return _md5(f"{secret}:{self.nonce}:{proof}:{request}")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
