"""What the recorder makes of a stream that is not as it should be; each promise with a mutant."""

import functools
import queue
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from siaga_core.service.clock import Boot, SystemClock
from siaga_core.service.workers import Stop
from siaga_edge.cameras.picture import LiveFragments
from siaga_edge.cli.recorder import page
from siaga_edge.node import Camera
from siaga_edge.node import Recorder as Settings
from siaga_edge.recorder import parameters
from siaga_edge.recorder.chain import FIRST_HEAD, Head
from siaga_edge.recorder.client.messages import framed
from siaga_edge.recorder.dating import Observation
from siaga_edge.recorder.engines import Turns
from siaga_edge.recorder.flushing import Flusher
from siaga_edge.recorder.fragments import BadStream, Fragment, Init, Parser, moov_of, sound_of
from siaga_edge.recorder.gaps import Gaps
from siaga_edge.recorder.live import LIVE_MOST_BYTES, LiveRing
from siaga_edge.recorder.notices import Notice, Spoilt, Started, Stopped, Working
from siaga_edge.recorder.pacing import Pace
from siaga_edge.recorder.pump import Pump, Recording
from siaga_edge.recorder.status import read_status, write_status
from siaga_edge.recorder.trouble import REFUSED_MOST_S, RETRY_MOST_S, Kind, kind_of, pause_s
from siaga_edge.recorder.writing import Place, SegmentWriter
from support.films import coded, flat, packets
from support.scripted_camera import plays, scripted_camera
from support.waiting import until

_FRAGMENTED = ("-frag_duration", "460000", "-movflags", "frag_keyframe+empty_moov+default_base_moof")


def _run(*words: str, given: bytes = b"") -> bytes:
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", *words]
    return subprocess.run(command, input=given, check=True, capture_output=True, timeout=60).stdout


@functools.cache
def changing(codec: str, *, times: int = 1, lasts_s: int = 2) -> bytes:
    """A camera that goes from 320x180 to 192x112 in mid-stream, `times` so, as ffmpeg -c copy hands it on."""
    form = "h264" if codec == "libx264" else "hevc"
    quiet = ("-x265-params", "log-level=none:bframes=0:repeat-headers=1") if form == "hevc" else ("-bf", "0")
    parts = [
        _run(
            *(
                "-f",
                "lavfi",
                "-i",
                f"testsrc2=s={size}:r=10",
                "-t",
                str(lasts_s),
                "-c:v",
                codec,
                *quiet,
                "-g",
                "10",
            ),
            *("-pix_fmt", "yuv420p", "-f", form, "-"),
        )
        for size in ("320x180", "192x112")
    ]
    copied = ("-f", form, "-r", "10", "-i", "-", "-c", "copy", *_FRAGMENTED, "-f", "mp4", "-")
    return _run(*copied, given=b"".join(parts) * times)


@functools.cache
def steady() -> bytes:
    """2 s of a camera with sound."""
    source = ("-f", "lavfi", "-i", "testsrc2=s=192x112:r=10", "-f", "lavfi", "-i", "sine=440:r=16000")
    coding = ("-t", "2", "-c:v", "libx264", "-bf", "0", "-g", "10", "-pix_fmt", "yuv420p", "-c:a", "aac")
    return _run(*source, *coding, *_FRAGMENTED, "-f", "mp4", "-")


class Disk:
    """A footage folder with its flusher."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.stop = folder, Stop()
        clock = SystemClock()
        head = Head("00" * 8, 0, FIRST_HEAD)
        flusher = Flusher(clock, lambda _: None, head, lambda: Observation(1, 1, 1, "unknown", None))
        self.place = Place(
            folder=folder,
            boot=Boot(1, "0" * 32),
            clock=clock,
            segment_s=60,
            flusher=flusher,
            tell=lambda _: None,
            wait=self.stop.wait,
        )
        self._flushing = threading.Thread(target=flusher.work, args=(self.stop,))
        self._flushing.start()

    def end(self) -> list[Path]:
        """Flush; the segments."""
        self.stop.set()
        self._flushing.join()
        return sorted(self.folder.glob("*/*/*.mp4"))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "footage")
    yield made
    made.end()


def sizes(path: Path) -> tuple[str, set[str]]:
    """(size in the header, sizes of the decoded pictures), by ffprobe."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v", "-of", "csv=p=0", str(path)]
    header = subprocess.check_output([*command, "-show_entries", "stream=width,height"], text=True)
    frames = subprocess.check_output([*command, "-show_entries", "frame=width,height"], text=True)
    return header.strip().strip(","), {line.strip(",") for line in frames.split()}


def segments_that_lie(paths: list[Path]) -> list[str]:
    """Segments whose pictures are not all of the size that the header says."""
    return [path.name for path in paths for header, found in [sizes(path)] if found != {header}]


class Forgetful(Recording):
    """A mutant: new parameters go into the old segment."""

    def _fresh(self, fragment: Fragment) -> None:
        return None


def recorded(kind: type[Recording], octets: bytes, disk: Disk, live: Path) -> list[Path]:
    writer = SegmentWriter(disk.place, "cam-a", 1)
    recording = kind(writer, LiveRing(live))
    for number, made in enumerate(Parser().feed(octets)):
        recording.take(made, number * 0.5)
    writer.close()
    return disk.end()


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_new_parameter_sets_open_a_segment_whose_header_is_true(
    disk: Disk, tmp_path: Path, codec: str
) -> None:
    live = tmp_path / "live"
    paths = recorded(Recording, changing(codec), disk, live)
    assert [sizes(path)[0] for path in paths] == ["320,180", "192,112"]
    assert segments_that_lie(paths) == []
    shown = tmp_path / "shown.mp4"
    shown.write_bytes(b"".join(path.read_bytes() for path in [live / "init.mp4", *sorted(live.glob("0*"))]))
    assert sizes(shown) == ("192,112", {"192,112"}), "the live ring has begun anew too"


class Restless(Recording):
    """Opens a segment at every change."""

    change_least_s = 0


def decoded(path: Path) -> tuple[int, str]:
    """How many pictures a decoder makes of a file, and what it complains of."""
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-i", str(path), "-f", "framemd5", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return sum(not line.startswith("#") for line in done.stdout.splitlines()), done.stderr


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_parameters_that_change_at_each_key_picture_open_few_segments_and_each_decodes(
    disk: Disk, tmp_path: Path, codec: str
) -> None:
    octets = changing(codec, times=6, lasts_s=1)
    paths = recorded(Recording, octets, disk, tmp_path / "live")
    assert 2 <= len(paths) <= 4
    found = [decoded(path) for path in paths]
    assert (sum(count for count, _ in found), {said for _, said in found}) == (120, {""})


def test_a_recorder_that_opens_a_segment_at_each_change_is_found_out(disk: Disk, tmp_path: Path) -> None:
    octets = changing("libx264", times=6, lasts_s=1)
    assert len(recorded(Restless, octets, disk, tmp_path / "live")) == 12


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_the_check_finds_new_parameters_in_the_old_segment(disk: Disk, tmp_path: Path, codec: str) -> None:
    assert segments_that_lie(recorded(Forgetful, changing(codec), disk, tmp_path / "live"))


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_header_made_anew_is_ffmpegs_own_but_for_what_changed(codec: str) -> None:
    made = list(Parser().feed(changing(codec)))
    init = made[0]
    assert isinstance(init, Init)
    sets = parameters.sets_of(init)
    assert sets is not None
    again = parameters.with_sets(init, sets)
    if codec == "libx264":
        assert again.octets == init.octets
    assert parameters.sets_of(again) == sets
    assert len(moov_of(again)) <= len(moov_of(init))
    with pytest.raises(BadStream):
        parameters.with_sets(init, parameters.Sets(sets.hevc, (sets.units[-1],)))


def test_parameter_sets_that_cannot_be_read_do_not_stop_the_recording(disk: Disk, tmp_path: Path) -> None:
    octets = changing("libx264")
    made = list(Parser().feed(octets))
    assert isinstance(made[0], Init)
    known = parameters.sets_of(made[0])
    assert known is not None
    fresh = next(
        sets for one in made[1:] if isinstance(one, Fragment) and (sets := parameters.changed(one, known))
    )
    strange = bytes((fresh.units[0][0], 77)) + bytes(len(fresh.units[0]) - 2)
    paths = recorded(Recording, octets.replace(fresh.units[0], strange), disk, tmp_path / "live")
    kept = [one for one in Parser().feed(paths[0].read_bytes()) if isinstance(one, Fragment)]
    assert (len(paths), len(kept)) == (1, len(made) - 1)


def test_pictures_and_sound_of_a_fragment_are_told_apart() -> None:
    made = list(Parser().feed(steady()))
    init = made[0]
    assert isinstance(init, Init)
    assert init.sound is not None
    assert init.sound.timescale == 16000
    pictures = ticks = 0
    for fragment in made[1:]:
        assert isinstance(fragment, Fragment)
        samples, at = sound_of(fragment, init)
        assert at == fragment.payload_at + sum(sample.size for sample in fragment.samples)
        assert at + sum(sample.size for sample in samples) == len(fragment.octets)
        assert fragment.duration <= init.timescale // 2
        pictures, ticks = pictures + len(fragment.samples), ticks + sum(one.duration for one in samples)
    assert (pictures, abs(ticks - 32000) <= 2048) == (20, True)


def test_a_leap_of_the_streams_time_is_noticed_and_a_slow_network_is_none() -> None:
    pace = Pace()
    assert not any(pace.leapt_s(at * 0.5, 0.5) for at in range(100))
    assert pace.leapt_s(50.0, 3600.5) == pytest.approx(3600, abs=1)
    pace = Pace()
    assert not any(pace.leapt_s(at * 0.5, 0.5) for at in range(100))
    assert not any(pace.leapt_s(59.0 + at * 0.01, 0.5) for at in range(18)), "it stood 9 s and caught up"
    pace = Pace()
    leaps = [pace.leapt_s(at * 0.5, 0.5 if at < 50 else 0.0001) for at in range(100)]
    assert leaps[55] == 0
    assert next(n for n, leapt in enumerate(leaps) if leapt) < 65, "time stands still: it leapt back"
    assert leaps[-1] < -3
    pace = Pace()
    late = [pace.leapt_s(at * 0.5 + (5 if at >= 50 else 0), 0.5) for at in range(100)]
    assert not any(late[:65]), "a network may be late for ten seconds"
    assert late[-1] < -3, "what never catches up has leapt"


def test_a_day_of_two_crystals_is_no_leap() -> None:
    for lasts_s in (0.49996, 0.50004):  # 80 ppm either way
        pace = Pace()
        assert not any(pace.leapt_s(at * 0.5, lasts_s) for at in range(2 * 86_400))


def test_a_buffered_start_is_no_leap() -> None:
    pace = Pace()
    assert not any(pace.leapt_s(5.0, 0.5) for _ in range(10))
    assert not any(pace.leapt_s(5.5 + at * 0.5, 0.5) for at in range(100))


def test_a_camera_is_asked_again_soon_but_one_that_refuses_is_not_hammered() -> None:
    assert pause_s("away", 1, 0.5) == 0.5
    assert max(pause_s("silent", tries, 0.999) for tries in range(1, 30)) <= RETRY_MOST_S * 1.25
    hour, tries = 0.0, 0
    while hour < 1800:
        tries += 1
        hour += pause_s("refused", tries, 0.0)
    assert tries <= 12
    assert pause_s("refused", 20, 0.999) <= REFUSED_MOST_S * 1.25
    assert pause_s("away", 3, 0.0) != pause_s("away", 3, 0.9), "cameras of one switch do not all come at once"
    assert kind_of("Server returned 401 Unauthorized (authorization failed)") == "refused"
    assert kind_of("Connection refused") == "away"


def pump(
    disk: Disk,
    tmp_path: Path,
    script: str,
    kind: type[Pump] = Pump,
    *,
    silent_most_s: float = 0.5,
    limit_s: float = 10,
    url: str = "",
) -> list[Notice]:
    """What a pump with this program says until a gap is over or a fourth run has begun, or for `limit_s`.

    With a `url` our own client tries first.
    """
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    (tmp_path / "steady.mp4").write_bytes(steady())
    notices: queue.Queue[Notice] = queue.Queue()
    runs: queue.Queue[int] = queue.Queue()
    for number in range(100):
        runs.put(number + 1)
    settings = Settings(footage_dir=disk.folder, ffmpeg=str(program), silent_most_s=silent_most_s)
    engine: Literal["auto", "ffmpeg"] = "auto" if url else "ffmpeg"
    camera = Camera(id="cam-a", rtsp_url=url or "rtsp://127.0.0.1/cam-a", engine=engine)
    stop, heard = Stop(), list[Notice]()
    made = kind(camera, settings, tmp_path / "live", disk.place, SystemClock(), notices, runs)
    thread = threading.Thread(target=made.work, args=(stop,))
    thread.start()

    def enough() -> bool:
        while not notices.empty():
            heard.append(notices.get())
        return sum(isinstance(one, Started) for one in heard) >= 2 or runs_of(disk) >= 4

    try:
        until(enough, limit_s)
    except AssertionError:
        pass
    finally:
        stop.set()
        thread.join(10)
    return heard


def unexplained(heard: list[Notice], runs: int) -> int:
    """Runs that began without the gap before them being told with its kind."""
    told = [one for one in heard if isinstance(one, Started) and one.kind is not None]
    return max(0, runs - 1) - len(told)


class Silent(Pump):
    """A mutant: what ended is forgotten."""

    def _ended(self, kind: Kind, reason: str, *, is_reached: bool = True) -> Kind:
        super()._ended(kind, reason, is_reached=is_reached)
        self._kind = None
        return kind


def runs_of(disk: Disk) -> int:
    return len({path.parent for path in disk.folder.glob("*/*/*.mp4")})


def test_a_program_that_ends_is_a_gap_with_a_reason(disk: Disk, tmp_path: Path) -> None:
    script = f"cat {tmp_path}/steady.mp4; echo '[x] [error] rtsp://h/: No route to host' >&2"
    heard = pump(disk, tmp_path, script)
    first = next(one for one in heard if isinstance(one, Stopped))
    assert (first.kind, first.reason) == ("away", "No route to host")
    assert unexplained(heard, 2) <= 0


def test_the_check_finds_a_gap_that_is_not_recorded(disk: Disk, tmp_path: Path) -> None:
    heard = pump(disk, tmp_path, f"cat {tmp_path}/steady.mp4", Silent)
    assert runs_of(disk) >= 2
    assert unexplained(heard, 2) > 0


_WEDGED = 'mkdir "$0.once" 2>/dev/null && { cat STEADY; exec sleep 60; }; cat STEADY; exec sleep 0.2'


def test_a_silent_program_is_given_up(disk: Disk, tmp_path: Path) -> None:
    script = _WEDGED.replace("STEADY", f"{tmp_path}/steady.mp4")
    stopped = [one for one in pump(disk, tmp_path, script) if isinstance(one, Stopped)]
    assert stopped[0].kind == "silent"


def test_the_check_finds_a_silent_program_that_is_never_given_up(disk: Disk, tmp_path: Path) -> None:
    script = _WEDGED.replace("STEADY", f"{tmp_path}/steady.mp4")
    heard = pump(disk, tmp_path, script, silent_most_s=float("inf"), limit_s=2)
    assert not [one for one in heard if isinstance(one, Stopped)]


def test_a_program_that_trickles_octets_and_never_a_picture_is_silent(disk: Disk, tmp_path: Path) -> None:
    trickle = r"printf '\0\0\377\377mdat'; while :; do printf x; sleep 0.1; done"
    whole = f"cat {tmp_path}/steady.mp4"
    script = f'mkdir "$0.once" 2>/dev/null && {{ {whole}; {trickle}; }}; {whole}'
    stopped = [one for one in pump(disk, tmp_path, script) if isinstance(one, Stopped)]
    assert stopped[0].kind == "silent"


def engines(heard: list[Notice]) -> list[tuple[str, bool]]:
    """Which engines recorded, and whether a reason was said for each."""
    return [(one.engine, bool(one.reason)) for one in heard if isinstance(one, Working)]


_DESCRIPTION = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n"


class Stubborn(Pump):
    """A mutant: our own client does not give up a camera that it does not understand."""

    def _handed_over(self, reason: str) -> Kind:
        return self._ended("away", reason, is_reached=False)


@pytest.mark.parametrize(("kind", "expected"), [(Pump, [("ffmpeg", True)]), (Stubborn, [])])
def test_a_camera_that_our_client_does_not_understand_is_ffmpegs_at_once(
    disk: Disk, tmp_path: Path, kind: type[Pump], expected: list[tuple[str, bool]]
) -> None:
    """The mutant never records it."""
    script = plays(_DESCRIPTION.replace("mode=1", "mode=2"), b"")
    program = f"cat {tmp_path}/steady.mp4; exec sleep 0.2"
    with scripted_camera(script) as scripted:
        heard = pump(disk, tmp_path, program, kind, url=scripted.url, limit_s=10 if expected else 2)
    assert engines(heard) == expected
    if expected:
        first = next(one for one in heard if isinstance(one, Started))
        assert first.kind is None, "nothing was lost"
        assert scripted.connections == 1, "it is not asked again until the service starts anew"


def test_garbage_from_our_client_is_a_gap_and_ffmpeg_goes_on(disk: Disk, tmp_path: Path) -> None:
    film = b"".join(framed(0, packet) for packet in flat(packets(coded("h264"))))
    with scripted_camera(plays(_DESCRIPTION, film + b"\0\1\2")) as scripted:
        heard = pump(disk, tmp_path, f"cat {tmp_path}/steady.mp4; exec sleep 60", url=scripted.url)
    assert [(one.kind) for one in heard if isinstance(one, Started)] == [None, "garbage"]
    assert engines(heard) == [("native", False), ("ffmpeg", True)]


def test_a_camera_that_our_client_never_recorded_is_tried_with_both() -> None:
    turns, seen = Turns("native"), []
    for _ in range(4):
        seen.append(turns.engine)
        turns.failed("silent", "no picture came")
    assert seen == ["native", "ffmpeg", "native", "ffmpeg"]
    turns.failed("refused", "401")
    assert (turns.engine, turns.recorded()) == ("ffmpeg", "ffmpeg")
    turns.failed("away", "it ended")
    assert (turns.engine, turns.reason, turns.recorded()) == ("ffmpeg", "401", None)
    turns = Turns("native")
    assert turns.recorded() == "native"
    turns.failed("silent", "no picture came")
    assert (turns.engine, turns.recorded()) == ("native", None), "what recorded once goes on trying"
    turns.failed("bug", "ours")
    assert turns.engine == "ffmpeg"


def test_a_long_group_does_not_fill_the_memory(tmp_path: Path) -> None:
    ring, made = LiveRing(tmp_path), list(Parser().feed(steady()))
    init, key, on = made[0], made[1], made[2]
    assert isinstance(init, Init)
    assert isinstance(key, Fragment)
    assert isinstance(on, Fragment)
    ring.begin(init)
    ring.add(key)
    large = Fragment(on.octets + bytes(4 * 1024**2), on.samples, on.payload_at)
    for _ in range(12):
        ring.add(large)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= LIVE_MOST_BYTES + 10_000
    assert (tmp_path / "0000000001.m4s").exists(), "its key picture stays"


def test_who_judges_pictures_finds_the_newest_key_picture_in_the_ring(tmp_path: Path) -> None:
    made = list(Parser().feed(steady()))
    assert isinstance(made[0], Init)
    ring = LiveRing(tmp_path)
    ring.begin(made[0])
    for fragment in made[1:]:
        assert isinstance(fragment, Fragment)
        ring.add(fragment)
    names = sorted(path.name for path in tmp_path.glob("0*"))
    assert names[-1].endswith("-on.m4s")
    assert not names[0].endswith("-on.m4s")
    live = LiveFragments(tmp_path)
    frame = live.newest()
    assert frame is not None
    assert frame.pixels.shape == (112, 192, 3)
    assert live.newest() is None, "it was given out before"


def test_gaps_are_counted_by_reason_for_a_technician(tmp_path: Path) -> None:
    gaps = Gaps(["cam-a", "cam-b"], 0)
    assert gaps.is_news(0)
    gaps.started(Started("cam-a", 1, 1, None, ""))
    gaps.stopped("cam-a", "Connection refused", 10**9)
    gaps.started(Started("cam-a", 10**9, 3 * 10**9, "away", "Connection refused"))
    gaps.missed("cam-a", 7)
    gaps.working(Working("cam-a", "ffmpeg", "packetization-mode 2"))
    gaps.spoilt(Spoilt("cam-a", 3, 2))
    gaps.stopped("cam-b", "no picture came for 12 s", 10**9)
    assert gaps.is_news(0.1)
    assert not gaps.is_news(0.2)
    write_status(tmp_path, gaps.status(5))
    read = read_status(tmp_path)
    assert read == gaps.status(5)
    assert read is not None
    assert read.cameras[0].gaps == {"away": 1}
    lines = page(read).splitlines()
    assert "recording since" in lines[0]
    assert "1 x no stream (2 s); 7 datagrams missed" in lines[0]
    assert "3 pictures left out; 2 packets of strangers; recorded by ffmpeg: packet" in lines[0]
    assert "away since" in lines[1]
    assert "no picture came for 12 s; gaps: none" in lines[1]
    assert read_status(tmp_path / "nowhere") is None
    assert "has not run" in page(None)
