"""Codecs, sound, transports and faults of the simulated cameras, seen by ffmpeg and ffprobe."""

import contextlib
import itertools
import json
import re
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest

from siaga_edge.simulate.camera import h265
from siaga_edge.simulate.camera.admission import Gate
from siaga_edge.simulate.camera.cli import add_arguments, run
from siaga_edge.simulate.camera.rtp import Source
from support.simulated_camera import PASSWORD, USER, SimulatedCameras, simulated_cameras
from support.waiting import until

_CAMERAS = ("plain=sub", "hevc=h265+aac+sub", "alaw=pcma+basic", "mulaw=pcmu", "loud=aac")


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCameras]:
    folder = tmp_path_factory.mktemp("streams")
    with simulated_cameras(folder, *_CAMERAS) as running:
        yield running


def url(cameras: SimulatedCameras, path: str, password: str = PASSWORD) -> str:
    return f"rtsp://{USER}:{quote(password, safe='')}@127.0.0.1:{cameras.port}/{path}"


def watch(address: str, transport: str, seconds: float, *sink: str) -> subprocess.CompletedProcess[str]:
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "info", "-rtsp_transport", transport]
    command += ["-timeout", "3000000", "-i", address, "-t", str(seconds), *(sink or ("-f", "null", "-"))]
    return subprocess.run(command, capture_output=True, text=True, timeout=40, check=False)


def probe(address: str, transport: str) -> list[dict[str, Any]]:
    command = ["ffprobe", "-loglevel", "error", "-rtsp_transport", transport, "-timeout", "3000000"]
    done = subprocess.run(
        [*command, "-show_streams", "-of", "json", address], capture_output=True, text=True, timeout=30
    )
    streams: list[dict[str, Any]] = json.loads(done.stdout or "{}").get("streams", [])
    return streams


_EXPECTED = {
    "plain": ("h264", ""),
    "hevc": ("hevc", "aac 16000"),
    "alaw": ("h264", "pcm_alaw 8000"),
    "mulaw": ("h264", "pcm_mulaw 8000"),
    "loud": ("h264", "aac 16000"),
}


def test_every_codec_sound_and_size_is_what_it_says(cameras: SimulatedCameras) -> None:
    paths = [(name, transport) for name in _EXPECTED for transport in ("udp", "tcp")]
    paths += [("plain/sub", "tcp"), ("hevc/sub", "udp")]
    with ThreadPoolExecutor(len(paths)) as pool:
        probed = pool.map(lambda one: probe(url(cameras, one[0]), one[1]), paths)
        found = dict(zip(paths, probed, strict=True))
    for (path, _), streams in found.items():
        video, heard = _EXPECTED[path.partition("/")[0]]
        assert streams, path
        assert streams[0]["codec_name"] == video
        assert streams[0]["width"] == (160 if path.endswith("/sub") else 320)
        assert " ".join(f"{one['codec_name']} {one['sample_rate']}" for one in streams[1:]) == heard


@pytest.mark.parametrize(
    ("path", "transport"),
    [
        ("hevc", "udp"),
        pytest.param("alaw", "tcp", marks=pytest.mark.slow),
        pytest.param("loud", "udp", marks=pytest.mark.slow),
        pytest.param("mulaw", "udp", marks=pytest.mark.slow),
    ],
)
def test_the_tone_is_heard_while_the_corner_is_white(
    cameras: SimulatedCameras, path: str, transport: str
) -> None:
    corner = "crop=iw/8:ih/8:iw*13/16:ih/16,blackframe=amount=0:threshold=200,metadata=print:file=-"
    done = watch(
        *(url(cameras, path), transport, 4.6),
        *("-vf", corner, "-af", "silencedetect=noise=0.05:d=0.3", "-f", "null", "-"),
    )
    white: list[float] = []
    for time_s, dark in re.findall(r"pts_time:([\d.]+)\nlavfi.blackframe.pblack=(\d+)", done.stdout):
        if int(dark) < 10 and (not white or float(time_s) - white[-1] > 0.5):
            white.append(float(time_s))
    tones = [float(one) for one in re.findall(r"silence_end: ([\d.]+)", done.stderr)]
    assert len(white) >= 3, done.stderr
    assert len(tones) >= 3, done.stderr
    apart = [min(abs(tone - flash) for flash in white) for tone in tones[1:3]]
    assert max(apart) < 0.12, (white, tones)  # a picture lasts 0.1 s


def test_a_basic_camera_wants_the_right_password_and_no_digest(cameras: SimulatedCameras) -> None:
    assert not probe(url(cameras, "alaw", "wrong"), "tcp")
    with socket.create_connection(("127.0.0.1", cameras.port), 2) as connection:
        connection.sendall(f"DESCRIBE {cameras.rtsp_url('alaw')} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
        assert b"WWW-Authenticate: Basic realm=" in connection.recv(4096)
    gate = Gate("viewer", "secret")
    assert gate.admits("PLAY", "Basic dmlld2VyOnNlY3JldA==", "basic")
    assert not gate.admits("PLAY", "Basic dmlld2VyOnNlY3JldA==", "digest")
    assert not gate.admits("PLAY", "Basic dmlld2VyOnNlY3JlVA==", "basic")


@contextlib.contextmanager
def watching(address: str, transport: str = "tcp", *words: str) -> Iterator["subprocess.Popen[str]"]:
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "verbose", "-rtsp_transport", transport]
    command += ["-timeout", "3000000", "-i", address, *words, "-f", "null", "-"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def frames_of(cameras: SimulatedCameras, name: str) -> int:
    return int(cameras.control.state(name)["frames_sent"])


@pytest.mark.parametrize("name", ["hevc", pytest.param("plain", marks=pytest.mark.slow)])
def test_a_change_in_mid_stream_brings_another_size(cameras: SimulatedCameras, name: str) -> None:
    with watching(url(cameras, name)) as process:
        assert process.stderr is not None
        assert any("w:320 h:180" in line for line in process.stderr)
        cameras.control.fail(name, "change")
        assert any("w:160 h:90" in line for line in process.stderr)
        cameras.control.fail(name, "change")


def packet_times(address: str, seconds: float, during: Any) -> list[tuple[str, float]]:
    """(type, time) of each packet that ffprobe sees; `during` is called when the first have come."""
    command = ["ffprobe", "-loglevel", "error", "-rtsp_transport", "tcp", "-probesize", "32"]
    command += ["-analyzeduration", "0", "-show_packets"]
    command += ["-show_entries", "packet=codec_type,pts_time", "-of", "csv=p=0", address]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    found: list[tuple[str, float]] = []
    try:
        for line in process.stdout:
            kind, time_s, *_ = (*line.strip().split(","), "")
            if not time_s or time_s == "N/A":
                continue
            found.append((kind, float(time_s)))
            if len(found) == 12:
                during()
            if len(found) > 12 + seconds * 10:
                break
    finally:
        process.kill()
        process.communicate()
    return found


@pytest.mark.parametrize("by_s", [3600.0, pytest.param(-3600.0, marks=pytest.mark.slow)])
def test_a_jump_of_the_rtp_time_is_seen_by_ffprobe(cameras: SimulatedCameras, by_s: float) -> None:
    times = packet_times(url(cameras, "plain"), 2, lambda: cameras.control.fail("plain", "jump", by_s))
    steps = [later[1] - sooner[1] for sooner, later in itertools.pairwise(times)]
    turn_s = 2**32 / 90_000  # ffprobe may take a step back for a turn of the 32-bit clock
    assert any(min(abs(step - by_s), abs(step - by_s - turn_s)) < 5 for step in steps), steps


def test_a_jump_of_the_cameras_clock_comes_in_its_next_sender_report() -> None:
    source = Source("cam-a", 0, 90_000, 96)
    before, after = source.report(10**18, 90_000), source.report(10**18 + 3600 * 10**9, 90_000)
    seconds = [int.from_bytes(one[8:12], "big") for one in (before, after)]
    assert seconds[1] - seconds[0] == 3600
    assert before[16:20] == after[16:20], "the RTP time did not move"


def test_a_reset_a_refusal_and_silence_are_three_troubles(cameras: SimulatedCameras) -> None:
    with watching(url(cameras, "plain")) as process:
        until(lambda: cameras.control.state("plain")["clients"] == 1, because="it watches")
        cameras.control.fail("plain", "reset")
        assert process.wait(10) is not None
    cameras.control.switch("plain", "refuse", 2)
    assert "503" in watch(url(cameras, "plain"), "tcp", 1).stderr
    cameras.control.switch("plain", "mute", 6)
    begun = frames_of(cameras, "plain")
    assert watch(url(cameras, "plain"), "tcp", 1).returncode != 0
    assert frames_of(cameras, "plain") == begun
    cameras.control.switch("plain", "normal")


def test_foreign_packets_come_before_play_and_in_between(cameras: SimulatedCameras) -> None:
    cameras.control.fail("mulaw", "foreign", 1)
    try:
        done = watch(url(cameras, "mulaw"), "tcp", 2, "-f", "framemd5", "-map", "0:v", "-")
        assert len([line for line in done.stdout.splitlines() if not line.startswith("#")]) >= 12
    finally:
        cameras.control.fail("mulaw", "foreign", 0)
    assert cameras.control.state("mulaw")["foreign"] is False


def test_lost_datagrams_are_missed_by_ffmpeg_and_none_on_tcp(cameras: SimulatedCameras) -> None:
    cameras.control.fail("loud", "lose", 20)
    try:
        with ThreadPoolExecutor(2) as pool:
            over_udp, over_tcp = pool.map(lambda way: watch(url(cameras, "loud"), way, 2), ("udp", "tcp"))
        assert "missed" in over_udp.stderr
        assert "missed" not in over_tcp.stderr
    finally:
        cameras.control.fail("loud", "lose", 0)


def test_an_h265_unit_is_cut_and_can_be_put_together() -> None:
    unit = bytes([19 << 1, 1]) + bytes(range(1, 251)) * 20
    pieces = list(h265.payloads(unit, 1000))
    assert all(len(piece) <= 1000 and h265.kind_of(piece) == 49 for piece in pieces)
    assert bytes([(pieces[0][2] & 0x3F) << 1, 1]) + b"".join(piece[3:] for piece in pieces) == unit
    assert [piece[2] & 0xC0 for piece in pieces] == [0x80, *[0] * (len(pieces) - 2), 0x40]


def test_the_command_line_wants_an_amount_where_there_is_one(
    cameras: SimulatedCameras, capsys: pytest.CaptureFixture[str]
) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    control = ["--control", str(cameras.control_file), "--camera", "plain"]
    assert run(parser.parse_args(["jump", *control])) == 2
    assert run(parser.parse_args(["lose", "--by", "7", "--json", *control])) == 0
    assert json.loads(capsys.readouterr().out)["plain"]["lost_percent"] == 7
    assert run(parser.parse_args(["lose", "--by", "0", *control])) == 0
