"""The footage disk's own paper: whose it is and which chain is on it; nothing is written to another's."""

import contextlib
import logging
import secrets
from pathlib import Path

import msgspec
from msgspec import Struct

from siaga_core.errors import SiagaError, Transient
from siaga_core.service.files import write_atomic
from siaga_edge.recorder.folder import regular, segment_names
from siaga_edge.recorder.salvage import link_of

log = logging.getLogger(__name__)

_NAME = "META.json"


class ForeignDisk(SiagaError):
    """The footage disk belongs to another node."""


class DiskAway(SiagaError, Transient):
    """The footage disk is not there; it may come back."""


class Meta(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """META.json. `own_device`: it was a file system of its own, so an empty folder is not this disk."""

    node: str
    disk: str  # sixteen hexadecimal digits; the chain's id
    own_device: bool


def open_disk(folder: Path, node: str, known: Meta | None) -> Meta:
    """The disk's paper, written anew on an empty disk. `known`: what this node last recorded on.

    A paper that is lost or cannot be read is written again if the footage beside it is of the known disk.
    Raises ForeignDisk for a disk of another node, DiskAway while the known disk is not mounted, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _NAME
    own_device = _is_own_device(folder)
    try:
        found = msgspec.json.decode(_octets(path), type=Meta)
    except FileNotFoundError:
        return _begin(path, node, known, own_device)
    except msgspec.DecodeError as error:
        if known is not None and _holds(folder, known):
            return _write_again(path, known)
        raise ForeignDisk(
            f"{path} cannot be read ({error}); look at the disk, then remove this file"
        ) from error
    _refuse_foreign(found, folder, node)
    return found


def look(folder: Path, node: str) -> Meta:
    """The paper of the disk of this node; writes nothing. Raises ForeignDisk, DiskAway."""
    try:
        found = msgspec.json.decode(_octets(folder / _NAME), type=Meta)
    except FileNotFoundError as error:
        raise DiskAway(f"there is no footage disk at {folder}; mount it, or start siaga-recorder") from error
    except (OSError, msgspec.DecodeError) as error:
        raise ForeignDisk(f"{folder / _NAME} cannot be read ({error}); look at the disk") from error
    _refuse_foreign(found, folder, node)
    return found


def is_there(folder: Path, meta: Meta) -> bool:
    """Whether the disk at `folder` is still this one; its footage says so when its paper is lost or torn."""
    paper = _paper(folder)
    return paper == meta if paper is not None else _is_known_by_footage(folder, meta)


def keep_paper(folder: Path, meta: Meta) -> bool:
    """Write the paper of this disk again if it was lost or torn meanwhile; whether it was. Raises OSError."""
    lost = _paper(folder) is None and _is_known_by_footage(folder, meta)
    if lost:
        _write_again(folder / _NAME, meta)
    return lost


def _paper(folder: Path) -> Meta | None:
    try:
        return msgspec.json.decode(_octets(folder / _NAME), type=Meta)
    except (OSError, msgspec.DecodeError):
        return None


def _octets(path: Path) -> bytes:
    with open(path, "rb", opener=regular) as file:
        return file.read()


def _is_own_device(folder: Path) -> bool:
    return folder.stat().st_dev != folder.parent.stat().st_dev


def _is_known_by_footage(folder: Path, known: Meta) -> bool:
    """Whether this is the known disk by what is recorded on it, whatever its paper says."""
    try:
        if known.own_device and not _is_own_device(folder):
            return False  # the empty folder that the disk is mounted on
        return _holds(folder, known)
    except OSError:
        return False


def _begin(path: Path, node: str, known: Meta | None, own_device: bool) -> Meta:
    if known is not None and known.own_device and not own_device:
        raise DiskAway(f"the footage disk is not mounted at {path.parent}; mount it or put it in")
    if known is not None and _holds(path.parent, known):
        return _write_again(path, known)
    made = Meta(node=node, disk=secrets.token_hex(8), own_device=own_device)
    write_atomic(path, msgspec.json.encode(made))
    return made


def _holds(folder: Path, known: Meta) -> bool:
    """Whether a closed segment there is a link of the known disk's chain."""
    for name in segment_names(folder):
        with contextlib.suppress(OSError):
            link = link_of(folder / f"{name}.mp4")
            if link is not None and link.chain == known.disk:
                return True
    return False


def _write_again(path: Path, known: Meta) -> Meta:
    log.warning("paper of the footage disk written again disk=%s", known.disk)
    write_atomic(path, msgspec.json.encode(known))
    return known


def _refuse_foreign(found: Meta, folder: Path, node: str) -> None:
    if found.node != node:
        raise ForeignDisk(
            f"{folder} is the footage disk of {found.node}, not of {node};"
            " put the right disk in, or move its footage away and remove META.json"
        )
