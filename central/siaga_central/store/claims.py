"""Single-use tokens with which a node claims its certificate."""

from sqlalchemy import Connection, insert, select, update

from siaga_central.store import events
from siaga_central.store.schema import claim
from siaga_core.errors import SiagaError


class ClaimRefused(SiagaError):
    """A token that opens nothing; `reason` is one stable word."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def make(
    connection: Connection, token_sha256: str, node: str, actor: str, now_us: int, expires_us: int
) -> None:
    """Keep the hash of a new token for `node`."""
    row = {"token_sha256": token_sha256, "node": node, "made_us": now_us, "expires_us": expires_us}
    connection.execute(insert(claim).values(row))
    events.append(connection, now_us, "claim.made", node, actor, {"expires_us": expires_us})


def node_of(connection: Connection, token_sha256: str) -> str:
    """The node a token is for. Raises ClaimRefused."""
    found = connection.execute(select(claim.c.node).where(claim.c.token_sha256 == token_sha256))
    node = found.scalar_one_or_none()
    if node is None:
        raise ClaimRefused("unknown", "this token was never issued here")
    return str(node)


def use(connection: Connection, token_sha256: str, public_key_sha256: str, now_us: int) -> str:
    """Use a token with a key; the node it is for. Raises ClaimRefused.

    The same key may use it again until it expires, because the power may fail before the node has stored its
    certificate; another key never.
    """
    row = connection.execute(select(claim).where(claim.c.token_sha256 == token_sha256)).one_or_none()
    if row is None:
        raise ClaimRefused("unknown", "this token was never issued here")
    if row.expires_us <= now_us:
        raise ClaimRefused("expired", f"the token for {row.node} has expired; invite the node again")
    if row.used_us is not None and row.public_key_sha256 != public_key_sha256:
        raise ClaimRefused("used", f"the token for {row.node} has been used with another key")
    if row.used_us is None:
        values = {"used_us": now_us, "public_key_sha256": public_key_sha256}
        connection.execute(update(claim).where(claim.c.token_sha256 == token_sha256).values(**values))
        events.append(connection, now_us, "claim.used", row.node, f"node:{row.node}", values)
    return str(row.node)
