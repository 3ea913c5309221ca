"""Answers of the console: a page in the visitor's language, or a message that says what went wrong."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from siaga_central.console.access import LANGUAGE_COOKIE, NotLoggedIn, Visitor, visitor_of
from siaga_central.console.context import Console, console_of
from siaga_central.domain.role import Permission
from siaga_central.store import notices, views

At = Annotated[Console, Depends(console_of)]
# Pages name people: neither the browser nor a proxy keeps them.
NO_STORE = {"Cache-Control": "no-store"}


def page(console: Console, template: str, visitor: Visitor, status: int = 200, **values: Any) -> HTMLResponse:
    """A page for somebody logged in; without rows of its own it is as of the newest event."""
    if "seq" not in values:
        with console.store.read() as connection:
            values["seq"] = views.last_seq(connection)
    html = console.render(
        template,
        visitor.language,
        visitor=visitor,
        urgent=lambda: _urgent(console, visitor),
        notices=lambda: _notices(console),
        **values,
    )
    return HTMLResponse(html, status, NO_STORE)


def public_page(
    console: Console, request: Request, template: str, status: int = 200, **values: Any
) -> HTMLResponse:
    """A page for anybody, in the language last chosen in this browser."""
    html = console.render(template, language_of(request), visitor=None, **values)
    return HTMLResponse(html, status, NO_STORE)


def language_of(request: Request) -> str:
    """The language chosen in this browser, Indonesian when none is."""
    return "en" if request.cookies.get(LANGUAGE_COOKIE) == "en" else "id"


def see_other(path: str) -> RedirectResponse:
    """After a change: load `path`."""
    return RedirectResponse(path, 303, NO_STORE)


def came_from(request: Request) -> str:
    """Path of our own page that the visitor was on, `/` when it is not known or not ours."""
    parts = urlsplit(request.headers.get("referer", ""))
    is_ours = parts.netloc == request.headers.get("host") and parts.path.startswith("/")
    return parts.path if is_ours and not parts.path.startswith("//") else "/"


def trouble(console: Console, request: Request, status: int, message: str) -> Response:
    """A page that says why something was not done, in the frame of whoever is logged in."""
    visitor = visitor_of(console, request)
    if visitor is not None:
        return page(console, "trouble.html", visitor, status, message=message)
    return public_page(console, request, "trouble.html", status, message=message)


def not_logged_in(request: Request, _error: NotLoggedIn) -> Response:
    """Send people to the login page, and scripts and players away."""
    if request.headers.get("sec-fetch-mode", "navigate") == "navigate" and request.method in ("GET", "HEAD"):
        return see_other("/masuk")
    return Response("log in first", 401, NO_STORE, media_type="text/plain")


def _notices(console: Console) -> notices.HubNotices:
    with console.store.read() as connection:
        return notices.hub_notices(connection, console.clock.wall_ns() // 1000)


def _urgent(console: Console, visitor: Visitor) -> list[str]:
    """P1 incidents that need action, for which an open page sounds: `key@what silence is for@untaken`."""
    if not visitor.may(Permission.SEE_INCIDENTS):
        return []
    with console.store.read() as connection:
        found = views.needs_action(connection).rows
    taken = {None: "untaken"}
    return [
        f"incident-{line.incident.id}@{line.sound}@{taken.get(line.incident.taken_by, '')}"
        for line in found
        if line.priority == "P1"
    ]
