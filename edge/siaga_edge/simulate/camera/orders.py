"""The other end of the control socket: orders in, the camera's state out."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from siaga_edge.simulate.camera.control import FAULTS
from siaga_edge.simulate.camera.device import MODES, ONVIF_FAULTS, Camera
from siaga_edge.simulate.camera.scene import SceneFailed


def obey(cameras: Mapping[str, Camera], line: bytes) -> dict[str, Any]:
    """Do what one line says; the answer says `ok`, and the state or the error."""
    try:
        order = json.loads(line)
        return {"ok": True, "state": _obey(cameras, order)}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return {"ok": False, "error": str(error)}


def prepare(cameras: Mapping[str, Camera], line: bytes) -> str:
    """Code what the order will show; why that failed. What is wrong with the order, `obey` says."""
    try:
        order = json.loads(line)
        camera = cameras.get(order.get("camera") or "")
        for feed in camera.feeds.values() if camera else ():
            feed.scenes.prepare(order.get("do"))
    except SceneFailed as error:
        return str(error)
    except (ValueError, AttributeError, TypeError):
        pass
    return ""


def _obey(cameras: Mapping[str, Camera], order: dict[str, Any]) -> dict[str, Any]:
    what, name = order["do"], order.get("camera") or ""
    if what == "state" and not name:
        return {camera.name: camera.state() for camera in cameras.values()}
    if name not in cameras:
        raise ValueError(f"no camera {name!r}; there are {', '.join(cameras)}")
    camera = cameras[name]
    if what in MODES:
        seconds = order.get("seconds")
        camera.switch(what, None if seconds is None else float(seconds))
    elif what == "onvif":
        _misbehave(camera, order)
    elif what in FAULTS:
        _fail(camera, what, order)
    elif what != "state":
        raise ValueError(f"unknown order {what!r}; use {', '.join((*MODES, *FAULTS))}, onvif or state")
    return camera.state()


def _fail(camera: Camera, what: str, order: dict[str, Any]) -> None:
    """A fault of the stream; the amount is in the order's `by`."""
    if what == "change":
        camera.change()
    elif what == "reset":
        camera.reset()
    else:
        by = float(order["by"])
        if what == "jump":
            camera.jump(by)
        elif what == "clock":
            camera.jump_clock(by)
        elif what == "foreign":
            camera.mix(bool(by))
        else:
            camera.lost_share = min(100.0, max(0.0, by)) / 100


def _misbehave(camera: Camera, order: dict[str, Any]) -> None:
    fault, offset_s = order.get("fault"), order.get("clock_offset_s")
    if fault is not None:
        if fault not in ONVIF_FAULTS:
            raise ValueError(f"unknown fault {fault!r}; use {', '.join(ONVIF_FAULTS)}")
        camera.onvif.fault = fault
    if offset_s is not None:
        camera.onvif.clock_offset_s = float(offset_s)


async def attend(
    cameras: Mapping[str, Camera], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer the orders of one client until it leaves."""
    try:
        while line := await reader.readline():
            # Coding a scene takes a second or more: the cameras go on meanwhile.
            failed = await asyncio.to_thread(prepare, cameras, line)
            answer = {"ok": False, "error": failed} if failed else obey(cameras, line)
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
    except (ConnectionError, ValueError):
        pass
    finally:
        writer.close()
