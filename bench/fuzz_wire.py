"""Damaged, resealed and invented messages on every topic: nothing uncaught, nothing forged believed."""

import random
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from queue import Queue
from typing import Any

import msgspec
import psutil

from bench.fuzz import Outcome
from bench.place import NODE, STREAM, Place
from siaga_central.authority.voice import Voice
from siaga_central.ingest.decision import decide
from siaga_central.ingest.policy import Policy
from siaga_central.ingest.worker import Ingest
from siaga_central.store.writer import Store
from siaga_core.service.clock import SystemClock
from siaga_core.wire import seal, topics
from siaga_core.wire.command import Command, SendSms, decode_command
from siaga_core.wire.envelope import Ack, BadRecord, Mark, Presence, decode_ack, encode
from siaga_core.wire.want import Want, decode_want
from siaga_edge.uplink.ledger import Ledger
from siaga_edge.uplink.trust import HubTrust

# Every so many messages one goes the whole way, through ingest into the store.
WHOLE_EVERY = 20
_WORDS = (b"null", b"[" * 50, b'{"seq":', b"1e999", b"\xff\xfe", b"-1", b'"\\ud800"')
_UP = f"siaga/v1/up/{NODE}"


class _Message:
    def __init__(self, topic: str, payload: bytes) -> None:
        self.topic, self.payload = topic, payload


class _Bus:
    """Takes what ingest says and keeps nothing."""

    def __init__(self) -> None:
        self.incoming: Queue[_Message] = Queue()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> Any:
        """Nobody listens."""

    def acknowledge(self, batch: object) -> None:
        """Nothing to forget."""


def run(trials: int, seed: int) -> Outcome:
    """`trials` messages; `extra` has the memory at a tenth and at the end, and how many were accepted."""
    rng = random.Random(seed)
    process = psutil.Process()
    uncaught = accepted = 0
    early_mb = 0.0
    with tempfile.TemporaryDirectory(prefix="siaga-wire-") as folder:
        place, clock = Place(Path(folder)), SystemClock()
        store = Store(f"sqlite:///{folder}/hub.db", clock)
        place.register(store)
        voice = Voice(place.authority, "fuzz", 1, datetime.now(UTC))
        ingest = Ingest(store, _Bus(), clock, Policy(), voice)
        ledger = Ledger(Path(folder) / "delivery.db", clock)
        trust = HubTrust(place.authority.ca_file, ledger)
        trust.hear(voice.announcement())
        up, down = _up_corpus(place), _down_corpus(voice)
        whole: list[_Message] = []
        for trial in range(trials):
            try:
                if rng.random() < 0.7:
                    topic, payload = _up_message(rng, up, place)
                    decide(topic, payload, {NODE}, ingest._keys.find)
                    if trial % WHOLE_EVERY == 0:
                        whole.append(_Message(topic, payload))
                else:
                    topic, payload = _mutated(rng, rng.choice(down))
                    believed = _down(trust, topic, payload)
                    accepted += believed
                    uncaught += believed and (topic, payload) not in down
                if len(whole) >= 100:
                    ingest.take(whole)
                    whole.clear()
            except Exception as error:  # noqa: BLE001 - this is what the fuzzer looks for
                uncaught += 1
                sys.stderr.write(f"\nuncaught {type(error).__name__}: {error}\n")
            if trial == trials // 10:
                early_mb = process.memory_info().rss / 1e6
            if trial % 5000 == 0:
                sys.stderr.write(f"\rfuzz wire: {trial}/{trials} uncaught {uncaught}")
                sys.stderr.flush()
        late_mb = process.memory_info().rss / 1e6
        ledger.close()
        store.close()
    sys.stderr.write("\n")
    grown = late_mb / early_mb if early_mb else 1.0
    extra = {"early_mb": round(early_mb, 1), "late_mb": round(late_mb, 1), "grown": round(grown, 3)}
    extra["down_accepted"] = accepted
    return Outcome("wire", trials, 0, 0, 0, uncaught + (grown > 1.2), seed, extra)


def _up_corpus(place: Place) -> list[tuple[str, bytes]]:
    batches = [(f"{_UP}/rec/{STREAM}", payload) for payload in place.batches(1, 60, 20)]
    presence = encode(Presence(node=NODE, online=True, since_ms=1))
    return [*batches, (f"{_UP}/state", presence), ("siaga/v1/up/ghost-1/state", presence)]


def _down_corpus(voice: Voice) -> list[tuple[str, bytes]]:
    text = SendSms(to="+62811", text="x")
    order = Command(id="c", node=NODE, service="modem", order=text, issued_ms=1, expires_ms=2, issuer="op")
    ack = Ack(node=NODE, generation="fuzz", marks=[Mark(stream=STREAM, epoch="0" * 16, upto=1)])
    wish = Want(node=NODE, service="modem", name="roster", version=1, body=msgspec.Raw(b"{}"))
    made = [
        (topics.down_command(NODE), encode(order)),
        (topics.down_ack(NODE), encode(ack)),
        (topics.down_want(NODE, "roster"), encode(wish)),
    ]
    sealed = [(topic, voice.seal(topic, message)) for topic, message in made]
    return [*sealed, (topics.DOWN_HUB, voice.announcement())]


def _up_message(rng: random.Random, corpus: list[tuple[str, bytes]], place: Place) -> tuple[str, bytes]:
    """A damaged message; one in ten is damaged inside and sealed again, as a broken node would."""
    if rng.random() < 0.1:
        topic, payload = corpus[0]
        message = seal.expand(seal.unpack(payload, 10**6), 10**6)
        return topic, place.signer.seal(topic, _spoilt(rng, message))
    return _mutated(rng, rng.choice(corpus))


def _mutated(rng: random.Random, original: tuple[str, bytes]) -> tuple[str, bytes]:
    topic, payload = original
    if rng.random() < 0.1:
        topic = "".join(rng.choice("siaga/v1updownrec+#\0é-") for _ in range(rng.randrange(60)))
    return topic, _spoilt(rng, payload)


def _spoilt(rng: random.Random, payload: bytes) -> bytes:
    spoilt = bytearray(payload)
    for _ in range(rng.randrange(1, 6)):
        kind, at = rng.randrange(5), rng.randrange(len(spoilt) + 1)
        if kind == 0 and spoilt:
            spoilt[at % len(spoilt)] = rng.randrange(256)
        elif kind == 1:
            del spoilt[at : at + rng.randrange(1, 40)]
        elif kind == 2:
            spoilt[at:at] = rng.randbytes(rng.randrange(1, 40))
        elif kind == 3:
            spoilt[at:at] = rng.choice(_WORDS)
        elif len(spoilt) < 5000:
            spoilt += spoilt[at : at + 200]
    return bytes(spoilt)


def _down(trust: HubTrust, topic: str, payload: bytes) -> int:
    """Do with it what the uplink does; 1 if the node believed it."""
    decoders: dict[str, Callable[[bytes], object]] = {
        topics.down_command(NODE): decode_command,
        topics.down_ack(NODE): decode_ack,
    }
    with suppress(BadRecord):
        if topic == topics.DOWN_HUB:
            trust.hear(payload)
        else:
            decoders.get(topic, decode_want)(trust.open(topic, payload))
        return 1
    return 0
