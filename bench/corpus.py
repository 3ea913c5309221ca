"""The labelled texts of tests/corpus: a first set halved by a seeded draw, a second one kept so."""

import random
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "tests" / "corpus"
_SEED = 5


@dataclass(frozen=True, slots=True)
class Labelled:
    """One report: the kind, the place (empty, a name, or two numbers) and the text."""

    kind: str
    place: str
    text: str


def reports() -> list[Labelled]:
    """Return every labelled report."""
    return _labelled(_lines("reports"))


def nuisance() -> list[str]:
    """Return every text that is no emergency."""
    return _lines("nuisance")


def held_back() -> tuple[list[Labelled], list[str]]:
    """Return the half that no rule was made on."""
    return _labelled(_half("reports")), _half("nuisance")


def second() -> tuple[list[Labelled], list[str]]:
    """Return the set that was written when the reader was there, by somebody who had not read its lists."""
    held, held_idle = second_held_back()
    return [*_labelled(_lines("second/reports")), *held], [*_lines("second/nuisance"), *held_idle]


def second_held_back() -> tuple[list[Labelled], list[str]]:
    """Return the part of the second set whose single texts nobody looked at while the reader was mended."""
    return _labelled(_lines("second/reports-held-back")), _lines("second/nuisance-held-back")


def _labelled(lines: list[str]) -> list[Labelled]:
    return [Labelled(*line.split("|", 2)) for line in lines]


def _half(name: str) -> list[str]:
    lines = sorted(_lines(name))
    random.Random(_SEED).shuffle(lines)
    return lines[len(lines) // 2 :]


def _lines(name: str) -> list[str]:
    text = (_FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
