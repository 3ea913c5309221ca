"""HTTP digest authentication as cameras do it: MD5, with or without qop (RFC 2617, RFC 7616)."""

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

    def challenge(self) -> str:
        """Value of the WWW-Authenticate header."""
        return f'Digest realm="{REALM}", nonce="{self.nonce}", algorithm=MD5'

    def admits(self, method: str, authorization: str) -> bool:
        """Whether an Authorization header proves the password for `method` and the URI that it names."""
        if not self.user:
            return True
        scheme, _, rest = authorization.partition(" ")
        given = {key.lower(): quoted or bare for key, quoted, bare in _PAIR.findall(rest)}
        if (
            scheme.lower() != "digest"
            or given.get("nonce") != self.nonce
            or given.get("username") != self.user
        ):
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
