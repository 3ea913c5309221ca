"""The recorder's word on grants: it decides, counts uses in its journal, and only then lets a clip be cut."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from siaga_core.service.clock import read_floor_ns
from siaga_core.service.files import write_atomic
from siaga_core.wire import grant as wire
from siaga_core.wire import topics
from siaga_core.wire.envelope import BadRecord
from siaga_core.wire.grant import Grant, GrantUse
from siaga_edge import announced
from siaga_edge.journal import Journal
from siaga_edge.node import NodeConfig
from siaga_edge.recorder.grants import Asked, Now, refusal
from siaga_edge.recorder.holding import open_folder

log = logging.getLogger(__name__)

_ASKED, _ANSWER, _ENDED = ".asked", ".answer", ".ended"
_USED = (
    "SELECT count(*) FROM record WHERE lane = 'urgent' AND kind = ?"
    " AND json_extract(body, '$.grant') = ? AND json_extract(body, '$.state') = 'begun'"
)


class Request(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the command line asks: may this be copied? `file` is the grant's file as it was given."""

    use: str
    file: bytes
    camera: str
    start_wall_ns: int
    end_wall_ns: int
    tight: bool
    who: str


class Answer(Struct, frozen=True, kw_only=True):
    """The recorder's word; `refused` is empty when a use is on record and the clip may be cut."""

    refused: str = ""
    grant: Grant | None = None


class Ended(Struct, frozen=True, kw_only=True):
    """What became of a use that had begun."""

    use: str
    state: Literal["done", "failed"]
    grant: Grant
    camera: str
    start_wall_ns: int
    end_wall_ns: int
    who: str
    tight: bool
    detail: str = ""
    size_bytes: int = 0
    sha256: str = ""


def folder_of(data_dir: Path) -> Path:
    """Where requests and answers lie."""
    return data_dir / "footage-grants"


def put_request(data_dir: Path, request: Request) -> Path:
    """Leave a request; where its answer will be."""
    folder = folder_of(data_dir)
    open_folder(folder)
    write_atomic(folder / f"{request.use}{_ASKED}", msgspec.json.encode(request), 0o660)
    return folder / f"{request.use}{_ANSWER}"


def put_end(data_dir: Path, ended: Ended) -> None:
    """Say what became of a use; durable when this returns."""
    write_atomic(folder_of(data_dir) / f"{ended.use}{_ENDED}", msgspec.json.encode(ended), 0o660)


class Granting:
    """Used in the recorder's thread. A use is committed to the journal before its answer is given."""

    def __init__(self, config: NodeConfig, journal: Journal, now: Callable[[], Now]) -> None:
        """`now`: the node's clock as it is judged now; its floor is filled in here."""
        self._config, self._journal, self._now = config, journal, now
        self._folder = folder_of(config.node.data_dir)
        open_folder(self._folder)

    def take(self) -> None:
        """Answer what was asked, and put on record what has ended."""
        for path in sorted(self._folder.glob(f"*{_ENDED}")):
            self._end(path)
        for path in sorted(self._folder.glob(f"*{_ASKED}")):
            self._answer(path)

    def used(self, grant: str) -> int:
        """How often a grant was used here, as far as the journal reaches back: beyond any grant's life."""
        return int(self._journal.connection.execute(_USED, (wire.USE_KIND, grant)).fetchone()[0])

    def _answer(self, path: Path) -> None:
        try:
            request = msgspec.json.decode(path.read_bytes(), type=Request)
        except (OSError, msgspec.DecodeError) as error:
            log.warning("request not understood file=%s cause=%s", path.name, error)
            path.unlink(missing_ok=True)
            return
        grant, refused = self._judged(request)
        self._journal.append(wire.USE_KIND, _use(request, grant, refused))
        answer = Answer(refused=refused, grant=None if refused else grant)
        write_atomic(path.with_suffix(_ANSWER), msgspec.json.encode(answer), 0o660)
        path.unlink(missing_ok=True)
        log.info("footage asked for by hand camera=%s refused=%s", request.camera, refused or "no")

    def _judged(self, request: Request) -> tuple[Grant | None, str]:
        try:
            grant = self._opened(request.file)
        except BadRecord as error:
            return None, f"the grant was not made by this node's hub ({error.reason}: {error})"
        except OSError as error:
            return None, f"the hub's root certificate cannot be read: {error}"
        asked = Asked(request.camera, request.start_wall_ns, request.end_wall_ns)
        now = self._now()
        floor_ns = max(now.floor_ns, read_floor_ns(self._config.node.data_dir))
        at = Now(now.wall_ns, now.state, floor_ns)
        return grant, refusal(grant, asked, self._config.node.id, self.used(grant.id), at)

    def _opened(self, octets: bytes) -> Grant:
        file = wire.decode_file(octets)
        root_pem = self._config.hub.ca_file.read_bytes()
        known = announced.newer(announced.announcement(self._config), file.announcement, root_pem)
        topic = topics.grant(self._config.id)
        return wire.decode_grant(announced.opened_with(announced.key_of(known, root_pem), topic, file.grant))

    def _end(self, path: Path) -> None:
        try:
            ended = msgspec.json.decode(path.read_bytes(), type=Ended)
        except (OSError, msgspec.DecodeError) as error:
            log.warning("end not understood file=%s cause=%s", path.name, error)
            path.unlink(missing_ok=True)
            return
        said = GrantUse(
            grant=ended.grant.id,
            use=ended.use,
            state=ended.state,
            camera=ended.camera,
            start_wall_ns=ended.start_wall_ns,
            end_wall_ns=ended.end_wall_ns,
            who=ended.who,
            by=ended.grant.by,
            reason=ended.grant.reason,
            detail=ended.detail,
            tight=ended.tight,
            size_bytes=ended.size_bytes,
            sha256=ended.sha256,
        )
        self._journal.append(wire.USE_KIND, said)
        path.unlink(missing_ok=True)


def _use(request: Request, grant: Grant | None, refused: str) -> GrantUse:
    return GrantUse(
        grant="" if grant is None else grant.id,
        use=request.use,
        state="refused" if refused else "begun",
        camera=request.camera,
        start_wall_ns=request.start_wall_ns,
        end_wall_ns=request.end_wall_ns,
        who=request.who,
        by="" if grant is None else grant.by,
        reason="" if grant is None else grant.reason,
        detail=refused,
        tight=request.tight,
    )
