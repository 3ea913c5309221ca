"""Logging in and out, and the language of the pages."""

import secrets
import threading
from collections import defaultdict, deque
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from siaga_central.authority.passwords import NOBODY, verify
from siaga_central.console.access import (
    COOKIE,
    LANGUAGE_COOKIE,
    Needs,
    Public,
    Visitor,
    check_origin,
    is_open,
    token_sha256,
)
from siaga_central.console.context import Console
from siaga_central.console.page import At, came_from, public_page, see_other
from siaga_central.store import sessions, users

router = APIRouter()
# Wrong passwords of one address for one account within a minute before it has to wait (policy value).
_TRIES = 5
_TRIES_WITHIN_S = 60.0
_YEAR_S = 365 * 24 * 3600


class Tries:
    """Counts wrong passwords per account and address."""

    def __init__(self) -> None:
        self._wrong: dict[tuple[str, str], deque[float]] = defaultdict(lambda: deque(maxlen=_TRIES))
        self._lock = threading.Lock()

    def may_try(self, name: str, address: str, now_s: float) -> bool:
        """Whether this address may try this account now."""
        with self._lock:
            wrong = self._wrong.get((name, address))
            return wrong is None or len(wrong) < _TRIES or now_s - wrong[0] > _TRIES_WITHIN_S

    def wrong(self, name: str, address: str, now_s: float) -> None:
        """Note a wrong password; what is long ago is forgotten."""
        with self._lock:
            for key in [key for key, times in self._wrong.items() if now_s - times[-1] > _TRIES_WITHIN_S]:
                del self._wrong[key]
            self._wrong[name, address].append(now_s)


_tries = Tries()


@router.get("/masuk", dependencies=[Depends(Public())])
def ask(request: Request, console: At) -> Response:
    """The login form."""
    return public_page(console, request, "login.html", failed="")


@router.post("/masuk", dependencies=[Depends(Public())])
def log_in(
    request: Request, console: At, name: Annotated[str, Form()], password: Annotated[str, Form()]
) -> Response:
    """Open a session; the answer and its delay do not tell whether the account exists."""
    check_origin(request)
    address = request.client.host if request.client else ""
    now_s = console.clock.mono_s()
    if not _tries.may_try(name, address, now_s):
        return public_page(console, request, "login.html", 429, failed="wait")
    if not _is_right(console, name, password):
        _tries.wrong(name, address, now_s)
        return public_page(console, request, "login.html", 401, failed="wrong")
    token, csrf, now_us = secrets.token_urlsafe(32), secrets.token_urlsafe(32), console.now_us()
    expires_us = now_us + console.settings.session_s * 1_000_000
    console.store.write(lambda c: sessions.open(c, token_sha256(token), name, csrf, now_us, expires_us))
    answer = see_other("/")
    secure = console.settings.secure_cookies
    answer.set_cookie(
        COOKIE, token, console.settings.session_s, secure=secure, httponly=True, samesite="strict"
    )
    return answer


@router.post("/keluar")
def log_out(console: At, visitor: Annotated[Visitor, Depends(Needs(None))]) -> Response:
    """End the session."""
    console.store.write(lambda c: sessions.end(c, visitor.token_sha256, console.now_us()))
    answer = see_other("/masuk")
    answer.delete_cookie(COOKIE)
    return answer


@router.get("/bahasa/{language}", dependencies=[Depends(Public())])
def choose(request: Request, language: Literal["id", "en"]) -> Response:
    """Choose the language of this browser."""
    answer = see_other(came_from(request))
    answer.set_cookie(LANGUAGE_COOKIE, language, _YEAR_S, httponly=True, samesite="lax")
    return answer


def _is_right(console: Console, name: str, password: str) -> bool:
    with console.store.read() as connection:
        account = users.find(connection, name)
    right = verify(account.password_hash if account else NOBODY, password)
    return right and account is not None and is_open(account, console.now_us())
