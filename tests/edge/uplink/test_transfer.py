"""Clips and pictures through the real gateway, over a line that is cut and past a hub that is ended."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from siaga_central.store import clips
from siaga_core.service.workers import Heartbeat, Stop
from siaga_edge import transfers
from siaga_edge.transfers import Ticket
from siaga_edge.uplink.transfer import REST_S, Courier, GatewayUnreachable, SharedBudget
from support.clock import FakeClock
from support.transfer_site import CLIP, FOOTAGE, PICTURE, SLICE, Site, transfer_site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with transfer_site(tmp_path) as made:
        yield made


def deliver(site: Site, courier: Courier, most: int = 20) -> int:
    """Step until nothing waits; how often the gateway was not reached. A ticket gone too early fails here."""
    lost = 0
    for _ in range(most):
        try:
            busy = courier.step()
        except GatewayUnreachable:
            lost, busy = lost + 1, True
        if not list(site.transfers.glob("*.json")):
            assert site.is_ready(), "the ticket is gone and the hub has not confirmed the clip"
        if not busy:
            return lost
    raise AssertionError(f"still waiting: {list(site.transfers.iterdir())}")


def test_a_clip_goes_up_in_slices_and_its_ticket_is_discarded_when_the_hub_has_it(site: Site) -> None:
    site.publish_clip()
    with site.hub():
        assert deliver(site, site.courier()) == 0
    assert site.is_ready()
    assert list(site.transfers.iterdir()) == []
    assert [method for method, _ in site.heard] == ["HEAD", *["PUT"] * 6]
    assert site.sent_bytes() == len(FOOTAGE)


@pytest.mark.parametrize("at", [100, SLICE])
def test_a_line_that_is_cut_costs_at_most_the_slice_it_carried(site: Site, at: int) -> None:
    site.publish_clip()
    courier = site.courier()
    with site.hub():
        for _ in range(2):
            courier.step()
        site.line.cut_after = at
        assert deliver(site, courier) == 1
    assert site.is_ready()
    assert site.sent_bytes() <= len(FOOTAGE) + SLICE


def _restarted(site: Site, kind: type[Courier]) -> int:
    """Octets that went up of a clip while uplink and hub were both ended in its middle."""
    site.publish_clip()
    with site.hub():
        first = site.courier()
        for _ in range(3):
            first.step()
    with pytest.raises(GatewayUnreachable):
        site.courier(kind).step()
    assert list(site.transfers.glob("*.json"))
    with site.hub():
        assert deliver(site, site.courier(kind)) == 0
    assert site.is_ready()
    return site.sent_bytes()


def test_a_clip_goes_on_where_it_was_after_uplink_and_hub_have_ended(site: Site) -> None:
    assert _restarted(site, Courier) == len(FOOTAGE)


@pytest.mark.parametrize("slices_before", [2, 5])
def test_an_answer_that_is_lost_doubles_and_drops_nothing(site: Site, slices_before: int) -> None:
    """After 5 slices it is the 201 itself that is lost."""
    site.publish_clip()
    courier = site.courier()
    with site.hub():
        for _ in range(slices_before):
            courier.step()
        site.lose_answer = True
        assert deliver(site, courier) == 1
    assert site.is_ready()
    assert site.sent_bytes() == len(FOOTAGE)


def test_what_rotted_at_the_hub_is_thrown_away_and_sent_again(site: Site) -> None:
    site.publish_clip()
    courier = site.courier()
    with site.hub():
        for _ in range(3):
            courier.step()
        part = site.media / "clips" / f"{CLIP}.part"
        part.write_bytes(b"\0" * part.stat().st_size)
        assert deliver(site, courier) == 0
    assert site.is_ready()
    assert site.sent_bytes() == 2 * len(FOOTAGE)
    assert site.notices.empty()


def test_more_at_the_hub_than_the_clip_has_is_thrown_away_too(site: Site) -> None:
    site.publish_clip()
    with site.hub():
        (site.media / "clips" / f"{CLIP}.part").write_bytes(b"x" * (len(FOOTAGE) + 1))
        assert deliver(site, site.courier()) == 0
    assert site.is_ready()


def test_a_file_that_is_not_what_its_ticket_says_is_kept_aside_and_reported(site: Site) -> None:
    ticket = site.publish_clip(stated=b"another")
    courier = site.courier()
    with site.hub():
        for _ in range(40):
            if not courier.step():
                break
    assert (site.transfers / "refused" / ticket.name).read_bytes() == FOOTAGE
    assert transfers.waiting(site.transfers) == []
    assert not site.is_ready()
    assert site.notices.get_nowait().code == "uplink.refused"


def test_a_clip_that_nobody_asked_for_does_not_stand_in_the_way(site: Site) -> None:
    stray = site.publish_clip(clip="01J0000000000000000000STR4")
    site.publish_clip()
    with site.hub():
        deliver(site, site.courier())
    assert site.is_ready()
    assert (site.transfers / "refused" / stray.name).exists()


def test_a_picture_overtakes_a_clip_and_anothers_camera_is_refused(site: Site) -> None:
    site.publish_clip()
    courier = site.courier()
    with site.hub():
        courier.step()
        picture, other = site.publish_picture(), site.publish_picture("cam-b")
        while any((site.transfers / one.name).exists() for one in (picture, other)):
            courier.step()
        assert (site.media / "pictures" / "cam-a.jpg").read_bytes() == PICTURE
        assert not site.is_ready()
        deliver(site, courier)
    assert (site.transfers / "refused" / other.name).exists()


def _wish(site: Site, wanted: clips.Wish) -> None:
    site.store.write(lambda c: clips.wish(c, CLIP, wanted, "rina", 1))


def test_a_stopped_clip_rests_on_the_node_lets_others_by_and_goes_on_where_it_was(site: Site) -> None:
    site.publish_clip()
    clock = FakeClock()
    courier = site.courier(clock=clock)
    with site.hub():
        courier.step()
        _wish(site, "stop")
        while courier.step():
            pass
        here = site.sent_bytes()
        assert here <= 2 * SLICE, "the slice that was on its way is the last"
        site.publish_picture()
        assert courier.step(), "a picture does not wait for it"
        assert (site.media / "pictures" / "cam-a.jpg").exists()
    with site.hub():  # both ends start anew: the node knows nothing of it, the hub does
        courier = site.courier(clock=clock)
        assert courier.step()
        assert not courier.step()
        _wish(site, "go")
        assert not courier.step(), "it asks again after a rest"
        clock.advance(REST_S + 1)
        deliver(site, courier)
    assert site.is_ready()


def test_a_clip_that_is_given_up_is_deleted_on_both_sides_and_on_record(site: Site) -> None:
    site.publish_clip()
    with site.hub():
        site.courier().step()
        assert (site.media / "clips" / f"{CLIP}.part").exists()
    _wish(site, "drop")
    with site.hub():
        while site.courier().step():
            pass
    assert list(site.transfers.iterdir()) == []
    assert list((site.media / "clips").iterdir()) == []
    assert not site.is_ready()
    with site.store.read() as connection:
        kinds = connection.exec_driver_sql("SELECT kind, actor FROM event WHERE kind LIKE 'clip.dropped'")
        assert kinds.all() == [("clip.dropped", "rina")]
    with pytest.raises(clips.WrongWish):
        _wish(site, "go")


class ForgetsTheWish(Courier):
    """Takes a stopped clip for a refused one."""

    def _judge(self, ticket: Ticket, status: int, detail: str, sent_bytes: int) -> None:
        super()._judge(ticket, 400 if status == 423 else status, detail, sent_bytes)


def test_a_courier_that_takes_stopped_for_refused_is_caught(site: Site) -> None:
    site.publish_clip()
    with site.hub():
        courier = site.courier(ForgetsTheWish)
        courier.step()
        _wish(site, "stop")
        courier.step()
        _wish(site, "go")
        while courier.step():
            pass
    assert not site.is_ready()


def test_a_clip_and_reports_together_stay_within_the_sites_budget() -> None:
    """An hour of simulated time at 64 kbit/s: a clip takes what is there, urgent records what they need."""
    budget, sent, now_s = SharedBudget(64), 0, 0.0
    urgent = itertools.count(7.0, 30.0)
    due_s = next(urgent)
    while now_s < 3600:
        if now_s >= due_s:
            budget.spend(2000, now_s)
            sent, due_s = sent + 2000, next(urgent)
        pause_s = budget.pause_s(now_s)
        if pause_s == 0:
            budget.spend(budget.slice_bytes, now_s)
            sent += budget.slice_bytes
        now_s += max(pause_s, 0.001)
        assert sent <= 8000 * now_s + 16_000 + budget.slice_bytes + 2000
    assert sent > 0.97 * 8000 * 3600, "and nothing of it is wasted"


class Ticking(Stop):
    """Waits in simulated time until the clip is there, and looks how much has gone up by when."""

    def __init__(self, site: Site, clock: FakeClock) -> None:
        super().__init__()
        self._site, self._clock, self._began_s = site, clock, clock.mono_s()
        self.too_much: list[tuple[float, int]] = []

    def look(self) -> None:
        """The line's own account: budget, burst and the slice that is on its way."""
        gone_s = self._clock.mono_s() - self._began_s
        if self._site.sent_bytes() > 4000 * (gone_s + 2) + SLICE:
            self.too_much.append((gone_s, self._site.sent_bytes()))
        if gone_s > 60 or self._site.is_ready():
            self.set()

    def wait(self, seconds: float) -> bool:
        self._clock.advance(seconds)
        return self.is_set()


@dataclass
class Pulse(Heartbeat):
    """Looks at each beat."""

    ticking: Ticking

    def beat(self) -> None:
        super().beat()
        self.ticking.look()


def _over_budget(site: Site, kind: type[Courier]) -> list[tuple[float, int]]:
    """When a courier at work on a line of 32 kbit/s had sent more than that, and how much."""
    site.publish_clip()
    clock = FakeClock()
    ticking = Ticking(site, clock)
    with site.hub():
        site.courier(kind, clock).work(ticking, Pulse(clock, ticking))
    assert site.is_ready()
    return ticking.too_much


def test_a_courier_at_work_keeps_to_the_budget_of_the_line(site: Site) -> None:
    assert _over_budget(site, Courier) == []


class Spendthrift(Courier):
    """Sends whatever waits, whatever the line may carry."""

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        while not stop.is_set():
            self.step()
            heartbeat.beat()


class Uncounted(Courier):
    """Sends without a word to the budget that reports share."""

    def _carry(self, connection: Any, ticket: Ticket) -> None:
        shared, self._budget = self._budget, SharedBudget(32)
        super()._carry(connection, ticket)
        self._budget = shared


@pytest.mark.parametrize("mutant", [Spendthrift, Uncounted])
def test_a_courier_that_ignores_the_budget_is_found_out(site: Site, mutant: type[Courier]) -> None:
    assert _over_budget(site, mutant)


class DiscardsAtAnySuccess(Courier):
    """Takes the first 200 for the last word."""

    def _judge(self, ticket: Ticket, status: int, detail: str, sent_bytes: int) -> None:
        super()._judge(ticket, 201 if status == 200 else status, detail, sent_bytes)


class DiscardsWhenSent(Courier):
    """Forgets the ticket once its last byte has been handed to the line."""

    def _slice(self, ticket: Ticket, offset: int) -> bytes:
        body = super()._slice(ticket, offset)
        if offset + len(body) == ticket.size_bytes:
            transfers.discard(self._folder, ticket)
        return body


class BeginsAgain(Courier):
    """Never asks the gateway how much it has."""

    def _offset(self, connection: Any, path: str, ticket: Ticket) -> int:
        return self._offsets.setdefault(ticket.name, 0)


@pytest.mark.parametrize(
    ("mutant", "why"),
    [
        (DiscardsAtAnySuccess, "the ticket is gone"),
        (DiscardsWhenSent, "the ticket is gone"),
        (BeginsAgain, "still waiting"),
    ],
)
def test_a_broken_courier_is_caught(site: Site, mutant: type[Courier], why: str) -> None:
    site.publish_clip()
    courier = site.courier(mutant)
    with site.hub():
        for _ in range(5):
            courier.step()
        site.line.cut_after = 100
        with pytest.raises(AssertionError, match=why):
            deliver(site, courier)


def test_a_courier_that_begins_at_0_after_a_restart_is_found_out(site: Site) -> None:
    with pytest.raises(AssertionError, match="still waiting"):
        _restarted(site, BeginsAgain)
