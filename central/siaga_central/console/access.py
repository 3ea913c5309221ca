"""Who may do what on the console; every route names one permission or says that it is public."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from siaga_central.console.context import Console, console_of
from siaga_central.domain.role import Permission, allows
from siaga_central.store import sessions, users

COOKIE = "siaga_session"
LANGUAGE_COOKIE = "siaga_language"
_SAFE = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody logged in."""

    name: str
    full_name: str
    role: str
    language: str
    csrf: str
    token_sha256: str

    def may(self, permission: Permission) -> bool:
        """Whether the visitor's role has `permission`."""
        return allows(self.role, permission)


class NotLoggedIn(Exception):
    """The visitor has no live session."""


class Forged(HTTPException):
    """A changing request that did not come from one of our own pages."""

    def __init__(self) -> None:
        super().__init__(403, "this request did not come from a page of this console")


class Needs:
    """Lets a visitor with `permission` in, anybody logged in when it is None.

    A changing request must come from our own page with its token.
    """

    def __init__(self, permission: Permission | None) -> None:
        self.permission = permission

    async def __call__(self, request: Request, console: Annotated[Console, Depends(console_of)]) -> Visitor:
        visitor = await run_in_threadpool(visitor_of, console, request)
        if visitor is None:
            raise NotLoggedIn
        if request.method not in _SAFE:
            check_origin(request)
            given = str((await request.form()).get("csrf", ""))
            if not hmac.compare_digest(given.encode(), visitor.csrf.encode()):
                raise Forged
        if self.permission is not None and not visitor.may(self.permission):
            raise HTTPException(403, f"{visitor.role} may not: {self.permission}")
        return visitor


class Public:
    """Marks a route that anybody may call."""

    def __call__(self) -> None:
        return None


def visitor_of(console: Console, request: Request) -> Visitor | None:
    """Who is logged in in this browser, in the language chosen there."""
    visitor = find_visitor(console, request.cookies.get(COOKIE, ""))
    return None if visitor is None else _in_language(visitor, request.cookies.get(LANGUAGE_COOKIE, ""))


def find_visitor(console: Console, token: str) -> Visitor | None:
    """The visitor whose live session `token` opens; None also for a closed or expired account."""
    if not token:
        return None
    digest, now_us = token_sha256(token), console.now_us()
    with console.store.read() as connection:
        session: Any = sessions.find(connection, digest, now_us)
        account: Any = users.find(connection, session.user) if session is not None else None
    if session is None or account is None or not is_open(account, now_us):
        return None
    return Visitor(account.name, account.full_name, account.role, account.language, session.csrf, digest)


def is_open(account: Any, now_us: int) -> bool:
    """Whether an account may be used: not disabled, contract not over."""
    return not account.disabled and (account.expires_us is None or now_us < account.expires_us)


def token_sha256(token: str) -> str:
    """What is stored of a session's token."""
    return hashlib.sha256(token.encode()).hexdigest()


def check_origin(request: Request) -> None:
    """Refuse a changing request from another site. Raises Forged."""
    origin = request.headers.get("origin")
    if origin is not None:
        if urlsplit(origin).netloc != request.headers.get("host"):
            raise Forged
    elif request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise Forged


def _in_language(visitor: Visitor, chosen: str) -> Visitor:
    if chosen not in ("id", "en") or chosen == visitor.language:
        return visitor
    return Visitor(visitor.name, visitor.full_name, visitor.role, chosen, visitor.csrf, visitor.token_sha256)
