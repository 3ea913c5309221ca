"""Our own client against cameras that misbehave, over real TCP; and against ffmpeg, picture for picture."""

import itertools
import queue
import re
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from siaga_core.service.clock import SystemClock
from siaga_core.service.workers import Stop
from siaga_edge.node import Camera
from siaga_edge.recorder.client import session
from siaga_edge.recorder.client.messages import NotUnderstood, framed
from siaga_edge.recorder.ffmpeg import Container
from siaga_edge.recorder.fragments import BadStream, Fragment, Init
from siaga_edge.recorder.notices import Notice
from siaga_edge.recorder.sources import Source, ffmpeg_source, native_source
from siaga_edge.recorder.trouble import CameraTrouble
from siaga_edge.simulate.camera.rtp import Source as Sender
from support.films import coded, flat, packets
from support.scripted_camera import Last, Script, ScriptedCamera, answer, plays, scripted_camera
from support.simulated_camera import USER, simulated_cameras

_PASSWORD = "sangat rahasia"


def sdp(more: str = "packetization-mode=1") -> str:
    media = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    return f"{media}a=fmtp:96 {more}\r\na=control:trackID=0\r\n"


def film() -> bytes:
    return b"".join(framed(0, packet) for packet in flat(packets(coded("h264"))))


def camera(tmp_path: Path, scripted: ScriptedCamera, user: str = "") -> Camera:
    path = tmp_path / "password"
    path.write_text(_PASSWORD)
    return Camera(id="cam-a", rtsp_url=scripted.url, user=user, password_file=path)


def recorded(
    of: Camera, count: int = 5, limit_s: float = 0.5
) -> tuple[list[Init | Fragment], session.Session]:
    """What comes until there are so many; the session that gave it."""
    made: list[Init | Fragment] = []
    with session.stream(of, SystemClock(), limit_s) as playing:
        deadline_s = time.monotonic() + 5
        while len(made) < count and time.monotonic() < deadline_s:
            made += playing.read()
    return made, playing


def test_what_comes_together_with_the_answer_to_play_is_recorded_and_the_session_is_ended(
    tmp_path: Path,
) -> None:
    with scripted_camera(plays(sdp(), film())) as scripted:
        made, playing = recorded(camera(tmp_path, scripted))
    assert isinstance(made[0], Init)
    assert [len(one.samples) for one in made[1:5] if isinstance(one, Fragment)] == [5] * 4
    assert (playing.lost, playing.left_out, playing.strangers) == (0, 0, 0)
    assert scripted.methods() == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]
    assert scripted.heard[-1][1]["session"] == "8A"


def test_packets_before_play_and_of_another_source_are_counted_and_not_recorded(tmp_path: Path) -> None:
    own = Sender("cam-a", 0, 90_000, 96)
    before = framed(0, own.foreign(9)) + framed(0, own.packet(b"\x65\x80early", 0, marker=True))
    stream = b"".join(
        framed(0, own.foreign(n)) + framed(0, one) for n, one in enumerate(flat(packets(coded("h264"))))
    )
    with scripted_camera(plays(sdp(), stream, before, f";ssrc={own.ssrc:08x}")) as scripted:
        made, playing = recorded(camera(tmp_path, scripted))
    with scripted_camera(plays(sdp(), film())) as scripted:
        clean, _ = recorded(camera(tmp_path, scripted))
    assert made[:5] == clean[:5]
    assert (playing.lost, playing.left_out) == (0, 0)
    assert playing.strangers > len(flat(packets(coded("h264")))) // 2


class Fast(SystemClock):
    """A clock that goes a hundred times as fast."""

    def mono_s(self) -> float:
        return super().mono_s() * 100


def test_a_camera_is_told_that_somebody_listens_and_what_came(tmp_path: Path) -> None:
    well = plays(sdp(), film())

    def script(method: str, headers: Mapping[str, str], number: int) -> bytes | None:
        if method == "OPTIONS":
            return answer(headers, Public="OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER")
        return well(method, headers, number)

    with scripted_camera(script) as scripted:
        with session.stream(camera(tmp_path, scripted), Fast(), 1000) as playing:
            deadline_s = time.monotonic() + 5
            while len(scripted.reports) < 3 or scripted.methods().count("GET_PARAMETER") < 2:
                assert time.monotonic() < deadline_s
                list(playing.read())
        assert playing.lost == 0
    alive = [headers for method, headers in scripted.heard if method == "GET_PARAMETER"]
    assert alive[0]["session"] == "8A"
    last = scripted.reports[-1]
    _, kind, _, _, ssrc, counted, highest = struct.unpack_from(">BBHIIII", last)
    sent = flat(packets(coded("h264")))
    assert (kind, ssrc, counted) == (201, Sender("cam-a", 0, 90_000, 96).ssrc, 0)
    assert highest == 65_500 + len(sent) - 1


def refusing(status: str, **more: str) -> Script:
    return lambda _method, headers, _number: answer(headers, status, **more)


@pytest.mark.parametrize(
    "script",
    [
        refusing("302 Moved Temporarily", Location="rtsp://127.0.0.1/other"),
        refusing("461 Unsupported Transport"),
        plays(sdp("packetization-mode=2"), b""),
        plays("v=0\r\n", b""),
        plays(sdp().replace("H264", "VP9"), b""),
        plays(sdp(), framed(0, Sender("c", 0, 90_000, 96).packet(b"\x1dxx", 0, marker=True))),
    ],
)
def test_what_is_not_understood_has_one_type(tmp_path: Path, script: Script) -> None:
    with scripted_camera(script) as scripted, pytest.raises(NotUnderstood):
        recorded(camera(tmp_path, scripted))


def test_an_address_that_is_not_plain_rtsp_is_not_even_asked() -> None:
    for url in ("rtsps://127.0.0.1/a", "rtsp://u:p@127.0.0.1/a", "http://127.0.0.1/a"):
        with pytest.raises(NotUnderstood):
            recorded(Camera(id="cam-a", rtsp_url=url))


def challenging(algorithm: str) -> Script:
    """It never believes a password."""
    said = f'Digest realm="cam", nonce="n1", algorithm={algorithm}, qop="auth"'
    return lambda _method, headers, _number: answer(headers, "401 Unauthorized", WWW_Authenticate=said)


def test_a_wrong_password_is_said_once_and_stands_in_no_error(tmp_path: Path) -> None:
    with scripted_camera(challenging("SHA-256")) as scripted, pytest.raises(CameraTrouble) as caught:
        recorded(camera(tmp_path, scripted, "viewer"))
    assert (caught.value.kind, "401" in str(caught.value)) == ("refused", True)
    proofs = [headers["authorization"] for _, headers in scripted.heard if "authorization" in headers]
    assert len(proofs) == 1
    assert "algorithm=SHA-256" in proofs[0]
    assert _PASSWORD not in str(caught.value) + "".join(proofs)


def test_a_nonce_that_went_stale_is_replaced(tmp_path: Path) -> None:
    well = plays(sdp(), film())

    def script(method: str, headers: Mapping[str, str], number: int) -> bytes | None:
        nonce = "n2" if number > 3 else "n1"
        if f'nonce="{nonce}"' in headers.get("authorization", ""):
            return well(method, headers, number)
        said = f'Digest realm="cam", nonce="{nonce}", stale={"true" if nonce == "n2" else "false"}'
        return answer(headers, "401 Unauthorized", WWW_Authenticate=said)

    with scripted_camera(script) as scripted:
        made, _ = recorded(camera(tmp_path, scripted, "viewer"))
    assert len(made) >= 5


def test_a_camera_that_drips_is_given_up_in_time(tmp_path: Path) -> None:
    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            try:
                while True:
                    connection.sendall(b"R")
                    time.sleep(0.05)
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        with pytest.raises(CameraTrouble) as caught:
            recorded(camera(tmp_path, ScriptedCamera(server.getsockname()[1])))
        thread.join(5)
    assert caught.value.kind == "silent"


@pytest.mark.parametrize("garbage", [b"\x00\x01garbage", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_octets_that_are_no_stream_are_garbage_and_what_came_before_is_kept(
    tmp_path: Path, garbage: bytes
) -> None:
    with scripted_camera(plays(sdp(), film() + garbage)) as scripted:
        made: list[Init | Fragment] = []
        with native_source(camera(tmp_path, scripted), SystemClock(), queue.Queue()) as source:

            def read_on() -> None:
                while True:
                    made.extend(source.read(Stop(), time.monotonic() + 5))

            with pytest.raises(BadStream):
                read_on()
    assert sum(len(one.samples) for one in made if isinstance(one, Fragment)) == 30


def test_a_connection_that_ends_has_a_reason_and_the_last_picture_is_kept(tmp_path: Path) -> None:
    well = plays(sdp(), film())

    def script(method: str, headers: Mapping[str, str], number: int) -> bytes | None:
        said = well(method, headers, number)
        return Last(said or b"") if method == "PLAY" else said

    made: list[Init | Fragment] = []
    with (
        scripted_camera(script) as scripted,
        native_source(camera(tmp_path, scripted), SystemClock(), queue.Queue()) as source,
    ):

        def read_on() -> None:
            while True:
                made.extend(source.read(Stop(), time.monotonic() + 5))

        with pytest.raises(CameraTrouble, match="ended the connection"):
            read_on()
    assert sum(len(one.samples) for one in made if isinstance(one, Fragment)) == 30


def _pictures(path: Path) -> list[tuple[int, str]]:
    """(time, MD5) of each decoded picture; ffmpeg may not complain."""
    command = [
        "ffmpeg",
        "-nostdin",
        "-v",
        "warning",
        "-i",
        str(path),
        "-map",
        "0:v",
        "-fps_mode",
        "passthrough",
    ]
    command += ["-enc_time_base", "-1", "-f", "framemd5", "-"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    rows = [line.split(",") for line in done.stdout.splitlines() if not line.startswith("#")]
    return [(int(row[2]), row[5].strip()) for row in rows]


def _begins(pair: tuple[tuple[int, str], tuple[int, str]]) -> tuple[float, float]:
    """When one picture is seen in either file, in seconds."""
    return pair[0][0] / 90_000, pair[1][0] / 90_000


def _tones(path: Path) -> list[float]:
    """When the tones begin, in the time of the file."""
    heard = "aresample=async=1:first_pts=0,silencedetect=noise=0.03:d=0.2"
    command = ["ffmpeg", "-hide_banner", "-nostdin", "-copyts", "-i", str(path), "-vn", "-af", heard]
    done = subprocess.run(
        [*command, "-f", "null", "-"], check=True, capture_output=True, text=True, timeout=60
    )
    return [float(one) for one in re.findall(r"silence_end: ([\d.]+)", done.stderr)][:-1]


def _record(source: Source, path: Path, stop: Stop) -> None:
    with path.open("wb") as file:
        while not stop.is_set():
            for made in source.read(stop, time.monotonic() + 1):
                file.write(made.octets)
        for made in source.rest():
            file.write(made.octets)


@pytest.mark.parametrize("special", ["h264+aac", "h265+pcma", "pcmu+basic"])
def test_pictures_and_their_times_are_those_that_ffmpeg_records(tmp_path: Path, special: str) -> None:
    with simulated_cameras(tmp_path, f"cam-a={special}") as cameras:
        of = Camera(
            id="cam-a", rtsp_url=cameras.rtsp_url("cam-a"), user=USER, password_file=cameras.password_file
        )
        container: Container = "mov" if "pcm" in special else "mp4"
        notices, stop, clock = queue.Queue[Notice](), Stop(), SystemClock()
        with (
            native_source(of, clock, notices) as ours,
            ffmpeg_source("ffmpeg", of, container, clock, notices) as theirs,
        ):
            paths = [tmp_path / "ours.mp4", tmp_path / "theirs.mp4"]
            threads = [
                threading.Thread(target=_record, args=(source, path, stop))
                for source, path in zip((ours, theirs), paths, strict=True)
            ]
            for thread in threads:
                thread.start()
            stop.wait(5)
            stop.set()
            for thread in threads:
                thread.join(10)
    mine, other = (_pictures(path) for path in paths)
    start = next(
        n
        for n in range(len(mine))
        if mine[n : n + 5] and [h for _, h in mine[n : n + 5]] == [h for _, h in other[:5]]
    )
    both = list(zip(mine[start:], other, strict=False))
    assert len(both) >= 15
    assert [one[1] for one, _ in both] == [one[1] for _, one in both]
    # Where AAC begins before the pictures ffmpeg shows its first picture longer; the others are as they are.
    assert {one[0] - two[0] for one, two in both[1:]} == {both[1][0][0] - both[1][1][0]}
    assert {after[0] - before[0] for before, after in itertools.pairwise(mine)} == {9000}
    # The tone of each second is heard beside the same picture.
    ours_s, theirs_s = (
        [at - when for at in _tones(path)] for path, when in zip(paths, _begins(both[1]), strict=True)
    )
    assert min(len(ours_s), len(theirs_s)) >= 2
    assert abs((ours_s[0] - theirs_s[0] + 0.5) % 1 - 0.5) < 0.05
