"""Which workers the cameras service has for a node's config."""

from collections.abc import Callable

from siaga_core.service.clock import Clock, read_boot
from siaga_core.service.workers import Supervisor
from siaga_core.wire.ids import camera_id
from siaga_edge import node
from siaga_edge.cameras.facts import Asker, Facts
from siaga_edge.cameras.judgement import Judgement, Limits
from siaga_edge.cameras.onvif import OnvifSession
from siaga_edge.cameras.picture import LiveFragments, RtspPictures
from siaga_edge.cameras.stream import StreamWatch
from siaga_edge.cameras.watch import Places, Round, Source, Watched


def build(config: node.NodeConfig, picture: node.Cameras, clock: Clock) -> Supervisor:
    """Wire the workers: one round over all cameras, and per camera one that asks over ONVIF."""
    supervisor = Supervisor(clock)
    limits = Limits(picture.down_after_s, picture.frozen_after_s, picture.black_after_s)
    watched = []
    for camera in config.cameras:
        source = _source(config, camera, picture, supervisor, clock)
        facts: Callable[[], Facts] = Facts
        if camera.onvif_url:
            asker = _asker(camera, picture, clock)
            # Four operations of at most 5 s each, and the pause between rounds.
            supervisor.add(f"onvif-{camera.id}", asker.work, silence_limit_s=60 + picture.onvif_every_s)
            facts = asker.facts
        watched.append(Watched(camera_id(camera.id), source, facts, Judgement(limits, clock.mono_s())))
    places = Places(config.journal_file("cameras"), config.delivery_file, config.transfers_dir)
    boot = read_boot(config.node.data_dir)
    every = {"judge_every_s": picture.judge_every_s, "picture_every_s": picture.picture_every_s}
    supervisor.add("judge", Round(watched, places, clock, boot, **every).work, silence_limit_s=120)
    return supervisor


def _source(
    config: node.NodeConfig,
    camera: node.Camera,
    picture: node.Cameras,
    supervisor: Supervisor,
    clock: Clock,
) -> Source:
    if config.recorder is not None:
        return LiveFragments(config.node.run_dir / "live" / camera.id)
    watched = camera.sub_rtsp_url or camera.rtsp_url  # the small stream says as much and costs less
    pictures = RtspPictures(watched, camera.user, camera.password(), limit_s=picture.down_after_s)
    watch = StreamWatch(camera.id, pictures, picture.judge_every_s, clock)
    supervisor.add(f"stream-{camera.id}", watch.work, silence_limit_s=60 + 2 * picture.down_after_s)
    return watch


def _asker(camera: node.Camera, picture: node.Cameras, clock: Clock) -> Asker:
    def open_session(password: str) -> OnvifSession:
        return OnvifSession(camera.onvif_url, camera.user, password, clock)

    return Asker(camera.id, camera.rtsp_url, open_session, camera.password, picture.onvif_every_s, clock)
