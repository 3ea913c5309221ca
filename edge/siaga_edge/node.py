"""The node's config: one TOML file from which every service of the node reads its part."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from siaga_core.service import config
from siaga_core.service.config import ConfigError
from siaga_core.wire.ids import BadId, NodeId, camera_id, node_id


class Node(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[node]`: what this node is and where it keeps things."""

    id: str
    site: str
    data_dir: Path = Path("/var/lib/siaga")
    run_dir: Path = Path("/run/siaga")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class Hub(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[hub]`: where the hub is and how the node proves itself. Keys are named by path, never inline."""

    broker_host: str
    broker_port: Annotated[int, Meta(ge=1, le=65535)] = 8883
    gateway_url: str
    ca_file: Path
    certificate_file: Path
    key_file: Path
    # What this site may send, footage and samples together; 0: no limit. Urgent records never wait for it.
    uplink_kbit_s: Annotated[float, Meta(ge=0)] = 0


class Camera(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[cameras]]`: one camera. Its password is the first line of `password_file`."""

    id: str
    rtsp_url: str  # the main stream, without user and password
    sub_rtsp_url: str = ""  # the small stream, likewise; empty: the camera has none
    record: Literal["main", "sub"] = "main"  # which of them is recorded
    sound: bool = True  # record the sound that the camera sends
    onvif_url: str = ""  # device service; empty: no ONVIF
    user: str = ""
    password_file: Path | None = None
    transport: Literal["tcp", "udp"] = "tcp"
    # auto: our own client takes the stream over TCP, ffmpeg does all that it does not understand.
    engine: Literal["auto", "ffmpeg"] = "auto"
    # When only held footage is left, cameras of lower priority stop first; of equal ones the later named.
    priority: int = 0
    keep_least_h: Annotated[float, Meta(ge=0)] = 0  # kept while there is other to give up; 0: no claim
    keep_most_h: Annotated[float, Meta(ge=0)] = 0  # deleted when older, unless held; 0: stays while it may

    @property
    def recorded_url(self) -> str:
        """The address of the stream that is recorded."""
        return self.sub_rtsp_url if self.record == "sub" else self.rtsp_url

    def password(self) -> str:
        """Read the password; empty if the camera has none."""
        if self.password_file is None:
            return ""
        return self.password_file.read_text().partition("\n")[0]


class Recorder(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[recorder]`: the ring buffer of footage."""

    footage_dir: Path
    segment_s: Annotated[float, Meta(ge=2, le=600)] = 60
    free_reserve_bytes: Annotated[int, Meta(ge=0)] = 2 * 1024**3
    held_most_percent: Annotated[float, Meta(gt=0, le=95)] = (
        40  # of the disk; held footage beyond is an alarm
    )
    ffmpeg: str = "ffmpeg"
    # A camera whose stream gives no picture for this long is asked again from the start.
    silent_most_s: Annotated[float, Meta(ge=2, le=60)] = 12


class Cameras(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[picture]`: how often pictures are judged and sent up."""

    judge_every_s: Annotated[float, Meta(ge=0.2, le=60)] = 2
    picture_every_s: Annotated[float, Meta(ge=1, le=3600)] = 30
    onvif_every_s: Annotated[float, Meta(ge=1, le=3600)] = 60
    down_after_s: Annotated[float, Meta(ge=1, le=300)] = 8
    frozen_after_s: Annotated[float, Meta(ge=2, le=600)] = 60
    black_after_s: Annotated[float, Meta(ge=1, le=600)] = 6


class Modem(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[modem]` and `[modemb]`: a GSM modem. `port` is a device or `socket://host:port`."""

    port: str
    name: str = ""  # in reports; empty: modem or modemb, by which the hub answers through the same one
    baud: int = 115200
    pin_file: Path | None = None
    sweep_every_s: Annotated[float, Meta(ge=0.2, le=60)] = 5
    answer_limit_s: Annotated[float, Meta(ge=0.5, le=60)] = 4
    reject_after_s: Annotated[float, Meta(ge=0, le=120)] = 15  # design: an operator may pick up first
    power_relay: bool = False  # the board's modem_power relay is in this modem's supply
    # A text to `loop_to` (the other modem's number, or its own) proves the whole way; empty: none is sent.
    number: str = ""  # this SIM's own, E.164
    loop_to: str = ""
    loop_every_s: Annotated[float, Meta(ge=30, le=86400)] = 1800
    balance_code: str = ""  # USSD of a prepaid SIM, such as *888#; empty: never asked
    balance_every_s: Annotated[float, Meta(ge=60, le=604800)] = 86400
    balance_least: Annotated[int, Meta(ge=0)] = 20000  # rupiah
    # Where the network forwards calls at busy and no reply, E.164; empty: forwarding is left alone.
    forward_to: str = ""
    sim_expires: date | None = None  # the SIM's last day ("masa aktif"); alarms 30 and 7 days before
    # The device on which a call's sound comes and goes as raw PCM (a tty of its own, or the NMEA port).
    audio_port: str = ""
    # Pick up who has rung for reject_after_s, play the prompt and record; only while the audio is proved.
    answer: bool = False
    prompt_file: Path | None = None  # WAV, 8 kHz mono 16 bit, recorded by the city
    record_most_s: Annotated[float, Meta(ge=5, le=300)] = 60


class Health(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[health]`: measuring the node, and its GPIO. The pin factory is named, never guessed."""

    every_s: Annotated[float, Meta(ge=1, le=3600)] = 10
    pin_factory: Literal["none", "lgpio", "mock"]
    board: str = "pi4"  # firmware-config/boards/<board>.toml
    board_dir: Path | None = None  # default: share/siaga/firmware-config/boards of the installation
    panel: bool = True  # status lamp and siren are wired


class NodeConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file. A section that is absent means a service that this node does not run."""

    node: Node
    hub: Hub
    cameras: list[Camera] = field(default_factory=list)
    recorder: Recorder | None = None
    picture: Cameras | None = None
    modem: Modem | None = None
    modemb: Modem | None = None
    health: Health | None = None

    @property
    def id(self) -> NodeId:
        """The node's id, checked."""
        return node_id(self.node.id)

    @property
    def services(self) -> tuple[str, ...]:
        """The services this node runs, uplink last."""
        named = {
            "recorder": self.recorder,
            "cameras": self.picture,
            "modem": self.modem,
            "modemb": self.modemb,
            "health": self.health,
        }
        return (*(name for name, section in named.items() if section is not None), "uplink")

    def journal_file(self, service: str) -> Path:
        """Where `service` keeps its journal."""
        return self.node.data_dir / f"journal-{service}.db"

    def relay_dir(self, service: str) -> Path:
        """What another modem of this node has left for `service` to send."""
        return self.node.data_dir / f"relay-{service}"

    def recordings_dir(self, service: str) -> Path:
        """What callers said to the prompt of `service`: personal data."""
        return self.node.data_dir / f"recordings-{service}"

    @property
    def delivery_file(self) -> Path:
        """The uplink's record of what the hub has acknowledged."""
        return self.node.data_dir / "delivery.db"

    @property
    def inbox_file(self) -> Path:
        """Commands that came down, written by the uplink alone."""
        return self.node.data_dir / "inbox.db"

    def socket_file(self, service: str) -> Path:
        """The datagram socket that wakes `service`."""
        return self.node.run_dir / f"{service}.sock"

    @property
    def transfers_dir(self) -> Path:
        """What waits to go up over HTTPS: clips and pictures (inbox/transfers.py)."""
        return self.node.data_dir / "transfers"


def load(path: Path) -> NodeConfig:
    """Read a node's config. Raises ConfigError naming file, key and reason."""
    loaded = config.load(path, NodeConfig)
    try:
        node_id(loaded.node.id)
    except BadId as error:
        raise ConfigError(path, "node.id", str(error)) from error
    seen: set[str] = set()
    for index, camera in enumerate(loaded.cameras):
        try:
            camera_id(camera.id)
        except BadId as error:
            raise ConfigError(path, f"cameras[{index}].id", str(error)) from error
        if camera.id in seen:
            raise ConfigError(path, f"cameras[{index}].id", f"{camera.id} is named twice")
        seen.add(camera.id)
        if camera.record == "sub" and not camera.sub_rtsp_url:
            raise ConfigError(path, f"cameras[{index}].record", "sub needs sub_rtsp_url")
    for name, modem in (("modem", loaded.modem), ("modemb", loaded.modemb)):
        if modem is not None and modem.answer and not (modem.audio_port and modem.prompt_file):
            raise ConfigError(path, f"{name}.answer", "true needs audio_port and prompt_file")
    if (loaded.recorder or loaded.picture) and not loaded.cameras:
        raise ConfigError(path, "cameras", "recorder and picture need at least one [[cameras]] table")
    return loaded
