"""`siaga-node footage verify`, `rebuild` and `salvage`: is it what was recorded, and what can be mended."""

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from siaga_core.errors import SiagaError
from siaga_core.service.database import AlreadyOpen, WriterLock
from siaga_core.wire.envelope import BadRecord
from siaga_core.wire.recording import HeadsTold
from siaga_edge import announced
from siaga_edge.cli.footage_report import footage_of, settings_of
from siaga_edge.cli.progress import Progress
from siaga_edge.node import NodeConfig
from siaga_edge.recorder import disk
from siaga_edge.recorder.rebuilding import Rebuilt, rebuild
from siaga_edge.recorder.rescue import Rescued, rescue, source_bytes
from siaga_edge.recorder.verifying import Finding, verify, whole_bytes

_HEAD_LEAST_DIGITS = 16


class BadHeads(SiagaError):
    """Heads to compare with that cannot be read or are not of this disk."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, and what it was compared with."""

    disk: str
    findings: tuple[Finding, ...]
    heads: int
    heads_from: str
    links: int
    head: str

    @property
    def status(self) -> int:
        """0 when nothing is bad, 6 when something is."""
        return 6 if any(one.level == "bad" for one in self.findings) else 0


def check(config: NodeConfig, heads_file: Path | None, heads: list[str], *, offline: bool) -> Verdict:
    """Verify all footage of this node's disk. Raises ForeignDisk, DiskAway, StoreMissing, BadHeads."""
    folder = settings_of(config).footage_dir
    meta = disk.look(folder, config.node.id)
    known, source = _heads(config, meta.disk, heads_file, heads, offline=offline)
    with footage_of(config) as finder:
        newest = finder.newest()
        with closing(Progress("verify", whole_bytes(finder))) as progress:
            found = verify(
                finder, folder, meta.disk, known, progress.advance, is_recording=_is_recording(config)
            )
            findings = tuple(found)
        at = finder.head(meta.disk)
    links = 0 if newest is None else newest.number
    return Verdict(meta.disk, findings, len(known), source, links, at.head.hex())


def make_index_anew(config: NodeConfig) -> Rebuilt:
    """Rebuild the index from the files. Raises AlreadyOpen while the recorder runs."""
    folder = settings_of(config).footage_dir
    meta = disk.look(folder, config.node.id)
    with closing(Progress("rebuild", source_bytes(folder))) as progress:
        return rebuild(config.node.data_dir / "footage.db", folder, meta, progress.advance)


def copy_out(source: Path, into: Path) -> list[Rescued]:
    """Copy whole fragments of a card into a new folder."""
    whole = source_bytes(source) if source.is_dir() else 0
    with closing(Progress("salvage", whole)) as progress:
        return rescue(source, into, progress.advance)


def verdict_page(found: Verdict) -> str:
    """What a technician reads, Indonesian first."""
    lines = [f"disk {found.disk}: {found.links} segmen/segments, kepala/head {found.head[:16]}"]
    for one in found.findings:
        sign = "GAGAL/BAD" if one.level == "bad" else "catatan/note"
        lines.append(f"[{sign}] {one.code}  {one.segment}  {one.detail}".rstrip())
        lines.append(f"        -> {one.advice}")
    if found.heads:
        lines.append(f"dibandingkan dengan/compared with {found.heads} kepala/heads: {found.heads_from}")
    else:
        lines.append(
            f"TIDAK dibandingkan dengan pusat/NOT compared with the hub ({found.heads_from}): what was"
            " changed and made to fit again is not found this way; use --heads or --head"
        )
    bad = sum(one.level == "bad" for one in found.findings)
    lines.append(f"{bad} masalah/bad" if bad else "utuh / whole")
    return "\n".join(lines)


def rebuilt_page(made: Rebuilt) -> str:
    """What a technician reads, Indonesian first."""
    lines = [f"indeks baru/new index: {made.segments} segmen/segments"]
    if made.old is not None:
        lines.append(f"indeks lama/old index: {made.old}; {made.own_rows} baris sendiri/own rows taken over")
    if made.own_unread:
        lines.append(f"! {made.own_unread} baris sendiri tidak terbaca/own rows not readable: holds by hand?")
    for name in made.foreign:
        lines.append(f"! bukan dari disk ini/of another disk: {name}")
    for name in made.unreadable:
        lines.append(f"! tidak terbaca/not readable: {name}")
    if made.left_open:
        opened = len(made.left_open)
        lines.append(f"{opened} segmen terbuka/left open: siaga-recorder closes them at its start")
    return "\n".join(lines)


def rescued_page(found: list[Rescued], into: Path) -> str:
    """What a technician reads, Indonesian first."""
    words = {"part": "sebagian/part", "changed": "berubah/changed", "nothing": "TIDAK ADA/NOTHING"}
    lines = [
        f"{one.name}  {words[one.state]}  {one.media_ms / 1000:.1f} s, hilang/lost {one.lost_bytes} B"
        for one in found
        if one.state != "whole"
    ]
    whole = sum(one.state == "whole" for one in found)
    seconds = sum(one.media_ms for one in found) / 1000
    lines.append(f"{whole} dari/of {len(found)} utuh/whole, {seconds:.0f} s -> {into}")
    return "\n".join(lines)


def as_row(found: Verdict | Rebuilt) -> dict[str, Any]:
    """For JSON."""
    row: dict[str, Any] = json.loads(json.dumps(asdict(found), default=str))
    return row


def _is_recording(config: NodeConfig) -> bool:
    """Whether the recorder has its index open."""
    try:
        WriterLock(config.node.data_dir / "footage.db").release()
    except (AlreadyOpen, PermissionError):
        return True
    return False


def _heads(
    config: NodeConfig, chain: str, heads_file: Path | None, typed: list[str], *, offline: bool
) -> tuple[Mapping[int, str], str]:
    """Heads that were told before: typed in, of a sealed file, or of the hub now; and where they are from."""
    if typed:
        return dict(_typed(one) for one in typed), "--head"
    if heads_file is not None:
        told = _opened(config, heads_file.read_bytes(), str(heads_file))
        return _of_chain(told, chain, str(heads_file)), str(heads_file)
    if offline:
        return {}, "--offline"
    try:
        told = _opened(config, announced.told_heads(config), config.hub.gateway_url)
    except (SiagaError, OSError) as error:
        return {}, f"{error}"
    return _of_chain(told, chain, ""), config.hub.gateway_url


def _typed(text: str) -> tuple[int, str]:
    number, _, head = text.partition(":")
    head = head.strip().lower()
    good = number.isdecimal() and len(head) >= _HEAD_LEAST_DIGITS and not set(head) - set("0123456789abcdef")
    if not good:
        raise BadHeads(f"--head {text}: write NUMBER:HEAD with at least {_HEAD_LEAST_DIGITS} digits")
    return int(number), head


def _opened(config: NodeConfig, sealed: bytes, source: str) -> HeadsTold:
    try:
        told = msgspec.json.decode(
            announced.open_sealed(config, announced.heads_topic(config.id), sealed), type=HeadsTold
        )
    except (BadRecord, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadHeads(f"{source}: these heads are not sealed by this node's hub ({error})") from error
    if told.node != config.node.id:
        raise BadHeads(f"{source}: these heads are of {told.node}, not of {config.node.id}")
    return told


def _of_chain(told: HeadsTold, chain: str, source: str) -> Mapping[int, str]:
    found = {one.links: one.head.hex() for one in told.heads if one.chain == chain}
    if source and not found:
        raise BadHeads(f"{source} has no head of the footage disk {chain} that is in this node now")
    return found
