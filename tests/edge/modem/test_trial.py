"""The trial call between two modems: proved only when each hears the other, and no report of it anywhere."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from siaga_edge.modem import proof
from siaga_edge.modem.voice import Voice
from support.modem_service import SENDER
from support.simulated_modem import modem_in_thread
from support.two_modems import NUMBER, NUMBER_B, noise, write_prompt
from support.voice_rig import Rig, config


class Site:
    """Both services' parts in one thread, turn by turn."""

    def __init__(self, one: Rig, other: Rig) -> None:
        self.one, self.other = one, other

    def until(self, what: Callable[[], object], limit_s: float = 20) -> None:
        def both() -> object:
            self.other.turn()
            return what()

        self.one.until(both, limit_s)

    def is_settled(self) -> bool:
        """Whether a first trial call, and what it left, is over on both sides."""
        told = self.one.voice._proof, self.other.voice._proof
        done = all(found.good or found.why != "not tried since the port was opened" for found in told)
        return done and not self.one.voice.busy and not self.other.voice.busy

    @property
    def is_free(self) -> bool:
        return not any(rig.control.state()["calls"] for rig in (self.one, self.other))


@contextmanager
def two_rigs(tmp_path: Path, kind: type[Voice] = Voice) -> Iterator[Site]:
    prompt = write_prompt(tmp_path / "prompt.wav", noise(0.5, 1))
    ways = ((tmp_path / "a", NUMBER, NUMBER_B, "b"), (tmp_path / "b", NUMBER_B, NUMBER, "a"))
    with ExitStack() as stack:
        rigs, controls = [], []
        for folder, number, peer, name in ways:
            folder.mkdir()
            _, control = stack.enter_context(modem_in_thread(folder, audio=True))
            control.peers(number, {peer: tmp_path / name / "modem.sock"})
            controls.append(control)
        made = config(tmp_path, prompt)
        for service, control in zip(("modem", "modemb"), controls, strict=True):
            rigs.append(Rig(made, service, control, kind))
            stack.callback(rigs[-1].close)
        yield Site(*rigs)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with two_rigs(tmp_path) as made:
        yield made


@pytest.mark.slow
def test_two_calls_prove_both_modems_and_neither_reports_them(site: Site) -> None:
    site.until(site.is_settled)
    assert not site.one.voice.may_answer(), "one call proves nothing"
    site.until(site.one.voice.may_answer)
    site.until(lambda: site.is_free and not site.other.voice.busy)
    assert proof.holds(site.other.voice._proof, site.other.clock.mono_s())
    assert site.one.reports() == site.other.reports() == []
    assert site.other.control.state()["counters"]["calls_answered"] == 2
    assert site.one.verdicts[-1].level == "ok"
    assert not site.other.voice.may_answer(), "it was not asked to answer"


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["never", "refused", "deaf", "dumb", "echo"])
@pytest.mark.parametrize("side", ["one", "other"])
def test_nothing_is_proved_by_half_a_path_whichever_side_has_it(site: Site, side: str, fault: str) -> None:
    getattr(site, side).control.fault(pcm=fault)
    site.until(lambda: site.is_settled() and site.is_free, 40)
    for rig in (site.one, site.other):
        assert not proof.holds(rig.voice._proof, rig.clock.mono_s())
        assert not rig.port.audio_is_proved
        assert rig.voice._proof.good == 0
        assert rig.reports() == []
    assert site.one.voice._proof.why


@pytest.mark.slow
def test_a_modem_whose_second_call_is_dead_is_never_proved(site: Site) -> None:
    site.one.control.fault(pcm="second_dead")
    site.until(lambda: site.one.voice._proof.good == 1)
    site.until(lambda: site.one.voice._proof.good == 0, 40)
    assert not site.one.voice.may_answer()


@pytest.mark.slow
def test_a_citizen_who_calls_in_its_midst_is_noted_on_either_modem(site: Site) -> None:
    site.until(lambda: site.one.control.state()["counters"].get("calls_answered", 0) or not site.is_free)
    for rig, number in ((site.one, SENDER), (site.other, "+628129999999")):
        site.until(lambda rig=rig: len(rig.control.state()["calls"]) == 1)  # type: ignore[misc]
        rig.control.call(number, rings=20, every_s=0.5)
    for rig, number in ((site.one, SENDER), (site.other, "+628129999999")):
        site.until(
            lambda rig=rig, number=number: [  # type: ignore[misc]
                one for one in rig.reports() if one.reporter_e164 == number
            ]
        )
        assert {one.reporter_e164 for one in rig.reports()} <= {number, None}
    site.until(lambda: not site.one.calls.busy and not site.other.calls.busy, 40)
    assert [rig.owed != [] for rig in (site.one, site.other)] == [True, True]


class Gullible(Voice):
    """The mutant: one good trial call is enough."""

    def tried(self, tried: proof.Tried) -> None:
        super().tried(tried)
        if tried.heard:
            super().tried(tried)


def test_one_that_takes_a_single_call_for_proof_is_found(tmp_path: Path) -> None:
    with two_rigs(tmp_path, Gullible) as site:
        site.until(site.is_settled)
        assert site.one.voice.may_answer()
