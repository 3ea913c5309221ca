"""The modem's state: what a reset forgets, what the SIM keeps, who is calling."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from siaga_edge.simulate.modem.faults import Faults
from siaga_edge.simulate.modem.line import Line
from siaga_edge.simulate.modem.profile import Profile
from siaga_edge.simulate.modem.request import Request
from siaga_edge.simulate.modem.store import Delivery, Memory, ServiceCentre
from siaga_edge.simulate.modem.tpdu import Submit


class Now(NamedTuple):
    """The present: CLOCK_MONOTONIC seconds and Unix seconds."""

    mono_s: float
    wall_s: float


class AtError(Exception):
    """A command that cannot be done: `kind` CME or CMS with its code, or a plain ERROR (code None)."""

    def __init__(self, kind: Literal["CME", "CMS", ""] = "", code: int | None = None) -> None:
        super().__init__(f"{kind} {code}")
        self.kind, self.code = kind, code


@dataclass(slots=True)
class Settings:
    """What ATZ, a reset and pulling the plug put back."""

    echo: bool = True
    verbose: bool = True
    quiet: bool = False
    error_level: int = 0
    text_mode: bool = False
    text_details: bool = False
    character_set: str = "IRA"
    service: int = 0  # AT+CSMS
    cnmi: tuple[int, int, int, int, int] = (1, 0, 0, 0, 0)
    stores: tuple[str, str, str] = ("SM", "SM", "SM")
    clip: bool = False
    extended_ring: bool = False
    call_waiting: bool = False
    auto_answer_rings: int = 0  # S0 (ITU-T V.250 §6.3.8); 0 leaves a call to ring
    hangup_needs_chup: bool = True  # AT+CVHU: 1 and 2 make ATH a word without effect
    registration: dict[str, int] = field(default_factory=dict)
    operator_format: int = 0
    values: dict[str, str] = field(default_factory=dict)  # set and read back, no effect here


@dataclass(slots=True)
class Sim:
    """The card, which outlives every reset. PIN code empty: none is asked."""

    pin: str = ""
    puk: str = "12345678"
    tries_left: int = 3
    puk_tries_left: int = 10
    unlocked: bool = True
    imsi: str = "510101234567890"
    smsc: str = "+62816124"

    # Kept by the network, not by the modem: +CCFC reason and number.
    forwards: dict[int, str] = field(default_factory=dict)

    def state(self) -> str:
        """The answer to AT+CPIN?."""
        if self.tries_left == 0:
            return "SIM PUK"
        return "READY" if self.unlocked else "SIM PIN"


@dataclass(slots=True)
class Call:
    """One leg. `direction` 1 is a caller from outside (3GPP TS 27.007 +CLCC)."""

    id: int
    number: str
    withheld: bool
    rings_left: int
    ring_every_s: float
    next_ring_mono_s: float
    began_mono_s: float
    direction: Literal[0, 1] = 1
    state: Literal["active", "dialing", "alerting", "incoming", "waiting"] = "incoming"
    answered_mono_s: float | None = None
    clip_due_mono_s: float | None = None
    rings: int = 0


@dataclass(slots=True)
class Citizen:
    """Who calls, with a voice: PCM that he says once picked up; the file for what he heard."""

    says: bytes
    hears: str
    said: int = 0
    heard: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class Sent:
    """A message that the node gave to the network."""

    reference: int
    submit: Submit
    at_mono_s: float
    at_wall_s: float
    report_due_mono_s: float | None = None
    reported: int | None = None


@dataclass(slots=True)
class Machine:
    """Everything that command handlers read and change."""

    profile: Profile
    sim: Sim
    line: Line
    faults: Faults
    rng: random.Random
    settings: Settings = field(default_factory=Settings)
    memories: dict[str, Memory] = field(default_factory=dict)
    centre: ServiceCentre = field(default_factory=ServiceCentre)
    deliveries: list[Delivery] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    finished_calls: list[dict[str, object]] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    citizens: dict[int, Citizen] = field(default_factory=dict)  # by the call's id
    signals: list[tuple[str, dict[str, object]]] = field(default_factory=list)  # to the modem of a number
    pcm_open: bool = False
    pcm_uses: int = 0  # since the last reset that clears the audio endpoint
    function: int = 1
    next_reference: int = 1
    counters: dict[str, int] = field(default_factory=dict)
    known_commands: frozenset[str] = frozenset()
    # Set by the dialogue: an unsolicited line, one about a stored message, and AT+CFUN=1,1.
    say: Callable[[str, Now], None] = lambda _text, _now: None
    announce: Callable[[str, Delivery, Now], None] = lambda _text, _delivery, _now: None
    reset: Callable[[Now], None] = lambda _now: None

    def __post_init__(self) -> None:
        self.memories = {name: Memory(capacity) for name, capacity in self.profile.stores.items()}
        self.memories["SR"] = Memory(20)
        self.sim.unlocked = not self.sim.pin
        self.settings, self.function = self.fresh_settings(), 4 if self.profile.lacks.radio else 1

    def fresh_settings(self) -> Settings:
        """What is in force after power-on."""
        store = self.profile.default_store
        return Settings(
            stores=(store, store, store),
            hangup_needs_chup=self.profile.hangs_up_only_without_cvhu,
            auto_answer_rings=self.faults.stored_s0,
        )

    def count(self, what: str) -> None:
        """One more of `what`, for the control socket's `state`."""
        self.counters[what] = self.counters.get(what, 0) + 1

    @property
    def on_air(self) -> bool:
        """Whether the network can reach the modem."""
        return self.function == 1 and self.sim.state() == "READY" and self.faults.registered in (1, 5)


Handler = Callable[[Machine, Request, Now], list[str]]
