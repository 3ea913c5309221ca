"""The labelled texts of tests/corpus: a first set halved by a seeded draw, later ones kept so."""

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


def later(name: str) -> tuple[list[Labelled], list[str]]:
    """Return a set, `second` or `third`, by somebody who had not read the lists of the reader there was."""
    held, held_idle = later_held_back(name)
    return [*_labelled(_lines(f"{name}/reports")), *held], [*_lines(f"{name}/nuisance"), *held_idle]


def later_held_back(name: str) -> tuple[list[Labelled], list[str]]:
    """Return the part of such a set whose single texts nobody looked at while the reader was mended."""
    return _labelled(_lines(f"{name}/reports-held-back")), _lines(f"{name}/nuisance-held-back")


def _labelled(lines: list[str]) -> list[Labelled]:
    return [Labelled(*line.split("|", 2)) for line in lines]


def _half(name: str) -> list[str]:
    lines = sorted(_lines(name))
    random.Random(_SEED).shuffle(lines)
    return lines[len(lines) // 2 :]


def _lines(name: str) -> list[str]:
    text = (_FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
