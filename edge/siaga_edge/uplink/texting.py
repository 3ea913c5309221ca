"""Sends urgent records by SMS while the hub does not take them: signed here, sent by the node's own modem.

The key stays with the uplink. The modem gets an ordinary order through the inbox, whose id is the record's:
however often this runs, after whatever kill, a record is ordered once.
"""

import logging
from collections import deque
from collections.abc import Iterable

import msgspec

from siaga_core.service.clock import Clock
from siaga_core.service.signing import Signer
from siaga_core.wire import carried
from siaga_core.wire.command import Command, SendSms
from siaga_core.wire.envelope import BadRecord, Stamp
from siaga_core.wire.ids import NodeId
from siaga_core.wire.roster import NAME, Roster, decode_roster
from siaga_edge.inbox import InboxWriter
from siaga_edge.journal import StoredRecord
from siaga_edge.uplink import carrying
from siaga_edge.uplink.carrying import Aged

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
# A text that has not left for so long says nothing new any more.
TTL_MS = 3_600_000


class Texting:
    """Used in the uplink's thread, which alone writes the inbox."""

    def __init__(self, node: NodeId, inbox: InboxWriter, clock: Clock, boot_id: str) -> None:
        self._node, self._inbox, self._clock, self._boot_id = node, inbox, clock, boot_id
        self._looked_mono_s = float("-inf")
        self._ordered: deque[float] = deque()

    def is_due(self) -> bool:
        """Whether it is time to look again."""
        return self._clock.mono_s() - self._looked_mono_s >= LOOK_EVERY_S

    def look(self, waiting: Iterable[tuple[str, StoredRecord]], signer: Signer) -> int:
        """Order texts for (service, record) pairs that have waited too long; how many are new."""
        now_s = self._looked_mono_s = self._clock.mono_s()
        roster = self._roster()
        number = carrying.gateway(roster, self._node)
        if number is None:
            return 0
        while self._ordered and now_s - self._ordered[0] >= 60:
            self._ordered.popleft()
        after_s = roster.policy.carry_after_s
        due = [one for one in map(self._aged, waiting) if carrying.is_due(one, after_s)]
        ordered = 0
        for one in carrying.newest_of_each(due):
            if len(self._ordered) >= carrying.RECORDS_A_MINUTE:
                break
            if self._order(one, number, signer):
                self._ordered.append(now_s)
                ordered += 1
        return ordered

    def _order(self, one: Aged, number: str, signer: Signer) -> bool:
        record, id = one.record, carrying.text_id(one)
        if self._inbox.has(id):
            return False
        at = msgspec.json.decode(record.at, type=Stamp)
        content = carrying.content(one, at.wall_ns // 10**9)
        if content is None:
            log.info("too long for SMS, waits for the link stream=%s seq=%d", record.stream, record.seq)
            return False
        signature = signer.sign(carried.signed_octets(content))
        signed = carried.Signed(signer.key_id[: carried.KEY_ID_BYTES], signature, content)
        now_ms = self._clock.wall_ns() // 1_000_000
        order = SendSms(to=number, text=carried.text_of(signed), at_least_once=True)
        fresh = self._inbox.put(
            Command(
                id=id,
                node=self._node,
                service="modem",
                order=order,
                issued_ms=now_ms,
                expires_ms=now_ms + TTL_MS,
                issuer="uplink",
            )
        )
        log.warning("urgent record goes by SMS stream=%s seq=%d", record.stream, record.seq)
        return fresh

    def _aged(self, pair: tuple[str, StoredRecord]) -> Aged:
        service, record = pair
        at = msgspec.json.decode(record.at, type=Stamp)
        if at.boot_id == self._boot_id:
            return Aged(record, service, (self._clock.boot_ns() - at.boot_ns) / 1e9)
        return Aged(record, service, max(0.0, (self._clock.wall_ns() - at.wall_ns) / 1e9))

    def _roster(self) -> Roster:
        wish = self._inbox.want(NAME)
        try:
            return decode_roster(bytes(wish.body)) if wish else Roster()
        except BadRecord:
            return Roster()
