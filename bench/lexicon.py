"""What the reading of texts makes of the labelled corpus, against a list of ten words."""

import re
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from bench.corpus import Labelled, held_back, later, later_held_back, nuisance, reports
from bench.measure import Figure
from siaga_core.reading.fold import words
from siaga_core.reading.lexicon import PRIORITY
from siaga_core.reading.text import Reading, read

GOAL = "recall 100 %"
_KEYWORDS = {
    "kebakaran": "KBR",
    "kecelakaan": "LKA",
    "ambulans": "AMB",
    "maling": "KRM",
    "banjir": "BCN",
    "ular": "HWN",
    "pohon": "PHN",
    "narkoba": "NRK",
    "bom": "TRR",
    "tolong": "LAIN",
}
_ANCHOR = "a list of ten words"
_POSITION = re.compile(r"(-?\d+[.]\d+)\s*,\s*(-?\d+[.]\d+)")
T = TypeVar("T")


def run() -> list[Figure]:
    """Share of the texts read rightly, in percent; `held back` is the part no rule was made on."""
    told, idle = reports(), nuisance()
    figures = [
        *_figures("", told, idle, least=100.0),
        *_figures(", held back", *held_back(), least=95.0),
    ]
    for name in ("second", "third"):
        figures += _figures(f", {name} set", *later(name), least=100.0)
        figures += _figures(f", {name} set held back", *later_held_back(name), least=95.0)
    return [*figures, _speed(told)]


def _figures(of: str, told: Sequence[Labelled], idle: Sequence[str], *, least: float) -> list[Figure]:
    return [
        _share(f"emergency recall{of}", told, is_recalled, _key_recalled, least=least),
        _share(f"nuisance raised to P1{of}", idle, is_raised, _key_raised, most=10.0),
        _share(f"type{of}", told, is_right_kind, _key_right_kind, least=90.0),
        _share(f"place{of}", told, is_right_place, _key_right_place, least=85.0),
    ]


def is_recalled(one: Labelled) -> bool:
    """Danger was seen, and the hint is no lower than the labelled kind's own priority."""
    reading = read(one.text)
    return reading.emergency and reading.priority <= max("P2", PRIORITY.get(one.kind, "P1"))


def is_raised(text: str) -> bool:
    """An idle text that asks for everybody's attention."""
    return read(text).priority == "P1"


def is_right_kind(one: Labelled) -> bool:
    """The suggested kind is the labelled one."""
    return read(one.text).kind == one.kind


def is_right_place(one: Labelled) -> bool:
    """The labelled name, or position to 11 m, is in what was found; a text without one has none."""
    return _says(read(one.text), one.place)


def _says(reading: Reading, place: str) -> bool:
    if not place:
        return not reading.place.known and not reading.positions
    if numbers := _POSITION.fullmatch(place):
        latitude, longitude = map(float, numbers.groups())
        return any(
            abs(at.latitude - latitude) < 1e-4 and abs(at.longitude - longitude) < 1e-4
            for at in reading.positions
        )
    wanted = "".join(words(place))
    told = (reading.place.words, *reading.place.names, *(at.words for at in reading.positions))
    return any(wanted in "".join(words(said)) for said in told)


def _key_kind(text: str) -> str:
    return next((kind for word, kind in _KEYWORDS.items() if word in text.lower()), "")


def _key_recalled(one: Labelled) -> bool:
    return bool(_key_kind(one.text))


def _key_raised(text: str) -> bool:
    return bool(_key_kind(text))


def _key_right_kind(one: Labelled) -> bool:
    return _key_kind(one.text) == one.kind


def _key_right_place(one: Labelled) -> bool:
    """What follows the first `di`: three words."""
    _, found, after = f" {one.text.lower()} ".partition(" di ")
    return one.place.lower() in " ".join(after.split()[:3]) if one.place else not found


def _share(
    figure: str,
    texts: Sequence[T],
    ours: Callable[[T], bool],
    anchor: Callable[[T], bool],
    *,
    least: float | None = None,
    most: float | None = None,
) -> Figure:
    mine = 100 * sum(map(ours, texts)) / len(texts)
    theirs = 100 * sum(map(anchor, texts)) / len(texts)
    met = mine >= least if least is not None else most is not None and mine <= most
    goal = f">= {least:g} %" if least is not None else f"<= {most:g} %"
    ratio = round(mine / theirs, 3) if theirs else 0.0
    return Figure("lexicon", figure, "%", round(mine, 2), round(theirs, 2), _ANCHOR, ratio, goal, met, 1)


def _speed(told: Sequence[Labelled]) -> Figure:
    """Milliseconds for one text; word senses are remembered, as in a service that runs on."""
    ours, anchor = _milliseconds(told, read), _milliseconds(told, _key_kind)
    ratio = round(ours / anchor, 1)
    return Figure(
        "lexicon",
        "one text",
        "ms",
        round(ours, 3),
        round(anchor, 4),
        _ANCHOR,
        ratio,
        "<= 20 ms",
        ours <= 20,
        1,
    )


def _milliseconds(told: Sequence[Labelled], work: Callable[[str], object]) -> float:
    started = time.perf_counter()
    for one in told:
        work(one.text)
    return (time.perf_counter() - started) * 1000 / len(told)
