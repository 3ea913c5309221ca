"""Sixteen cameras on one node: every codec, sound and authentication, over each transport."""

import itertools
import subprocess
from pathlib import Path

import pytest

from support.recording_node import RecordingNode, camera_table, probed
from support.simulated_camera import simulated_cameras
from support.waiting import until

_CODECS = {"h264": "h264", "h265": "hevc"}
_SOUNDS = {"none": "", "aac": "aac", "pcma": "pcm_alaw", "pcmu": "pcm_mulaw"}
_AUTHS = ("digest", "basic")
_COMBINED = {f"{c}-{s}-{a}": (c, s, a) for c, s, a in itertools.product(_CODECS, _SOUNDS, _AUTHS)}


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_sixteen_cameras_of_every_kind_are_recorded_without_a_gap(tmp_path: Path, transport: str) -> None:
    names = [f"{name}={'+'.join(special)}" for name, special in _COMBINED.items()]
    with simulated_cameras(tmp_path, *names) as cameras:
        more = f'password_file = "{cameras.password_file}"\ntransport = "{transport}"\n'
        tables = "".join(camera_table(name, cameras.rtsp_url(name), more) for name in _COMBINED)
        node = RecordingNode(tmp_path, tables)
        try:
            until(lambda: node.is_recording(*_COMBINED), 90, because="all sixteen are recorded")
            sent = {name: cameras.control.state(name)["frames_sent"] for name in _COMBINED}
            until(lambda: all(cameras.control.state(n)["frames_sent"] > sent[n] + 100 for n in _COMBINED), 60)
            for name in _COMBINED:
                assert node.gaps(name) == [], name
                assert (node.status(name).packets_missed, node.status(name).gaps) == (0, {}), name
        finally:
            node.end()
    for name, (codec, sound, _) in _COMBINED.items():
        wanted = [_CODECS[codec], *([_SOUNDS[sound]] if _SOUNDS[sound] else [])]
        assert node.codecs(name) == [wanted], name
        [path] = node.segments(name)
        seconds = _decoded(path, "v") / 10
        assert seconds > 10, name
        if _SOUNDS[sound]:
            rate = 16000 if sound == "aac" else 8000
            heard = sum(int(one) for one in probed(path, "-select_streams", "a", "frame=nb_samples"))
            assert abs(heard / rate - seconds) < 1, name


def _decoded(path: Path, kind: str) -> int:
    """How many frames decode; none may fail."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(path), "-map", f"0:{kind}", "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == "", path
    return len(probed(path, "-select_streams", kind, "frame=pict_type"))
