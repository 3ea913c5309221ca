"""The simulated cameras, seen by clients that know nothing of them: ffprobe, ffmpeg, zeep."""

import hashlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import zeep
from zeep.exceptions import Fault
from zeep.wsse.username import UsernameToken

from siaga_edge.cameras.onvif import wsdl_folder
from siaga_edge.simulate.camera import cli
from siaga_edge.simulate.camera.admission import Gate
from siaga_edge.simulate.camera.coded import nal_units
from siaga_edge.simulate.camera.control import SimulatorGone, SimulatorRefused
from siaga_edge.simulate.camera.h264 import payloads
from support.simulated_camera import PASSWORD, USER, SimulatedCameras, simulated_cameras
from support.waiting import until

_AT_ONCE = ("-probesize", "32", "-analyzeduration", "0")  # the SDP says enough


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCameras]:
    with simulated_cameras(tmp_path_factory.mktemp("cameras"), "cam-a", "cam-b") as running:
        yield running


@pytest.fixture(autouse=True)
def _normal_again(cameras: SimulatedCameras) -> Iterator[None]:
    yield
    cameras.make_well("cam-a", "cam-b")


def url(cameras: SimulatedCameras, camera: str = "cam-a", password: str = PASSWORD) -> str:
    place = f"{USER}:{quote(password, safe='')}@127.0.0.1:{cameras.port}"
    return f"rtsp://{place}/{camera}"


def probe(address: str) -> subprocess.CompletedProcess[str]:
    command = ["ffprobe", "-loglevel", "error", "-rtsp_transport", "tcp", "-timeout", "3000000"]
    command += ["-show_streams", "-of", "json", address]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def picture_hashes(address: str, count: int) -> list[str]:
    """Hashes of decoded pictures."""
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", *_AT_ONCE, "-i", address]
    command += ["-frames:v", str(count), "-f", "framemd5", "-"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=40, check=True)
    lines = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    return [line.rpartition(",")[2].strip() for line in lines]


def test_ffprobe_sees_the_video_with_the_right_password(cameras: SimulatedCameras) -> None:
    done = probe(url(cameras))
    assert done.returncode == 0, done.stderr
    stream = json.loads(done.stdout)["streams"][0]
    assert (stream["codec_name"], stream["width"], stream["has_b_frames"]) == ("h264", 320, 0)
    assert stream["avg_frame_rate"] == "10/1"


@pytest.mark.parametrize("password", ["wrong", ""])
def test_ffprobe_is_refused_with_another_password(cameras: SimulatedCameras, password: str) -> None:
    done = probe(url(cameras, password=password))
    assert done.returncode != 0
    assert "401" in done.stderr


def test_ffprobe_is_refused_without_a_password_and_for_an_unknown_camera(cameras: SimulatedCameras) -> None:
    assert "401" in probe(cameras.rtsp_url("cam-a")).stderr
    assert "404" in probe(url(cameras, "cam-z")).stderr


def test_pictures_come_at_the_speed_of_life_and_move(cameras: SimulatedCameras) -> None:
    begun_s = time.monotonic()
    hashes = picture_hashes(url(cameras), 30)
    took_s = time.monotonic() - begun_s
    assert len(set(hashes)) == 30
    assert took_s > 2.5, "30 pictures at 10 a second cannot come sooner"


def test_every_camera_shows_something_of_its_own(cameras: SimulatedCameras) -> None:
    assert not set(picture_hashes(url(cameras, "cam-a"), 5)) & set(picture_hashes(url(cameras, "cam-b"), 5))


def test_freeze_repeats_one_picture_while_the_stream_lives(cameras: SimulatedCameras) -> None:
    cameras.control.switch("cam-a", "freeze")
    sent = cameras.control.state("cam-a")["frames_sent"]
    assert len(set(picture_hashes(url(cameras), 25))) == 1
    assert cameras.control.state("cam-a")["frames_sent"] >= sent + 25
    assert len(set(picture_hashes(url(cameras, "cam-b"), 5))) == 5, "the other camera is well"


def test_black_is_black(cameras: SimulatedCameras) -> None:
    cameras.control.switch("cam-a", "black")
    assert len(set(picture_hashes(url(cameras), 12))) == 1


def test_a_dropped_camera_cuts_its_clients_off_and_comes_back_by_itself(cameras: SimulatedCameras) -> None:
    command = ["ffmpeg", "-nostdin", "-loglevel", "quiet", "-rtsp_transport", "tcp", "-i", url(cameras)]
    watching = subprocess.Popen([*command, "-f", "null", "-"])
    try:
        until(lambda: cameras.control.state("cam-a")["clients"] == 1, because="ffmpeg watches")
        cameras.control.switch("cam-a", "drop", 1.5)
        watching.wait(10)
    finally:
        watching.kill()
        watching.wait()
    assert probe(url(cameras)).returncode != 0
    until(lambda: cameras.control.state("cam-a")["mode"] == "normal", because="the time is over")
    assert probe(url(cameras)).returncode == 0


def test_a_stalled_camera_accepts_and_says_nothing(cameras: SimulatedCameras) -> None:
    cameras.control.switch("cam-a", "stall")
    with socket.create_connection(("127.0.0.1", cameras.port), 2) as connection:
        request = f"DESCRIBE {cameras.rtsp_url('cam-a')} RTSP/1.0\r\nCSeq: 1\r\n\r\n"
        connection.sendall(request.encode())
        connection.settimeout(0.7)
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_rubbish_on_the_port_harms_nobody(cameras: SimulatedCameras) -> None:
    for rubbish in (
        b"\0" * 5000,
        b"GET / HTTP/1.1\r\n\r\n",
        b"PLAY x RTSP/1.0\r\nCSeq: z\r\n\r\n",
        b"$\0\xff\xff",
    ):
        with socket.create_connection(("127.0.0.1", cameras.port), 2) as connection:
            connection.sendall(rubbish)
    assert probe(url(cameras)).returncode == 0


def test_a_proof_for_one_method_opens_no_other() -> None:
    gate = Gate("viewer", "secret", nonce="abc")
    ha1 = hashlib.md5(b"viewer:Siaga simulated camera:secret").hexdigest()
    ha2 = hashlib.md5(b"DESCRIBE:rtsp://h/cam-a").hexdigest()
    response = hashlib.md5(f"{ha1}:abc:{ha2}".encode()).hexdigest()
    header = f'Digest username="viewer", nonce="abc", uri="rtsp://h/cam-a", response="{response}"'
    assert gate.admits("DESCRIBE", header)
    assert not gate.admits("SETUP", header)
    assert not gate.admits("DESCRIBE", header.replace("abc", "abd"))
    assert not gate.admits("DESCRIBE", "")


def test_a_large_unit_is_cut_and_can_be_put_together() -> None:
    unit = bytes([0x65]) + bytes(range(1, 251)) * 20
    pieces = list(payloads(unit, 1000))
    assert all(len(piece) <= 1000 for piece in pieces)
    whole = bytes([pieces[0][0] & 0xE0 | pieces[0][1] & 0x1F]) + b"".join(piece[2:] for piece in pieces)
    assert whole == unit
    assert [piece[1] & 0xC0 for piece in pieces] == [0x80, *[0] * (len(pieces) - 2), 0x40]
    assert list(nal_units(b"\0\0\0\1\x67abc\0\0\1\x68d\0\0\0\1\x65e")) == [b"\x67abc", b"\x68d", b"\x65e"]


def service(cameras: SimulatedCameras, name: str, binding: str, password: str = PASSWORD) -> Any:
    """A zeep service with the WSDL that onvif-zeep ships, strict."""
    strict = zeep.Settings(strict=True, forbid_dtd=True, forbid_entities=True)
    new_token: Any = UsernameToken
    new_client: Any = zeep.Client
    token = new_token(USER, password, use_digest=True, zulu_timestamp=True)
    client = new_client(str(wsdl_folder() / f"{name}.wsdl"), wsse=token, settings=strict)
    namespace = {"devicemgmt": "device", "media": "media"}[name]
    address = cameras.onvif_url("cam-a").replace("device_service", f"{namespace}_service")
    return client.create_service(f"{{http://www.onvif.org/ver10/{namespace}/wsdl}}{binding}", address)


def test_a_strict_client_understands_every_answer_of_the_onvif_device(cameras: SimulatedCameras) -> None:
    device = service(cameras, "devicemgmt", "DeviceBinding")
    assert device.GetSystemDateAndTime().UTCDateTime.Date.Year >= 2024
    assert device.GetDeviceInformation().SerialNumber == "SIM-cam-a"
    assert device.GetCapabilities().Media.XAddr.endswith("/onvif/cam-a/media_service")
    assert {entry.Version.Major for entry in device.GetServices(False)} == {2}
    media = service(cameras, "media", "MediaBinding")
    setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
    assert media.GetStreamUri(setup, media.GetProfiles()[0].token).Uri == cameras.rtsp_url("cam-a")
    assert media.GetSnapshotUri("main").Uri.startswith("http://")


def test_the_onvif_device_refuses_a_wrong_password_and_a_wrong_clock(cameras: SimulatedCameras) -> None:
    with pytest.raises(Fault, match="not authorized"):
        service(cameras, "devicemgmt", "DeviceBinding", "wrong").GetDeviceInformation()
    cameras.control.onvif("cam-a", clock_offset_s=301.5)
    with pytest.raises(Fault, match="not authorized"):
        service(cameras, "devicemgmt", "DeviceBinding").GetDeviceInformation()


def test_what_the_simulator_does_not_know_it_refuses(cameras: SimulatedCameras, tmp_path: Path) -> None:
    with pytest.raises(SimulatorRefused, match="cam-z"):
        cameras.control.switch("cam-z", "freeze")
    with pytest.raises(SimulatorRefused, match="explode"):
        cameras.control.switch("cam-a", "explode")
    with pytest.raises(SimulatorGone, match="is it running"):
        type(cameras.control)(tmp_path / "nobody.sock").state()


def test_the_command_line_switches_a_camera(
    cameras: SimulatedCameras, capsys: pytest.CaptureFixture[str]
) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    control = ["--control", str(cameras.control_file)]
    assert cli.run(parser.parse_args(["freeze", "--camera", "cam-a", "--json", *control])) == 0
    assert json.loads(capsys.readouterr().out)["cam-a"]["mode"] == "freeze"
    assert cli.run(parser.parse_args(["state", *control])) == 0
    assert "cam-a mode=freeze" in capsys.readouterr().out
    assert cli.run(parser.parse_args(["freeze", *control])) == 2


def test_cameras_show_a_given_film_each_from_another_picture(tmp_path: Path) -> None:
    film = tmp_path / "film.h264"
    command = ["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=160x96:r=10", "-t", "2"]
    x264 = "keyint=5:min-keyint=5:scenecut=0:bframes=0:aud=1"
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-x264-params", x264, "-f", "h264", str(film)]
    subprocess.run(command, check=True, timeout=40)
    with simulated_cameras(tmp_path, "cam-a", "cam-b", options=("--video", str(film))) as running:
        for name in ("cam-a", "cam-b"):
            stream = json.loads(probe(url(running, name)).stdout)["streams"][0]
            assert (stream["width"], stream["height"]) == (160, 96)


def test_a_film_that_cannot_be_shown_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(b"no film")
    command = [sys.executable, "-m", "siaga_edge.simulate.camera", "--port", "1", "--cameras", "cam"]
    command += ["--control", str(tmp_path / "c"), "--video", str(tmp_path / "film")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0
    assert "aud=1" in done.stderr
