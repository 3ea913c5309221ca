"""Keeps the revocation list young, and the hub's own certificates: what expires takes every node away."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from siaga_central.authority.authority import Authority
from siaga_central.store import certificates, events
from siaga_central.store.writer import Store
from siaga_core.service.clock import Clock
from siaga_core.service.workers import Heartbeat, Stop

log = logging.getLogger(__name__)

EVERY_S = 60.0
# The list is good for seven days; it is made anew every day, so that an alarm has six days to be heard.
RENEW_AFTER = timedelta(days=1)
ALARM_BEFORE = timedelta(days=4)


def due(age: timedelta | None) -> bool:
    """Whether a list this old is made anew; one from the future, or none, always is."""
    return age is None or age < timedelta(0) or age >= RENEW_AFTER


def renew_crl(store: Store, authority: Authority, clock: Clock) -> None:
    """Make the list anew from what is revoked. Raises OSError when it cannot be written."""
    with store.read() as connection:
        revoked = certificates.revoked(connection)
    authority.write_crl(revoked, _now(clock))


class Renewal:
    """The worker; `look` is one round."""

    def __init__(
        self,
        store: Store,
        authority: Authority,
        clock: Clock,
        reload_broker: Callable[[], None],
        renew_own: Callable[[datetime], None] = lambda _now: None,
    ) -> None:
        """`renew_own` makes the hub's own certificates anew if they are old, and puts them in force."""
        self._renew_own = renew_own
        self._store, self._authority, self._clock = store, authority, clock
        self._reload, self._alarmed = reload_broker, False

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Look every minute until asked to stop."""
        while True:
            self.look()
            self.look_after_own()
            heartbeat.beat()
            if stop.wait(EVERY_S / 3):
                return

    def look(self) -> None:
        """Renew the list if it is due; say so early when that fails."""
        made, expires = self._authority.crl_span()
        now = _now(self._clock)
        if due(now - made if made else None):
            try:
                renew_crl(self._store, self._authority, self._clock)
            except OSError as error:
                log.error("revocation list not renewed cause=%s; it expires %s", error, expires)
            else:
                self._reload()
                self._alarmed = False
                log.info("revocation list renewed")
                return
        if expires is not None and expires - now < ALARM_BEFORE and not self._alarmed:
            self._alarmed = True
            body = {"expires": expires.isoformat(), "do": "free the disk of the hub, or restart it"}
            now_us = self._clock.wall_ns() // 1000
            self._store.write(lambda c: events.append(c, now_us, "authority.crl", "hub", "hub", body))

    def look_after_own(self) -> None:
        """Renew the hub's own certificates; a failure is tried again, with a month to be heard in."""
        try:
            self._renew_own(_now(self._clock))
        except OSError as error:
            log.error("the hub's own certificates are not renewed cause=%s", error)


def _now(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.wall_ns() / 1e9, UTC)
