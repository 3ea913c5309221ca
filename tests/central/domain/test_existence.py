"""What a search may say of footage: never more than the node has told, never absent for merely not told."""

import itertools
import random

import pytest

from siaga_central.domain.existence import Piece, Recorded, Told, answer, look

S = 10**9
# Recorded 100-200 and 260-400; the second began with the node saying so; retention has left from 120.
TOLD = Told(
    (Recorded(100 * S, 200 * S, True), Recorded(260 * S, 400 * S, True)),
    ((200 * S, 260 * S, "the stream ended"),),
    ((105 * S, 115 * S),),
    120 * S,
)


def said(start_s: int, end_s: int, told: Told = TOLD) -> tuple[str, list[tuple[int, int, str]]]:
    pieces = look(start_s * S, end_s * S, told)
    return answer(pieces), [(one.start_ns // S, one.end_ns // S, one.word) for one in pieces]


@pytest.mark.sop("R38")
@pytest.mark.parametrize(
    ("start_s", "end_s", "word", "pieces"),
    [
        (130, 190, "found", [(130, 190, "there")]),
        (106, 114, "found", [(106, 114, "held")]),
        (
            100,
            130,
            "partly",
            [(100, 105, "gone"), (105, 115, "held"), (115, 120, "gone"), (120, 130, "there")],
        ),
        (190, 270, "partly", [(190, 200, "there"), (200, 260, "missing"), (260, 270, "there")]),
        (210, 250, "none", [(210, 250, "missing")]),
        (100, 104, "none", [(100, 104, "gone")]),
        (10, 90, "none", [(10, 90, "none")]),
        (390, 500, "partly", [(390, 400, "there"), (400, 500, "unknown")]),
        (450, 500, "unknown", [(450, 500, "unknown")]),
    ],
)
def test_a_span_is_told_piece_by_piece(
    start_s: int, end_s: int, word: str, pieces: list[tuple[int, int, str]]
) -> None:
    assert said(start_s, end_s) == (word, pieces)


def test_a_gap_says_why() -> None:
    assert look(210 * S, 250 * S, TOLD) == (Piece(210 * S, 250 * S, "missing", "the stream ended"),)


def test_a_hole_that_the_node_has_not_explained_is_not_known() -> None:
    """A record may be missing that would have told of footage: nobody says that there is none."""
    silent = Told((Recorded(100 * S, 200 * S, True), Recorded(260 * S, 400 * S, False)), (), (), 100 * S)
    assert said(210, 250, silent) == ("unknown", [(210, 250, "unknown")])
    assert said(210, 250, Told((), (), (), None)) == ("unknown", [(210, 250, "unknown")])


def test_before_the_node_was_first_asked_nothing_is_known() -> None:
    early = Told((Recorded(100 * S, 200 * S, True),), (), (), 50 * S)
    assert said(60, 90, early)[0] == "unknown"


def test_pieces_cover_the_span_and_never_claim_what_was_not_told() -> None:
    for seed in range(2000):
        rng = random.Random(seed)
        edges = sorted(rng.sample(range(1000), 6))
        told = Told(
            tuple(Recorded(edges[at], edges[at + 1], rng.random() < 0.5) for at in (0, 2, 4)),
            tuple((edges[at], edges[at + 1], "x") for at in (1, 3) if rng.random() < 0.5),
            ((edges[0], edges[1]),) if rng.random() < 0.3 else (),
            rng.choice((None, rng.randrange(1000))),
        )
        start, end = sorted(rng.sample(range(1200), 2))
        pieces = look(start, end, told)
        assert pieces[0].start_ns == start
        assert pieces[-1].end_ns == end
        assert all(one.end_ns == two.start_ns for one, two in itertools.pairwise(pieces))
        for piece in pieces:
            middle = (piece.start_ns + piece.end_ns) // 2
            covered = any(one.start_ns <= middle < one.end_ns for one in told.recorded)
            assert covered or piece.word != "there", (seed, piece)
            assert not covered or piece.word in ("there", "held", "gone"), (seed, piece)
            if middle >= edges[5]:
                assert piece.word in ("unknown", "none"), (seed, piece)
