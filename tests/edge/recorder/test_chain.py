"""The chain of segments: what a link says, and that another's disk is refused."""

import random
from pathlib import Path

import pytest

from siaga_edge.recorder.chain import FIRST_HEAD, LINK_BYTES, Head, Link, Span, read_link
from siaga_edge.recorder.dating import Observation
from siaga_edge.recorder.disk import DiskAway, ForeignDisk, Meta, is_there, open_disk

LINK = Link(
    "00112233445566ff",
    7,
    bytes(range(32)),
    bytes(range(32, 64)),
    Span(3, 5_000, 60_000_005_000, 60_000, 61),
    Observation(3, 60_000_005_000, 1_795_000_000_000_000_000, "synced", 12),
)


def test_a_link_reads_as_it_was_written() -> None:
    assert len(LINK.box()) == LINK_BYTES
    assert read_link(b"what came before" + LINK.box()) == LINK


def test_a_link_of_a_clock_without_a_bound_reads_as_it_was_written() -> None:
    unknown = Observation(3, 1, -5, "unknown", None)
    link = Link(LINK.chain, 1, FIRST_HEAD, LINK.sha256, LINK.span, unknown)
    assert read_link(link.box()) == link


def test_no_octets_but_a_links_are_read_as_one() -> None:
    rng = random.Random(4)
    assert read_link(LINK.box()[:-1]) is None
    assert read_link(LINK.box() + b"\0") is None
    for _ in range(2000):
        assert read_link(rng.randbytes(rng.randrange(2 * LINK_BYTES))) is None


def test_a_head_depends_on_every_name_and_hash_before_it() -> None:
    def head(*names: str) -> bytes:
        made = Head("c", 0, FIRST_HEAD)
        for name in names:
            made = made.after(name, name.encode() * 16)
        return made.head

    heads = [head("a", "b"), head("b", "a"), head("a"), head("a", "b", "c"), head("a", "c")]
    assert len(set(heads)) == len(heads)


def test_an_empty_disk_is_taken_and_known_again(tmp_path: Path) -> None:
    made = open_disk(tmp_path / "footage", "btm-017", None)
    assert open_disk(tmp_path / "footage", "btm-017", made) == made
    assert is_there(tmp_path / "footage", made)


def test_a_disk_of_another_node_is_refused_by_name(tmp_path: Path) -> None:
    open_disk(tmp_path, "btm-017", None)
    with pytest.raises(ForeignDisk, match="btm-017, not of btm-018"):
        open_disk(tmp_path, "btm-018", None)


def _closed_segment(folder: Path) -> None:
    path = folder / "gate" / "1-1" / "000001.mp4"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"footage" + LINK.box())


@pytest.mark.parametrize("left", [b"", b"\0\0\0", None])
def test_a_paper_that_was_lost_is_written_again_when_the_footage_itself_says_whose_it_is(
    tmp_path: Path, left: bytes | None
) -> None:
    known = Meta(node="btm-017", disk=LINK.chain, own_device=False)
    _closed_segment(tmp_path)
    if left is not None:
        (tmp_path / "META.json").write_bytes(left)
    assert open_disk(tmp_path, "btm-017", known) == known
    assert is_there(tmp_path, known)


def test_a_paper_that_cannot_be_read_is_not_guessed_from_anothers_footage(tmp_path: Path) -> None:
    _closed_segment(tmp_path)
    (tmp_path / "META.json").write_bytes(b"\0")
    for known in (None, Meta(node="btm-017", disk="ff" * 8, own_device=False)):
        with pytest.raises(ForeignDisk, match="cannot be read"):
            open_disk(tmp_path, "btm-017", known)


def test_the_empty_folder_under_a_disk_that_is_away_is_not_taken_for_a_new_disk(tmp_path: Path) -> None:
    known = Meta(node="btm-017", disk="00112233445566ff", own_device=True)
    with pytest.raises(DiskAway, match="not mounted"):
        open_disk(tmp_path, "btm-017", known)
    assert not is_there(tmp_path, known)
    assert list(tmp_path.iterdir()) == []
