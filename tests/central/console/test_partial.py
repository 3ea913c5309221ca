"""What has come of a clip is a film that plays, picture by picture, wherever it ends."""

import subprocess
from pathlib import Path

import pytest

from siaga_central.console.partial import NothingYet, read_partial
from support.film import film

SOUND = ("-f", "lavfi", "-i", "sine=r=8000:d=4", "-c:a", "aac")


def decoded(path: Path) -> list[str]:
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v", "-fps_mode", "passthrough"]
    ended = subprocess.run([*command, "-f", "framemd5", "-"], check=True, capture_output=True, timeout=60)
    lines = ended.stdout.decode().splitlines()
    return [line.rpartition(",")[2].strip() for line in lines if not line.startswith("#")]


@pytest.mark.parametrize(("bframes", "sound"), [(0, ()), (2, ()), (0, SOUND)])
def test_as_much_as_has_come_shows_the_pictures_of_the_whole(
    tmp_path: Path, bframes: int, sound: tuple[str, ...]
) -> None:
    whole = film(tmp_path, *sound, bframes=bframes)
    pictures, size = decoded(whole), whole.stat().st_size
    before = 0
    for share in (0.4, 0.7, 1.0):
        made = read_partial(whole, int(size * share))
        out = tmp_path / "preview.mp4"
        out.write_bytes(b"".join(made.octets()))
        assert out.stat().st_size == made.size_bytes
        shown = decoded(out)
        # Of pictures that are coded out of order the last ones may want for one that has not come.
        sure = len(shown) - bframes
        assert shown[:sure] == pictures[:sure]
        assert before < len(shown) <= len(pictures)
        before = len(shown)
    assert before == len(pictures)


def test_a_range_of_it_is_that_part_of_it(tmp_path: Path) -> None:
    made = read_partial(film(tmp_path), 1 << 40)
    octets = b"".join(made.octets())
    for first, after in [(0, 10), (5, len(made.head) + 7), (len(made.head) + 3, made.size_bytes)]:
        assert b"".join(made.octets(first, after)) == octets[first:after]


@pytest.mark.parametrize("upto", [0, 30, 900])
def test_before_the_first_picture_has_come_there_is_nothing_to_watch(tmp_path: Path, upto: int) -> None:
    whole = film(tmp_path)
    whole.write_bytes(whole.read_bytes()[:upto])
    with pytest.raises(NothingYet):
        read_partial(whole, upto)
    whole.write_bytes(b"\xff" * 5000)
    with pytest.raises(NothingYet):
        read_partial(whole, 5000)
