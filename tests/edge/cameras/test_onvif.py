"""ONVIF against a device that may be slow, broken or hostile: every operation ends in time."""

import logging
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from siaga_core.service.clock import SystemClock
from siaga_edge.cameras import exchange
from siaga_edge.cameras.facts import AFTER_REFUSAL_S, Asker, Facts
from siaga_edge.cameras.onvif import OnvifFailed, OnvifSession, Outcome, pinned
from support.clock import FakeClock
from support.simulated_camera import PASSWORD, USER, SimulatedCameras, simulated_cameras

LIMIT_S = 1.0


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCameras]:
    with simulated_cameras(tmp_path_factory.mktemp("cameras"), "cam-a") as running:
        yield running


@pytest.fixture(autouse=True)
def _well_again(cameras: SimulatedCameras) -> Iterator[None]:
    yield
    cameras.control.switch("cam-a", "normal")
    cameras.control.onvif("cam-a", "none", 0.0)


def session(cameras: SimulatedCameras, password: str = PASSWORD) -> OnvifSession:
    return OnvifSession(cameras.onvif_url("cam-a"), USER, password, SystemClock(), limit_s=LIMIT_S)


def outcome(operation: Callable[[], object]) -> Outcome:
    with pytest.raises(OnvifFailed) as failed:
        operation()
    return failed.value.outcome


def test_a_camera_tells_its_clock_what_it_is_and_where_it_streams(cameras: SimulatedCameras) -> None:
    asked = session(cameras)
    offset = asked.clock_offset()
    assert abs(offset.offset_ms) <= offset.error_ms < 2000
    assert asked.device().model == "Simulated camera"
    assert asked.stream_uri() == cameras.rtsp_url("cam-a")


@pytest.mark.parametrize("offset_s", [-4000.0, 45.0, 86400.0 * 400])
def test_a_wrong_clock_is_measured_and_the_password_still_works(
    cameras: SimulatedCameras, offset_s: float
) -> None:
    cameras.control.onvif("cam-a", clock_offset_s=offset_s)
    asked = session(cameras)
    offset = asked.clock_offset()
    assert abs(offset.offset_ms - offset_s * 1000) <= offset.error_ms
    assert asked.device().firmware == "1.0.0"


def test_a_wrong_password_is_auth(cameras: SimulatedCameras) -> None:
    assert outcome(session(cameras, "wrong").device) == "auth"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("blackhole", "timeout"),
        ("drip", "timeout"),
        ("huge", "transport"),
        ("unauthorized", "auth"),
        ("malformed", "nonconformant"),
        ("redirect", "transport"),
        ("bomb", "nonconformant"),
    ],
)
def test_no_fault_holds_us_past_the_limit(cameras: SimulatedCameras, fault: str, expected: Outcome) -> None:
    asked = session(cameras)
    asked.clock_offset()
    cameras.control.onvif("cam-a", fault)
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun_s = time.monotonic()
    assert outcome(asked.device) == expected
    assert time.monotonic() - begun_s < LIMIT_S + 0.5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 30 * 1024


def test_the_proof_of_the_deadline_notices_a_timeout_per_read(cameras: SimulatedCameras) -> None:
    """Mutant: what common clients do. The dripping camera holds it far beyond the limit."""
    import urllib.request

    cameras.control.onvif("cam-a", "drip")
    envelope = b'<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body><GetSystemDateAndTime/></e:Body></e:Envelope>'
    begun_s = time.monotonic()
    with urllib.request.urlopen(cameras.onvif_url("cam-a"), envelope, timeout=LIMIT_S) as reply:
        reply.read(6)
    assert time.monotonic() - begun_s > LIMIT_S + 0.5
    with pytest.raises(exchange.ExchangeFailed, match="did not answer in 1 s"):
        exchange.post(cameras.onvif_url("cam-a"), envelope, {}, limit_s=LIMIT_S)


def test_an_address_elsewhere_is_not_followed(cameras: SimulatedCameras) -> None:
    cameras.control.onvif("cam-a", "wrong-xaddr")
    assert session(cameras).stream_uri() == "rtsp://127.0.0.1/cam-a"


def test_an_unplugged_camera_is_transport_and_a_silent_one_timeout(cameras: SimulatedCameras) -> None:
    cameras.control.switch("cam-a", "drop")
    assert outcome(session(cameras).clock_offset) == "transport"
    cameras.control.switch("cam-a", "stall")
    assert outcome(session(cameras).clock_offset) == "timeout"


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("rtsp://user:pw@10.0.0.9:554/a?b=1", "rtsp://cam.lan:554/a?b=1"),
        ("rtsp://cam.lan/a", "rtsp://cam.lan/a"),
    ],
)
def test_what_a_camera_tells_is_pinned_to_the_host_we_know(told: str, kept: str) -> None:
    assert pinned(told, "cam.lan", schemes=("rtsp",)) == kept


@pytest.mark.parametrize("told", ["file:///etc/passwd", "http://cam.lan/a", "rtsp://cam.lan:99999/a", ""])
def test_what_is_no_stream_is_refused(told: str) -> None:
    assert outcome(lambda: pinned(told, "cam.lan", schemes=("rtsp",))) == "nonconformant"


def asker(cameras: SimulatedCameras, clock: FakeClock, passwords: list[str]) -> Asker:
    def open_session(password: str) -> OnvifSession:
        return session(cameras, password)

    return Asker("cam-a", cameras.rtsp_url("cam-a"), open_session, lambda: passwords[-1], 60, clock)


def test_a_refused_password_is_not_tried_again_until_it_changes_or_an_hour_is_over(
    cameras: SimulatedCameras, clock: FakeClock
) -> None:
    passwords = ["wrong"]
    asking = asker(cameras, clock, passwords)
    begun = cameras.control.state("cam-a")["onvif_refused"]
    for _ in range(5):
        asking.ask()
        clock.advance(60)
    assert asking.facts().onvif == "refused"
    assert cameras.control.state("cam-a")["onvif_refused"] == begun + 1
    clock.advance(AFTER_REFUSAL_S)
    asking.ask()
    assert cameras.control.state("cam-a")["onvif_refused"] == begun + 2
    passwords.append(PASSWORD)
    asking.ask()
    assert asking.facts().onvif == "ok"
    assert asking.facts().model == "Siaga Simulated camera"


def test_one_lost_answer_is_no_news_and_two_are(cameras: SimulatedCameras, clock: FakeClock) -> None:
    asking = asker(cameras, clock, [PASSWORD])
    asking.ask()
    well = asking.facts()
    cameras.control.switch("cam-a", "drop")
    asking.ask()
    assert not asking.facts().is_news_after(well)
    asking.ask()
    assert asking.facts().onvif == "unreachable"
    assert asking.facts().is_news_after(well)


def test_a_clock_that_wobbles_is_no_news() -> None:
    before = Facts("ok", "m", "1", 400)
    assert not Facts("ok", "m", "1", -900).is_news_after(before)
    assert Facts("ok", "m", "1", 2500).is_news_after(before)


def test_importing_onvif_leaves_the_root_logger_alone() -> None:
    code = (
        "import logging; import siaga_edge.cameras.onvif; root = logging.getLogger();"
        " assert root.handlers == [] and root.level == logging.WARNING, (root.handlers, root.level)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert logging.getLogger("zeep").getEffectiveLevel() >= logging.WARNING
