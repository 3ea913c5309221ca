"""The journal: committed before it counts, numbered without gaps, pruned only below the hub's mark."""

from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from siaga_core.service.clock import Boot
from siaga_core.service.database import AlreadyOpen, transaction
from siaga_core.wire import health
from siaga_core.wire.envelope import Stamp, batch_of, decode_batch, encode
from siaga_core.wire.health import ServiceState
from siaga_core.wire.ids import node_id
from siaga_edge.journal import Journal, JournalReader
from support.clock import FakeClock


def state(code: str) -> ServiceState:
    return ServiceState(service="modem", level="ok", code=code)


def test_each_lane_counts_by_itself_and_without_gaps(journal: Journal) -> None:
    assert [journal.append(health.SERVICE_KIND, state("a"), "urgent") for _ in range(3)] == [1, 2, 3]
    assert journal.append(health.SERVICE_KIND, state("a"), "bulk") == 1


def test_a_failed_transaction_uses_up_no_number(journal: Journal) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        journal.append_all([(health.SERVICE_KIND, state("a"), "urgent")], fail)
    assert journal.append(health.SERVICE_KIND, state("b")) == 1


def test_the_reader_sees_what_was_appended_as_it_will_travel(journal: Journal, tmp_path: Path) -> None:
    journal.append(health.SERVICE_KIND, state("modem.silent"))
    with closing(JournalReader(tmp_path / "journal-modem.db", "modem")) as reader:
        [stored] = reader.after("urgent", 0, 10)
    batch = batch_of([stored.as_wire(node_id("btm-017"))], 1, 1)
    [record] = decode_batch(encode(batch), node=node_id("btm-017"), stream="modem.urgent").records
    assert (record.seq, record.epoch, record.at.boot_id) == (1, journal.epoch, "boot-one")


def test_a_journal_has_one_writer(journal: Journal, tmp_path: Path, clock: FakeClock) -> None:
    with pytest.raises(AlreadyOpen, match="another process"):
        Journal(tmp_path / "journal-modem.db", clock, Boot(1, "boot-one"))


def test_a_new_file_is_a_new_epoch_and_a_reopened_one_is_not(tmp_path: Path, clock: FakeClock) -> None:
    first = Journal(tmp_path / "a.db", clock, Boot(1, "x"))
    epoch = first.epoch
    first.append(health.SERVICE_KIND, state("a"))
    first.close()
    again = Journal(tmp_path / "a.db", clock, Boot(1, "x"))
    assert again.epoch == epoch
    assert again.append(health.SERVICE_KIND, state("b")) == 2
    other = Journal(tmp_path / "b.db", clock, Boot(1, "x"))
    assert other.epoch != epoch
    again.close()
    other.close()


def test_urgent_records_stay_thirty_days_after_acknowledgement(journal: Journal, clock: FakeClock) -> None:
    journal.append(health.SERVICE_KIND, state("a"), "urgent")
    journal.append(health.SERVICE_KIND, state("a"), "bulk")
    marks = [("modem.urgent", journal.epoch, 1), ("modem.bulk", journal.epoch, 1)]
    assert journal.prune(marks) == 1
    clock.advance(31 * 86400)
    assert journal.prune(marks) == 1


def test_a_mark_of_another_epoch_prunes_nothing(journal: Journal) -> None:
    journal.append(health.SERVICE_KIND, state("a"), "bulk")
    assert journal.prune([("modem.bulk", "0" * 16, 1)]) == 0


def test_a_number_is_never_given_twice_not_even_when_everything_was_dropped(
    tmp_path: Path, clock: FakeClock
) -> None:
    first = Journal(tmp_path / "a.db", clock, Boot(1, "x"))
    for _ in range(3):
        first.append(health.SERVICE_KIND, state("a"), "bulk")
    assert first.prune([("modem.bulk", first.epoch, 3)]) == 3
    first.close()
    again = Journal(tmp_path / "a.db", clock, Boot(1, "x"))
    assert again.append(health.SERVICE_KIND, state("b"), "bulk") == 4
    with closing(JournalReader(tmp_path / "a.db", "modem")) as reader:
        assert reader.last_seq("bulk") == 4
    again.close()


def test_samples_give_way_for_room_oldest_first_and_urgent_records_never(
    journal: Journal, tmp_path: Path
) -> None:
    for number in range(2000):
        journal.append_all([(health.SERVICE_KIND, state(f"c{number}"), "bulk")] * 5)
    for _ in range(600):
        journal.append(health.SERVICE_KIND, state("urgent"))
    before = 10_000
    dropped = journal.prune([], shed_above_bytes=1024 * 1024)
    assert 0 < dropped < before
    with closing(JournalReader(tmp_path / "journal-modem.db", "modem")) as reader:
        [oldest] = reader.after("bulk", 0, 1)
        assert (oldest.seq, reader.last_seq("bulk")) == (dropped + 1, before)
        assert len(reader.after("urgent", 0, 1000)) == 600
    journal.prune([], shed_above_bytes=0)
    with closing(JournalReader(tmp_path / "journal-modem.db", "modem")) as reader:
        assert (reader.after("bulk", 0, 1), reader.last_seq("bulk")) == ([], before)
        assert len(reader.after("urgent", 0, 1000)) == 600


def test_a_wall_clock_behind_the_newest_certain_record_is_said_to_be_impossible(
    tmp_path: Path, clock: FakeClock
) -> None:
    opened = Journal(tmp_path / "journal-health.db", clock, Boot(1, "boot-one"))
    opened.append(health.SERVICE_KIND, state("a"))
    certain = Stamp(
        boot_seq=1, boot_id="boot-one", boot_ns=1, wall_ns=clock.wall_ns(), clock="synced", error_ms=5
    )
    with transaction(opened.connection):
        opened.connection.execute("UPDATE record SET at = ?", (msgspec.json.encode(certain).decode(),))
    opened.close()
    clock.jump_wall(-86400)
    opened = Journal(tmp_path / "journal-health.db", clock, Boot(2, "boot-two"))
    opened.append(health.SERVICE_KIND, state("b"))
    rows = opened.connection.execute("SELECT at FROM record ORDER BY seq").fetchall()
    opened.close()
    last = msgspec.json.decode(rows[-1]["at"], type=Stamp)
    assert (last.clock, last.error_ms) == ("floor", None)
