"""`python -m siaga_edge.simulate.camera`: cameras for training and tests, until SIGTERM."""

import argparse
import asyncio
import functools
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from siaga_core.errors import SiagaError
from siaga_core.service.main import run_main
from siaga_core.wire.ids import camera_id
from siaga_edge.simulate.camera import orders, rtsp, scene
from siaga_edge.simulate.camera.admission import Gate
from siaga_edge.simulate.camera.coded import CODECS, Codec
from siaga_edge.simulate.camera.device import AUTHS, Auth, Camera
from siaga_edge.simulate.camera.feed import Feed
from siaga_edge.simulate.camera.onvif import OnvifDevices
from siaga_edge.simulate.camera.sound import AUDIOS, Audio

log = logging.getLogger(__name__)


class UnknownWord(SiagaError):
    """The command line asks for something that simulated cameras do not have."""


_CAMERAS = (
    "names, separated by commas; after a name, what is special: front=h265+aac+basic. Video h264 or h265, "
    "sound none, aac, pcma (G.711 A-law) or pcmu (mu-law), authentication digest or basic, "
    "sub: another stream, of half the width and height, at /<name>/sub"
)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="siaga_edge.simulate.camera", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="RTSP port on --host")
    parser.add_argument("--onvif-port", type=int, help="HTTP port of the ONVIF devices; absent: none")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--control", type=Path, required=True, help="Unix socket to be made")
    parser.add_argument("--cameras", required=True, help=_CAMERAS)
    parser.add_argument("--user", default="", help="empty: everybody may watch")
    parser.add_argument("--password-file", type=Path, help="its first line is the password")
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--fps", type=int, default=10)
    parser.add_argument("--gop", type=int, default=10, help="pictures from one key picture to the next")
    parser.add_argument("--seed", type=int, default=0, help="changes the cameras' colours")
    parser.add_argument("--scene-dir", type=Path, help="where coded scenes are kept; default: the XDG cache")
    parser.add_argument("--ffmpeg", default="ffmpeg")
    parser.add_argument(
        "--video", type=Path, help="H.264 with access unit delimiters (Annex B) for all to show, at --fps"
    )
    return parser


def make_cameras(args: argparse.Namespace) -> dict[str, Camera]:
    """The cameras that the command line names, with their scenes. Raises SceneFailed, BadId, UnknownWord."""
    film = None if args.video is None else scene.of_file(args.video)
    words = args.cameras.split(",")
    made = [_make_camera(word, args) if film is None else _make_player(word, film, args) for word in words]
    if film is not None:
        _spread([camera.feeds[""] for camera in made], len(film.normal.pictures))
    return {camera.name: camera for camera in made}


def _make_player(name: str, film: scene.Scenes, args: argparse.Namespace) -> Camera:
    width, _, height = args.size.partition("x")
    form = scene.Form(int(width), int(height), args.fps, args.gop)
    return Camera(name, {"": Feed(camera_id(name), film, form)}, "digest")


def _spread(feeds: Sequence[Feed], pictures: int) -> None:
    """Each begins at another picture, so that their key pictures do not come at the same time."""
    for number, feed in enumerate(feeds):
        feed.begin_at(number * (pictures * 5 // 27) % pictures)


def _make_camera(word: str, args: argparse.Namespace) -> Camera:
    name, _, special = word.partition("=")
    codec: Codec = "h264"
    audio: Audio = "none"
    auth: Auth = "digest"
    has_sub = False
    for one in special.split("+") if special else ():
        if one in CODECS:
            codec = one
        elif one in AUDIOS:
            audio = one
        elif one in AUTHS:
            auth = one
        elif one == "sub":
            has_sub = True
        else:
            raise UnknownWord(f"camera {name}: there is no {one!r}; see --help")
    folder = args.scene_dir or scene.default_folder()
    heard = scene.make_sound(audio, folder, args.ffmpeg)
    width, _, height = args.size.partition("x")
    form = scene.Form(int(width), int(height), args.fps, args.gop, codec, heard is not None)
    forms = {"": form, "sub": form.other} if has_sub else {"": form}
    feeds = {}
    for path, each in forms.items():
        shown = scene.make(camera_id(name), each, folder, args.seed, args.ffmpeg)
        feeds[path] = Feed(f"{name}/{path}" if path else name, shown, each, heard)
    return Camera(name, feeds, auth)


async def serve(args: argparse.Namespace, cameras: Mapping[str, Camera]) -> None:
    """Run until SIGTERM or SIGINT."""
    password = args.password_file.read_text().partition("\n")[0] if args.password_file else ""

    async def watch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await rtsp.Connection(reader, writer, cameras, Gate(args.user, password)).serve()

    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    args.control.unlink(missing_ok=True)
    await asyncio.start_server(watch, args.host, args.port)
    if args.onvif_port:
        devices = OnvifDevices(cameras, args.host, args.onvif_port, args.port, args.user, password)
        await asyncio.start_server(devices.attend, args.host, args.onvif_port)
    pacing = [asyncio.create_task(rtsp.pace(camera)) for camera in cameras.values()]
    await asyncio.start_unix_server(functools.partial(orders.attend, cameras), args.control)
    log.info("cameras ready url=rtsp://%s:%d names=%s", args.host, args.port, ",".join(cameras))
    ended = asyncio.create_task(stopped.wait())
    await asyncio.wait([ended, *pacing], return_when=asyncio.FIRST_COMPLETED)
    args.control.unlink(missing_ok=True)
    for task in pacing:
        if task.done():
            task.result()  # a bug in a camera ends the simulator loudly


def main(argv: Sequence[str] | None = None) -> int:
    """Run the simulator; the exit status."""
    args = parser().parse_args(argv)

    def work() -> int:
        asyncio.run(serve(args, make_cameras(args)))
        return 0

    return run_main(work)


if __name__ == "__main__":
    sys.exit(main())
