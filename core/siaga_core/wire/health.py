"""`health` and `camera`: how a node and its cameras are doing."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

KIND = "health"
CAMERA_KIND = "camera"
SERVICE_KIND = "service"
LINK_KIND = "link"

Level = Literal["ok", "warn", "crit", "unknown"]
CameraStatus = Literal["up", "down", "black", "frozen", "unknown"]


class Reading(Struct, frozen=True, kw_only=True):
    """One measured value with its judgement; `name` is `cpu_percent`, `disk_free_percent.footage`, ..."""

    name: str
    value: float | None
    level: Level = "ok"
    detail: str = ""


class Health(Struct, frozen=True, kw_only=True):
    """A sample of the node's own health; bulk lane."""

    uptime_s: Annotated[float, Meta(ge=0)]
    level: Level
    readings: list[Reading]
    version: str = ""


class CameraState(Struct, frozen=True, kw_only=True):
    """A camera's picture and stream as judged on the node; urgent, on every change."""

    camera: str
    status: CameraStatus
    reason: str = ""
    model: str = ""
    firmware: str = ""
    clock_offset_ms: int | None = None  # camera minus node, ONVIF GetSystemDateAndTime
    onvif: Literal["ok", "unreachable", "refused", "unconfigured"] = "unconfigured"


class ServiceState(Struct, frozen=True, kw_only=True):
    """Something an operator should know about one of the node's services (modem lost, disk full)."""

    service: str
    level: Level
    code: str  # stable word, e.g. `modem.silent`, `footage.gap`
    detail: str = ""


class LinkState(Struct, frozen=True, kw_only=True):
    """A node's way to the hub came up, or was lost after `lasted_s`; bulk, one for each change."""

    link: Literal["mqtt"]
    up: bool
    lasted_s: Annotated[float, Meta(ge=0)] = 0  # how long the state before this one
    reason: str = ""
