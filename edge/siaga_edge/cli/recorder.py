"""What `siaga-node recorder` prints."""

from siaga_core.wib import shown
from siaga_edge.recorder.status import CameraStatus, RecorderStatus

_WORDS: dict[str, str] = {
    "away": "no stream",
    "refused": "refused",
    "silent": "sent nothing",
    "jump": "time jumped",
    "garbage": "unreadable",
    "flood": "ffmpeg flooded",
    "engine": "given to ffmpeg",
    "bug": "recorder failed",
}


def page(status: RecorderStatus | None) -> str:
    """One line per camera: state, since when, why not, and its gaps since the recorder started."""
    if status is None:
        return "the recorder has not run since this machine started; see systemctl status siaga-recorder"
    return "\n".join(_line(one) for one in status.cameras)


def _line(one: CameraStatus) -> str:
    said = f"{one.camera}  {one.state} since {shown(one.since_wall_ns)}"
    if one.reason:
        said += f": {one.reason}"
    gaps = [f"{count} x {_WORDS[kind]} ({one.gap_s.get(kind, 0):.0f} s)" for kind, count in one.gaps.items()]
    said += f"; gaps: {', '.join(gaps) if gaps else 'none'}"
    counts = {
        "datagrams missed": one.packets_missed,
        "pictures left out": one.pictures_left_out,
        "packets of strangers": one.packets_strange,
    }
    said += "".join(f"; {count} {what}" for what, count in counts.items() if count)
    if one.engine_reason:
        said += f"; recorded by ffmpeg: {one.engine_reason}"
    return f"{said}; {one.engine}" if one.engine and not one.engine_reason else said
