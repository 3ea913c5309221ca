"""How long the network's word on a text is waited for: as long as it has lately needed. Pure.

Nothing may be asked between Ctrl-Z and the result, so time alone tells a modem that hangs from a network
that is slow, and meanwhile nothing is swept. So a text first gets a short time (`send_s`); when that is over
the modem is asked, and by what it then does the next texts get the same or the long one (`send_most_s`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from siaga_edge.modem.profile import Limits

Mode = Literal["short", "doubted", "long"]
# fast: the word came within the short time. slow: it came, but later. unsaid: it did not come, though the
# modem answers. hung: nothing answered when the time was over.
Event = Literal["fast", "slow", "unsaid", "hung"]
Table = Mapping[tuple[Mode, Event], Mode]

# What is not named changes nothing. One hang says nothing about the network. A second one in the very next
# text may be a network that is slow behind a modem that hears nothing meanwhile (ITU-T V.250 §5.6.1 lets it
# ignore what is typed): such a modem would never send a text otherwise. Who says nothing in the long time
# hangs: no network may take longer.
TABLE: Table = {
    ("short", "slow"): "long",
    ("short", "unsaid"): "long",
    ("short", "hung"): "doubted",
    ("doubted", "fast"): "short",
    ("doubted", "slow"): "long",
    ("doubted", "unsaid"): "long",
    ("doubted", "hung"): "long",
    ("long", "hung"): "short",
}
# So many fast ones one after the other and the network is no longer slow: one may be chance, and a short
# time given too early costs a text its certainty.
FAST_RUN = 3


@dataclass(frozen=True, slots=True)
class Patience:
    """What the last texts have taught. `fast`: so many fast ones in a row while it is long."""

    mode: Mode = "short"
    fast: int = 0


def learn(patience: Patience, event: Event, table: Table = TABLE) -> Patience:
    """After a text."""
    if patience.mode == "long" and event == "fast":
        fast = patience.fast + 1
        return Patience() if fast >= FAST_RUN else Patience("long", fast)
    return Patience(table.get((patience.mode, event), patience.mode))


def limit_s(patience: Patience, limits: Limits) -> float:
    """How long the next text may be without a word, in seconds."""
    return limits.send_most_s if patience.mode == "long" else limits.send_s
