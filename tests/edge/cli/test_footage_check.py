"""`siaga-node footage verify` and `rebuild`: each way to harm footage is found, told from others."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from siaga_edge.recorder.chain import LINK_BYTES, Head, Link
from siaga_edge.recorder.dating import Observation
from siaga_edge.recorder.disk import look
from siaga_edge.recorder.finder import Finder, Row, open_finder
from siaga_edge.recorder.index import Index
from siaga_edge.recorder.salvage import discard, sha256_of
from siaga_edge.recorder.verifying import Advance, Finding, Walk, verify
from siaga_edge.recorder.writing import segment_path
from support.clock import FakeClock
from support.footage_card import Card, flip
from support.footage_command import FootageCommand, snapshot
from support.kept_footage import kept_footage

S = 10**9
SEEN = Observation(9, 60 * S, 1_795_100_000 * S, "synced", 10)


class BadSector(Index):
    """The card does not give the newest segment."""

    not_given = ""

    def _link_of(self, name: str) -> Link | None:
        if name == self.not_given:
            raise OSError(5, "Input/output error")
        return super()._link_of(name)


class GivesAgain(BadSector):
    """Counts on from the newest segment that can be read."""

    def head(self, chain: str) -> Head:
        return Finder.head(self, chain)


def _start(card: Card, kind: type[Index] = Index) -> Index:
    meta = look(card.footage, "btm-017")
    index = kind(card.index, card.footage)
    index.use(meta)
    list(index.recover(meta.disk, SEEN))
    return index


def _given_twice(card: Card, kind: type[BadSector]) -> list[str]:
    """The index is lost while the newest segment cannot be read; later it can. What `verify` says is bad."""
    kind.not_given = card.names[-1]
    card.index.unlink()
    with contextlib.closing(_start(card, kind)) as index:
        chain, name = card.link(1).chain, "gate/9-9/000001"
        fresh = segment_path(card.footage, name)
        fresh.parent.mkdir()
        fresh.write_bytes(card.path(1).read_bytes()[:-LINK_BYTES])
        assert index.take_in(name, index.head(chain), SEEN)
    _start(card).close()
    return card.codes(*card.told())


def test_the_number_of_a_newest_segment_that_cannot_be_read_is_not_given_again(card: Card) -> None:
    assert _given_twice(card, BadSector) == []
    status, said = card.command.json("verify", *card.told())
    assert status == 0
    assert [one["code"] for one in said["findings"]] == ["left-free"]
    assert said["links"] == len(card.names) + 2
    assert card.command.json("rebuild")[1]["segments"] == len(card.names) + 1
    assert card.codes(*card.told()) == []


def test_a_number_that_is_given_again_is_found_out(card: Card) -> None:
    assert "other-head" in _given_twice(card, GivesAgain)


def test_footage_as_it_was_recorded_is_whole_with_and_without_heads(card: Card) -> None:
    assert card.codes() == []
    assert card.codes(*card.told()) == []
    assert "NOT compared with the hub" in card.command.run("verify", "--offline")[1]
    page = card.command.run("verify", *card.told())[1]
    assert "NOT compared" not in page
    assert page.endswith("utuh / whole\n")


def test_one_edited_bit_is_found(card: Card) -> None:
    flip(card.path(3), 5000)
    assert card.codes() == ["changed"]


def test_a_removed_segment_is_found_and_one_that_retention_gave_up_is_not(card: Card) -> None:
    with contextlib.closing(Index(card.index, card.footage)) as index:
        discard(card.path(1))
        index.remove([card.names[0]])
    assert card.codes(*card.told()) == []
    card.path(3).unlink()
    assert card.codes() == ["missing-file"]


def test_a_removed_segment_whose_row_was_removed_too_is_found(card: Card) -> None:
    card.path(3).unlink()
    with contextlib.closing(sqlite3.connect(card.index)) as connection, connection:
        connection.execute("DELETE FROM segment WHERE number = 3")
    assert card.codes() == ["missing-number"]


def test_swapped_segments_are_found(card: Card) -> None:
    two, four = card.path(2).read_bytes(), card.path(4).read_bytes()
    card.path(2).write_bytes(four)
    card.path(4).write_bytes(two)
    assert card.codes() == ["swapped", "swapped"]


def test_a_truncated_file_is_found(card: Card) -> None:
    os.truncate(card.path(4), 9000)
    assert card.codes() == ["torn"]


def test_a_file_that_is_longer_than_what_was_linked_is_found(card: Card) -> None:
    card.path(4).write_bytes(card.path(4).read_bytes() + b"\0" * 9)
    assert card.codes() == ["torn"]


def test_a_segment_of_another_disk_is_found(card: Card) -> None:
    link = card.link(3)
    octets = card.path(3).read_bytes()[:-LINK_BYTES]
    card.path(3).write_bytes(octets + replace(link, chain="ff" * 8).box())
    assert card.codes() == ["foreign-chain"]
    card.path(3).write_bytes(octets + link.box())
    stranger = card.path(3).with_name("900000.mp4")
    stranger.write_bytes(octets + replace(link, chain="ff" * 8).box())
    assert card.codes() == ["foreign-chain"]


def test_a_row_that_was_edited_is_found(card: Card) -> None:
    with contextlib.closing(sqlite3.connect(card.index)) as connection, connection:
        connection.execute("UPDATE segment SET head_before = zeroblob(32) WHERE number = 3")
    assert {"broken-chain", "unlike-row"} <= set(card.codes())


def _forge(card: Card, first: int) -> None:
    """Edit a segment and link everything after it anew, files and rows, as somebody with the card can."""
    flip(card.path(first), 5000)
    head: Head | None = None
    for number in range(first, len(card.names) + 1):
        path, link = card.path(number), card.link(number)
        octets = path.read_bytes()[:-LINK_BYTES]
        before = head.head if head else link.head_before
        made = replace(link, sha256=sha256_of(path, len(octets)), head_before=before)
        path.write_bytes(octets + made.box())
        card.set_row(number, made, len(octets) + LINK_BYTES)
        head = made.head(card.names[number - 1])


def test_a_chain_that_was_linked_anew_is_found_by_the_heads_the_hub_was_told_alone(card: Card) -> None:
    _forge(card, 2)
    assert card.codes() == [], "nothing on the card itself can tell"
    found = card.codes(*card.told())
    assert set(found) == {"other-head"}
    after = [head for head in set(card.heads) if int(head.partition(":")[0]) >= 2]
    assert len(found) == len(after) > 0, "every head told after the change says so"


def test_the_newest_segments_cannot_be_taken_away_quietly(card: Card) -> None:
    card.path(len(card.names)).unlink()
    with contextlib.closing(sqlite3.connect(card.index)) as connection, connection:
        connection.execute("DELETE FROM segment WHERE number = ?", (len(card.names),))
    assert card.codes() == []
    assert card.codes(*card.told()) == ["shorter"]


def test_a_head_may_be_typed_from_paper(card: Card) -> None:
    number, _, head = card.heads[0].partition(":")
    assert card.codes("--head", f"{number}:{head[:16].upper()}") == []
    assert card.codes("--head", f"{number}:{'0' * 16}") == ["other-head"]
    for wrong in ("7", f"{number}:{head[:15]}", f"x:{head}", f"{number}:{head[:15]}g"):
        assert "NUMBER:HEAD" in card.command.run("verify", "--head", wrong)[2]


def test_verify_beside_a_recorder_that_goes_on_finds_nothing_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with kept_footage(tmp_path) as kept:
        kept.record(22)
        command = FootageCommand(kept.config, capsys)
        before = snapshot(tmp_path / "footage")
        status, said = command.json("verify", "--offline")
        assert (status, said["findings"]) == (0, [])
        assert snapshot(tmp_path / "footage") == before
        kept.record(10)
        assert command.json("verify", "--offline")[0] == 0


def _dump(index: Path, *tables: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(index)) as connection:
        return [row for table in tables for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")]


def _of_the_files(index: Path, target: Path) -> bytes:
    """The tables that come from the files alone, as SQLite lays them out anew; octet for octet."""
    work = target.with_suffix(".work")
    with contextlib.closing(sqlite3.connect(index)) as connection:
        connection.execute("VACUUM INTO ?", (str(work),))
    with contextlib.closing(sqlite3.connect(work)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if name not in ("segment", "clock_observation", "disk"):
                connection.execute(f"DROP TABLE {name}")
        connection.commit()
        connection.execute("VACUUM INTO ?", (str(target),))
    return target.read_bytes()


def test_an_index_made_from_the_files_alone_is_octet_for_octet_the_lost_one(
    card: Card, tmp_path: Path
) -> None:
    before = _of_the_files(card.index, tmp_path / "before.db")
    for path in card.index.parent.glob("footage.db*"):
        path.unlink()
    files = snapshot(card.footage)
    status, said = card.command.json("rebuild")
    assert (status, said["segments"], said["old"]) == (0, len(card.names), None)
    assert _of_the_files(card.index, tmp_path / "after.db") == before
    assert snapshot(card.footage) == files, "the files are only read"
    assert card.codes(*card.told()) == []


def test_a_damaged_index_gives_what_is_the_nodes_own_and_stays_beside_the_new_one(card: Card) -> None:
    with contextlib.closing(Index(card.index, card.footage)) as index:
        number = index.next_run("gate")
        discard(card.path(1))
        index.remove([card.names[0]])
    with contextlib.closing(sqlite3.connect(card.index)) as connection, connection:
        connection.execute("UPDATE segment SET size_bytes = 1")
    status, said = card.command.json("rebuild")
    assert status == 0
    assert Path(said["old"]).exists()
    assert card.codes() == []
    assert _dump(card.index, "given_up") == [(1, 1)]
    with contextlib.closing(Index(card.index, card.footage)) as index:
        assert index.next_run("gate") == number + 1, "a run is never given twice"


def test_an_index_that_is_no_database_any_more_is_made_anew(card: Card) -> None:
    card.index.write_bytes(b"\xff" * 8192)
    assert "footage rebuild" in card.command.run("list")[2]
    status, said = card.command.json("rebuild")
    assert (status, said["segments"]) == (3, len(card.names))
    assert said["own_unread"]
    assert card.command.run("list")[0] == 0


def test_an_index_is_not_made_anew_under_a_recorder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with kept_footage(tmp_path) as kept:
        kept.record(6)
        status, _, why = FootageCommand(kept.config, capsys).run("rebuild")
        assert status == 1
        assert "another process" in why


def test_footage_dated_late_is_dated_by_the_rebuilt_index_within_what_both_say_of_their_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = FakeClock()
    with kept_footage(tmp_path, clock=clock) as kept:
        kept.state = ("unknown", None)
        kept.keeper._seen = kept.keeper._look_at_clock()
        clock.jump_wall(-86_400)
        kept.record(12)
        clock.jump_wall(86_400)
        kept.state = ("synced", 10)
        kept.record(12)
        kept.writers["gate"].close()
        kept.settle()
        kept.keeper.tend()
        before = kept.stored()
        command = FootageCommand(kept.config, capsys)
    for path in (tmp_path / "data").glob("footage.db*"):
        path.unlink()
    assert command.json("rebuild")[0] == 0
    with contextlib.closing(Index(tmp_path / "data" / "footage.db", tmp_path / "footage")) as index:
        after = index.oldest_first()
    for one, other in zip(before, after, strict=True):
        assert (one.number, one.name, one.size_bytes) == (other.number, other.name, other.size_bytes)
        assert one.error_ms is not None
        assert other.error_ms is not None
        assert abs(one.start_wall_ns - other.start_wall_ns) <= (one.error_ms + other.error_ms) * 10**6


class HashUnchecked(Walk):
    """Believes a link without reading what it is about."""

    def _hash(self, row: Row, link: Link, size_bytes: int, advance: Advance) -> Iterator[Finding]:
        yield from ()


class LinkSkipped(Walk):
    """Does not compare a file's link with its place."""

    def _linked(self, row: Row, link: Link, size_bytes: int) -> Iterator[Finding]:
        yield from ()


class ChainSkipped(Walk):
    """Does not look whether numbers are missing."""

    def _between(self, row: Row) -> Iterator[Finding]:
        yield from ()


class HeadsIgnored(Walk):
    """Does not compare with what was told before."""

    def _known(self, links: int, head: bytes, name: str) -> Iterator[Finding]:
        yield from ()


def _swap(card: Card) -> None:
    two, four = card.path(2).read_bytes(), card.path(4).read_bytes()
    card.path(2).write_bytes(four)
    card.path(4).write_bytes(two)


def _take_away(card: Card) -> None:
    card.path(3).unlink()
    with contextlib.closing(sqlite3.connect(card.index)) as connection, connection:
        connection.execute("DELETE FROM segment WHERE number = 3")


@pytest.mark.parametrize(
    ("harm", "mutant"),
    [
        (lambda card: flip(card.path(3), 5000), HashUnchecked),
        (_swap, LinkSkipped),
        (_take_away, ChainSkipped),
        (lambda card: _forge(card, 2), HeadsIgnored),
    ],
)
def test_a_verification_that_leaves_something_out_is_found_out(
    card: Card, harm: Callable[[Card], None], mutant: type[Walk]
) -> None:
    harm(card)
    heads = {int(number): head for number, _, head in (one.partition(":") for one in card.heads)}
    chain = card.link(1).chain

    def bad(walk: type[Walk]) -> bool:
        with open_finder(card.index) as finder:
            found = verify(finder, card.footage, chain, heads, lambda _n: None, is_recording=False, walk=walk)
            return any(one.level == "bad" for one in found)

    assert bad(Walk)
    assert not bad(mutant)
