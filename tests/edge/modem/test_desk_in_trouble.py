"""A front desk whose run directory cannot be written or whose wall clock jumps: nothing under way is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from siaga_edge.inbox import siren
from support.front_desk import FrontDesk


@pytest.fixture
def node(tmp_path: Path) -> Iterator[FrontDesk]:
    made = FrontDesk(tmp_path)
    yield made
    made.end()


def test_a_siren_that_cannot_be_asked_for_ends_nothing_and_is_asked_for_when_it_can(
    node: FrontDesk, caplog: pytest.LogCaptureFixture
) -> None:
    (node.folder / "run").touch()  # where the run directory would be
    node.hub_takes_all = False
    node.text("Tolong ada kebakaran besar")
    node.pass_time(200)
    assert node.desk.duty.is_alarmed
    assert caplog.text.count("siren cannot be asked") == 1
    (node.folder / "run").unlink()
    node.pass_time(10)
    assert siren.asked(node.folder / "run") is not None


def test_a_clock_that_jumps_drops_no_alarm_until_the_hub_has_its_report(node: FrontDesk) -> None:
    node.hub_takes_all = False
    node.text("Tolong ada kebakaran besar")
    node.pass_time(200)
    count = "SELECT (SELECT count(*) FROM alarm), (SELECT count(*) FROM alarm_told)"
    before = tuple(node.journal.connection.execute(count).fetchone())
    assert before[0] == 1
    for state, left in (("sounding", before), ("done", before), ("over", (0, 0))):
        with node.journal.connection:
            node.journal.connection.execute("UPDATE alarm SET state = ?", (state,))
        node.clock.jump_wall(400 * 86_400.0)
        node.journal.append_all([], lambda _connection: node.desk.forget())
        assert tuple(node.journal.connection.execute(count).fetchone()) == left, state
    talks = node.journal.connection.execute("SELECT count(*) FROM talk").fetchone()[0]
    assert talks == 1, "a conversation ends by itself"
