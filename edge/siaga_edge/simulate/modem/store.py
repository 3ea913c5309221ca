"""Message memories with few slots, and the service centre that keeps what does not fit."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

Status = Literal[0, 1, 2, 3]  # 3GPP TS 27.005 <stat>: 0 unread, 1 read, 2 unsent, 3 sent


@dataclass(slots=True)
class Delivery:
    """One PDU on its way from the network to the modem, and when each thing happened to it.

    Times are CLOCK_MONOTONIC seconds and Unix seconds, so that another process can subtract them.
    """

    id: int
    pdu: bytes
    injected_mono_s: float
    state: Literal["queued", "stored", "direct"] = "queued"
    memory: str = ""
    index: int = 0
    stored_mono_s: float | None = None
    announced_mono_s: float | None = None
    announced_wall_s: float | None = None
    announcement: Literal["", "sent", "dropped", "off", "waiting"] = ""
    deleted_mono_s: float | None = None


@dataclass(slots=True)
class Slot:
    """One stored message: SMSC address and TPDU as it goes into +CMGR."""

    pdu: bytes
    status: Status
    delivery: Delivery | None = None

    @property
    def tpdu_length(self) -> int:
        """Octets without the SMSC address, the number that +CMGR and +CMGL give; 0 if they are no message."""
        return max(0, len(self.pdu) - 1 - self.pdu[0]) if self.pdu else 0


@dataclass(slots=True)
class Memory:
    """One store; indices begin at 1 and a freed one is used again, lowest first."""

    capacity: int
    slots: dict[int, Slot] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        """Whether nothing more fits."""
        return len(self.slots) >= self.capacity

    def put(self, slot: Slot) -> int:
        """Store in the lowest free slot; its index. The caller has seen that there is room."""
        index = next(place for place in range(1, self.capacity + 1) if place not in self.slots)
        self.slots[index] = slot
        return index


@dataclass(slots=True)
class ServiceCentre:
    """The operator's SMSC: holds messages while the modem is off or full, hands them over in order."""

    waiting: deque[Delivery] = field(default_factory=deque)
    scheduled: list[tuple[float, Delivery]] = field(default_factory=list)
    retry_at_mono_s: float = 0.0

    def schedule(self, delivery: Delivery, at_mono_s: float) -> None:
        """Hand over at `at_mono_s`, not before."""
        self.scheduled.append((at_mono_s, delivery))
        self.scheduled.sort(key=lambda item: item[0])

    def release(self, now_mono_s: float) -> None:
        """Move what is due to the queue."""
        while self.scheduled and self.scheduled[0][0] <= now_mono_s:
            self.waiting.append(self.scheduled.pop(0)[1])

    def due_mono_s(self) -> float | None:
        """When something has to be tried next."""
        times = [at for at, _ in self.scheduled[:1]]
        if self.waiting:
            times.append(self.retry_at_mono_s)
        return min(times, default=None)
