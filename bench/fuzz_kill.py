"""kill -9 of a service at random moments of its work: what the other side handed over is there, once."""

import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from bench.fuzz import Outcome

# The service as its own process and the simulated modem are the tests' own; this only runs them longer.
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
if TYPE_CHECKING:
    from siaga_edge.simulate.modem.control import Control
    from support.modem_service import Service

PARTS = ("modem",)
# Short codes get no automatic answer: the texts that go out are those that were ordered.
SENDER = "3338"
SETTLE_LIMIT_S = 180.0


def run(trials: int, seed: int, part: str = "modem") -> Outcome:
    """`trials` kills of siaga-modem while texts come in, wait on the SIM, are deleted, and go out."""
    from support.modem_service import Service
    from support.simulated_modem import simulated_modem

    rng, sent, orders = random.Random(seed), list[str](), list[str]()
    with tempfile.TemporaryDirectory() as folder, simulated_modem(Path(folder)) as modem:
        service = Service(Path(folder), modem.link)
        service.start()
        for trial in range(trials):
            modem.control.fault(delay_ms=rng.choice((0, 5, 20, 60)), drop_cmti=rng.choice((0, 0.3)))
            sent += _send(modem.control, rng, len(sent))
            if rng.random() < 0.2:
                orders.append(f"{len(orders):026d}")
                service.order(orders[-1], f"balasan {orders[-1]}", at_least_once=len(orders) % 2 == 0)
            time.sleep(rng.uniform(0.02, 1.6))
            service.kill()
            service.start()
            if trial % 20 == 19:
                sys.stderr.write(f"\rfuzz kill {part}: {trial + 1}/{trials} kills, {len(sent)} texts")
        modem.control.clear_faults()
        lost, doubled = _judge(service, modem.control, sent)
        twice, never = _judge_orders(modem.control, service, orders)
        service.kill()
    sys.stderr.write("\n")
    figures: dict[str, float] = {"texts": len(sent), "orders": len(orders)}
    return Outcome(f"kill {part}", trials, lost + never, doubled + twice, 0, 0, seed, figures)


def _send(control: "Control", rng: random.Random, known: int) -> list[str]:
    texts = [f"laporan {known + number}" for number in range(rng.randint(1, 5))]
    for text in texts:
        control.sms(SENDER, text)
    return texts


def _judge(service: "Service", control: "Control", sent: list[str]) -> tuple[int, int]:
    """How many texts are no report, and how many are more than one."""
    deadline_s = time.monotonic() + SETTLE_LIMIT_S
    while time.monotonic() < deadline_s:
        state = control.state()
        if not any(state["stores"].values()) and not state["held_by_smsc"]:
            break
        time.sleep(0.1)
    time.sleep(1.5)  # the last commit may still be under way: a sweep a second
    found = Counter(service.texts())
    return sum(not found[text] for text in sent), sum(found[text] - 1 for text in sent if found[text])


def _judge_orders(control: "Control", service: "Service", orders: list[str]) -> tuple[int, int]:
    """Courtesies that left twice, and alerts that never did."""
    deadline_s = time.monotonic() + SETTLE_LIMIT_S
    last = {"SENT", "DELIVERED", "UNKNOWN", "FAILED"}
    while time.monotonic() < deadline_s and not all(last & set(service.states(id)) for id in orders):
        time.sleep(0.2)
    left = Counter(text.removeprefix("(ulang) ") for text in (one["text"] for one in control.sent()))
    twice = sum(left[f"balasan {id}"] > 1 for place, id in enumerate(orders, 1) if place % 2)
    never = sum(left[f"balasan {id}"] < 1 for place, id in enumerate(orders, 1) if not place % 2)
    return twice, never
