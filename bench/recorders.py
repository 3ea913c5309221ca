"""Programs that record the same cameras: ours with everything on, and the anchors."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import recorder_node
from bench.streams import Streams
from siaga_edge.recorder.holding import LocalRequest, ask

# 2001 to 2096: every segment of the run is held.
_HOLD_NS = (1_000_000_000 * 10**9, 4_000_000_000 * 10**9)


# 4.5: continuous movies of what the camera sent; motion decodes every picture all the same.
_MOTION = """
daemon off
setup_mode off
log_level 4
target_dir {footage}
webcontrol_port 0
stream_port 0
picture_output off
movie_output on
movie_passthrough on
movie_max_time {segment_s:.0f}
emulate_motion on
pre_capture 0
post_capture 0
width 1920
height 1080
framerate 25
"""
_MOTION_CAMERA = """
camera_id {number}
camera_name {name}
netcam_url {url}
movie_filename {name}/%Y%m%d%H%M%S
"""


@dataclass(frozen=True, slots=True)
class Where:
    """Folders of one run: `disk` is counted, `memory` is what /run is on a node."""

    disk: Path
    memory: Path

    @property
    def footage(self) -> Path:
        """The footage."""
        return self.disk / "footage"


@dataclass(frozen=True, slots=True)
class Recorder:
    """A running one: its processes."""

    processes: Sequence["subprocess.Popen[bytes]"]

    @property
    def pids(self) -> list[int]:
        """The roots of the process tree."""
        return [process.pid for process in self.processes]

    def kill(self) -> None:
        """End it as a crash does, its children too."""
        for process in self.processes:
            process.kill()
            process.wait(20)

    def end(self) -> None:
        """Ask it to end, and wait. Raises SystemExit when it had ended by itself."""
        died = [process for process in self.processes if process.poll() is not None]
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(20)
        if died:
            raise SystemExit(f"{died[0].args!r} ended by itself, status {died[0].returncode}")


Start = Callable[[Where, Streams, float], Recorder]


def siaga(where: Where, streams: Streams, segment_s: float) -> Recorder:
    """The recorder's own service: fragments synced, indexed, hashed, chained, held; live ring; coverage."""
    data = where.disk / "data"
    data.mkdir()
    cameras = "".join(recorder_node.camera_table(name, streams.url(name)) for name in streams.names)
    config = where.memory / "node.toml"
    recorder_node.write(config, data, where.memory, where.footage, cameras, segment_s=segment_s)
    start_ns, end_ns = _HOLD_NS
    ask(data, LocalRequest(id="local-bench", camera="cam-0", start_wall_ns=start_ns, end_wall_ns=end_ns))
    command = [sys.executable, "-m", "siaga_edge.recorder", "--config", str(config)]
    return Recorder([subprocess.Popen(command, stderr=subprocess.DEVNULL)])


def ffmpeg_segments(where: Where, streams: Streams, segment_s: float) -> Recorder:
    """One ffmpeg for each camera, into fragmented MP4, without any sync."""
    processes = []
    for name in streams.names:
        folder = where.footage / name
        folder.mkdir(parents=True)
        command = ["ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-i", streams.url(name)]
        command += ["-c", "copy", "-an", "-f", "segment", "-segment_time", str(segment_s)]
        command += ["-segment_format", "mp4", "-reset_timestamps", "1", "-segment_format_options"]
        command += ["movflags=+frag_keyframe+empty_moov+default_base_moof", str(folder / "%06d.mp4")]
        processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    return Recorder(processes)


def motion(where: Where, streams: Streams, segment_s: float) -> Recorder:
    """Debian's motion in pass-through, recording all the time, every camera in one process."""
    if shutil.which("motion") is None:
        raise SystemExit("motion is not installed: apt-get install --no-install-recommends motion")
    text = _MOTION.format(footage=where.footage, segment_s=segment_s)
    where.footage.mkdir()
    for number, name in enumerate(streams.names, 1):
        camera = where.memory / f"{name}.conf"
        camera.write_text(_MOTION_CAMERA.format(number=number, name=name, url=streams.url(name)))
        text += f"camera {camera}\n"
    (where.memory / "motion.conf").write_text(text)
    command = ["motion", "-n", "-c", str(where.memory / "motion.conf")]
    return Recorder([subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)])
