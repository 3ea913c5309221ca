"""Decoding, measuring, coding and posting pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from siaga_core.wire.ids import CameraId
from siaga_edge.cameras import picture, postbox
from siaga_edge.cameras.judgement import Judgement, Limits
from siaga_edge.cameras.picture import Eye, LiveFragments, PictureUnreadable, Pixels, jpeg, with_credentials
from siaga_edge.transfers import Ticket, publish, waiting

CAMERA = CameraId("cam-a")


def street(rng: np.random.Generator) -> Pixels:
    """A scene of 1280x720 with blocks in it."""
    small = rng.integers(20, 200, (18, 32, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (1280, 720), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)


def with_clock(scene: Pixels, second: int) -> Pixels:
    """The scene with a small clock in its corner."""
    shown = scene.copy()
    place, font = (1060, 30), cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(shown, f"22:14:{second % 60:02d}", place, font, 0.9, (255, 255, 255), 2)
    return shown


def test_a_black_picture_and_a_lit_one_measure_as_such() -> None:
    eye = Eye()
    black = eye.look(np.zeros((720, 1280, 3), np.uint8), 0)
    assert black.is_black
    assert not black.is_repeat, "the first picture repeats nothing"
    lit = eye.look(street(np.random.default_rng(1)), 1)
    assert lit.is_lit
    assert not lit.is_black


def test_a_still_street_is_a_repeat_and_a_clock_in_its_corner_is_life() -> None:
    scene = street(np.random.default_rng(2))
    eye = Eye()
    eye.look(scene, 0)
    assert eye.look(scene.copy(), 2).is_repeat
    with_time = Eye()
    looks = [with_time.look(with_clock(scene, second), second) for second in range(0, 60, 2)]
    assert not any(look.is_repeat for look in looks)


def test_a_still_night_with_a_clock_is_never_frozen_and_without_one_it_is_after_its_limit() -> None:
    limits = Limits(down_after_s=8, frozen_after_s=60, black_after_s=6)
    scene = street(np.random.default_rng(3)) // 5
    for shows_clock, expected in ((True, "up"), (False, "frozen")):
        judged, eye = Judgement(limits, 0), Eye()
        for second in range(0, 200, 2):
            pixels = with_clock(scene, second) if shows_clock else scene
            judged = judged.see(eye.look(pixels, float(second)))
        assert judged.status == expected


def test_a_dawn_too_slow_for_two_neighbours_is_no_repeat() -> None:
    scene = street(np.random.default_rng(4)).astype(np.float64)
    eye, repeats = Eye(), 0
    for step in range(200):
        repeats += eye.look((scene + step * 0.01 * scene / 100).clip(0, 255).astype(np.uint8), step).is_repeat
    assert repeats < 195


def test_a_picture_goes_up_small_and_decodes() -> None:
    coded = jpeg(street(np.random.default_rng(5)))
    decoded = cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape == (360, 640, 3)
    assert len(coded) < 100_000


@pytest.mark.parametrize("content", [b"", b"rubbish" * 1000, b"\0\0\0\x18ftypiso5" + b"\0" * 500])
def test_what_is_no_video_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(PictureUnreadable, match="no picture can be decoded"):
        picture.decode_first(content)


def test_live_fragments_that_are_missing_or_too_large_are_said_so(tmp_path: Path) -> None:
    live = LiveFragments(tmp_path / "cam-a")
    with pytest.raises(PictureUnreadable, match="recorder"):
        live.newest()
    (tmp_path / "cam-a").mkdir()
    with pytest.raises(PictureUnreadable, match="recorder"):
        live.newest()
    (tmp_path / "cam-a" / "init.mp4").write_bytes(b"")
    with (tmp_path / "cam-a" / "00000001.m4s").open("wb") as file:
        file.truncate(17 * 1024 * 1024)
    with pytest.raises(PictureUnreadable, match="larger"):
        live.newest()


def test_signs_in_a_password_do_not_break_the_url() -> None:
    assert with_credentials("rtsp://h:554/a", "me", "p@:/ x") == "rtsp://me:p%40%3A%2F%20x@h:554/a"
    assert with_credentials("rtsp://h:554/a", "", "") == "rtsp://h:554/a"


def test_one_picture_of_a_camera_waits_however_long_the_outage(tmp_path: Path) -> None:
    for number in range(20):
        postbox.post(tmp_path, CAMERA, f"01{number:04d}", b"jpeg %d" % number, number)
        postbox.post(tmp_path, CameraId("cam-a-b"), f"01{number:04d}", b"other", number)
    assert [(ticket.camera, ticket.taken_wall_ns) for ticket in waiting(tmp_path)] == [
        ("cam-a", 19),
        ("cam-a-b", 19),
    ]
    assert len(list(tmp_path.iterdir())) == 4


def test_a_clip_of_the_camera_and_what_a_power_cut_left_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "clip-1.mp4").write_bytes(b"clip")
    clip = Ticket(kind="clip", name="clip-1.mp4", camera="cam-a", size_bytes=4, sha256="0" * 64)
    publish(tmp_path, clip)
    (tmp_path / "picture-cam-a-LEFT.jpg").write_bytes(b"no ticket")
    ticket = postbox.post(tmp_path, CAMERA, "NEW", b"jpeg", 1)
    assert {path.name for path in tmp_path.glob("*")} == {
        *("clip-1.mp4", "clip-1.mp4.json"),
        *(ticket.name, f"{ticket.name}.json"),
    }
