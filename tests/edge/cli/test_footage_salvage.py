"""`siaga-node footage salvage`: what a harmed card still gives, and nothing that it does not."""

import os
from collections.abc import Iterator
from pathlib import Path

from siaga_edge.recorder.chain import LINK_BYTES
from siaga_edge.recorder.fragments import MARK_TYPE
from siaga_edge.recorder.rescue import rescue
from support.footage_card import Card, flip
from support.footage_command import snapshot


def _salvaged(card: Card, into: Path) -> dict[str, dict[str, object]]:
    status, said = card.command.json("salvage", card.footage, "--into", into)
    files = {one["name"]: one for one in said["files"]}
    assert status == (0 if all(one["state"] == "whole" for one in files.values()) else 3)
    return files


def test_a_card_of_another_node_is_copied_whole_without_its_index_and_only_read(
    card: Card, tmp_path: Path
) -> None:
    before = snapshot(card.footage)
    files = _salvaged(card, tmp_path / "saved")
    assert {one["state"] for one in files.values()} == {"whole"}
    assert snapshot(card.footage) == before
    for name in files:
        assert (tmp_path / "saved" / name).read_bytes() == before[name][0]


def test_what_follows_a_damaged_stretch_is_found_again_and_nothing_is_invented(
    card: Card, tmp_path: Path
) -> None:
    path = card.path(2)
    octets = path.read_bytes()
    marks = [at - 8 for at in _all(octets, MARK_TYPE)]
    damaged = bytearray(octets)
    damaged[marks[2] + 40 : marks[4] - 100] = bytes(marks[4] - 100 - marks[2] - 40)
    path.write_bytes(damaged)
    files = _salvaged(card, tmp_path / "saved")
    one = files[f"{card.names[1]}.mp4"]
    assert one["state"] == "part"
    assert one["fragments"] == len(marks) - 2
    kept = (tmp_path / "saved" / f"{card.names[1]}.mp4").read_bytes()
    assert octets[: marks[2]] in kept
    assert octets[marks[4] : -LINK_BYTES] in kept
    assert len(kept) == marks[2] + len(octets) - LINK_BYTES - marks[4]


def test_a_changed_picture_is_told_apart_and_a_lost_beginning_is_borrowed_from_a_neighbour(
    card: Card, tmp_path: Path
) -> None:
    flip(card.path(3), len(card.path(3).read_bytes()) - LINK_BYTES - 200)
    lost = card.path(4)
    octets = lost.read_bytes()
    first = octets.index(MARK_TYPE) - 8
    lost.write_bytes(bytes(first) + octets[first:])
    files = _salvaged(card, tmp_path / "saved")
    assert files[f"{card.names[2]}.mp4"]["state"] == "changed"
    assert files[f"{card.names[3]}.mp4"]["state"] == "part"
    assert (tmp_path / "saved" / f"{card.names[3]}.mp4").read_bytes() == octets[:-LINK_BYTES]


def test_sectors_that_the_card_does_not_give_cost_no_more_than_their_fragments(
    card: Card, tmp_path: Path
) -> None:
    octets = card.path(2).read_bytes()
    bad = range(8192, 12288)
    two = os.open(card.path(2), os.O_RDONLY)

    def read(descriptor: int, size: int, at: int) -> bytes:
        is_two = os.path.sameopenfile(descriptor, two)
        if is_two and at < bad.stop and at + size > bad.start:
            raise OSError(5, "Input/output error")
        return os.pread(descriptor, size, at)

    found = rescue(card.footage, tmp_path / "saved", lambda _n: None, read)
    os.close(two)
    [one] = [one for one in found if one.state != "whole"]
    marks = [at - 8 for at in _all(octets, MARK_TYPE)]
    ends = [*marks[1:], len(octets) - LINK_BYTES]
    untouched = [end for begin, end in zip(marks, ends, strict=True) if end <= bad.start or begin >= bad.stop]
    assert (one.state, one.fragments) == ("part", len(untouched))


def test_nothing_is_ever_written_on_the_source(card: Card, tmp_path: Path) -> None:
    for into in (card.footage / "saved", card.footage / "gate" / "x"):
        status, _, why = card.command.run("salvage", card.footage, "--into", into)
        assert (status, into.exists()) == (1, False)
        assert "lies on the source" in why
    (tmp_path / "there").mkdir()
    assert "exists" in card.command.run("salvage", card.footage, "--into", tmp_path / "there")[2]
    assert "no folder" in card.command.run("salvage", tmp_path / "none", "--into", tmp_path / "saved")[2]


def _all(octets: bytes, wanted: bytes) -> Iterator[int]:
    at = octets.find(wanted)
    while at >= 0:
        yield at
        at = octets.find(wanted, at + 1)
