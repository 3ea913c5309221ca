"""No text is refused and none takes long, whatever its characters: seeded, from what phones can send."""

import random
import time
from collections.abc import Iterator

import pytest
from bench.corpus import nuisance, reports

from siaga_core.reading.text import read

MOST_CHARACTERS = 2000
SCRIPTS = ((0x20, 0x7F), (0xA0, 0x24F), (0x300, 0x36F), (0x600, 0x6FF), (0x2000, 0x206F), (0x4E00, 0x9FFF))
WORDS = "tolong kebakaran di ke jalan blok rt simpang tidak ada bukan bakarbakar rumah sakit tiban2 s4k1t"
NUMBERS = (
    '1.1301 104.0529 1,1301 1°01\' 02" N 6PH5 43F6+2Q %2C !3d A"ML=1; lt=+1.1; - + , maps?q= goo.gl/maps/'
)
PIECES = (*WORDS.split(), *NUMBERS.split(), "\ud83d", "\U0001f525", "\u200d", "\n")


def texts(count: int) -> Iterator[str]:
    """Random characters of several scripts, random words and numbers, and pieces of true texts."""
    rng = random.Random(112)
    told = [*(one.text for one in reports()), *nuisance()]
    for at in range(count):
        length = rng.randrange(MOST_CHARACTERS)
        if at % 3 == 0:
            low, high = rng.choice(SCRIPTS)
            yield "".join(chr(rng.randrange(low, high)) for _ in range(length))
        elif at % 3 == 1:
            joint = rng.choice(("", " ", "  "))
            yield joint.join(rng.choice(PIECES) for _ in range(length // 4))[:MOST_CHARACTERS]
        else:
            said = rng.choice(told)
            cut = rng.randrange(len(said))
            yield (said[cut:] + rng.choice(PIECES) + said[:cut]) * rng.randrange(1, 12)


def test_any_text_is_read_and_nothing_is_hidden_for_its_characters() -> None:
    for text in texts(90):
        reading = read(text)
        assert reading.priority in ("P1", "P2", "P3", "P4")
        assert reading.place.words == "" or reading.place.known
        assert reading.priority <= "P2" or reading.doubts or reading.kind == "NRK"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_thousand_texts_are_read_in_half_a_second_each() -> None:
    read("the word lists are read once")
    for text in texts(10_000):
        started = time.perf_counter()
        read(text)
        assert time.perf_counter() - started < 0.5, text
