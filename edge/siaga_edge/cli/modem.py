"""`siaga-node modem ...`: how the modem is, what came in, a text out, and a journal run through again."""

import argparse
import json
import logging
import sqlite3
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from siaga_core.errors import SiagaError
from siaga_core.reading.legible import legible
from siaga_core.service.clock import SystemClock, new_id
from siaga_core.service.database import StoreMissing, open_reader
from siaga_core.service.logs import mask_number
from siaga_core.wib import shown
from siaga_core.wire.outbound import AT_NODE
from siaga_edge import node
from siaga_edge.cli import alone, duty
from siaga_edge.cli.queue import ago
from siaga_edge.inbox import wake
from siaga_edge.modem import at, pdu
from siaga_edge.modem.number import to_e164
from siaga_edge.modem.recordings import listed, sha256_of
from siaga_edge.modem.relay import Left, leave
from siaga_edge.modem.status import OLD_S, ModemStatus, read_status
from siaga_edge.node import NodeConfig

NOT_YET = "belum ada; layanan modem belum pernah berjalan / not there; the modem's service has not run yet"
# What stands in an inbox, beside a plain message.
KINDS = {
    "message": "",
    "delivery report": "laporan kirim / delivery report",
    "broadcast": "siaran sel / cell broadcast",
    "text mode": "tanpa PDU / without PDU",
    "unreadable": "tidak terbaca / unreadable",
}
# A trial of the way out needs no more, and each part is paid for.
PARTS_MOST = 4
LAST_STATES = ("sent", "failed", "unknown")


class Refused(SiagaError):
    """What was asked is not done; the message says why and what would be."""


def add_arguments(kinds: Any, default_config: Path) -> None:
    """The deeds and their options."""
    from siaga_edge.simulate.modem import cli as simulated

    _add(
        kinds,
        default_config,
        "status",
        "signal, network, SIM, stores, last sweep, trouble; whether the hub is away, codes that are out",
        _status,
    )
    send = _add(kinds, default_config, "send", "send a text by this node's modem, to try the way out", _send)
    send.add_argument("--to", required=True, metavar="NUMBER", help="in international form, +62…")
    send.add_argument("--text", required=True, help="what is longer than 160 letters goes in parts")
    send.add_argument("--yes", action="store_true", help=f"also when it takes more than {PARTS_MOST} parts")
    text = "at most so long, until the network took it (0: not at all)"
    send.add_argument("--wait", type=float, default=0, metavar="SECONDS", help=text)
    inbox = _add(kinds, default_config, "inbox", "the raw messages kept here, newest last", _inbox)
    inbox.add_argument("--last", type=int, default=20, metavar="N", help="so many (%(default)s)")
    inbox.add_argument(
        "--numbers",
        "--raw",
        action="store_true",
        help="show senders' numbers, and raw messages, which hold them",
    )
    text = "what callers said to the prompt, as files kept here, newest last (personal data)"
    _add(kinds, default_config, "recordings", text, _recordings)
    text = "make the reports again from the raw messages and calls; say whether they are the same"
    again = _add(kinds, default_config, "replay", text, _replay)
    again.add_argument("--journal", type=Path, help="another file, such as a copy from a node")
    text = "play a modem until told to stop (as `siaga-node simulate modem`)"
    play = kinds.add_parser("simulate", help=text, description=text)
    simulated.add_modem_arguments(play)
    play.set_defaults(deed=lambda args: args.run(args))


def _add(kinds: Any, default_config: Path, name: str, text: str, deed: Any) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = kinds.add_parser(name, help=text, description=text)
    made.add_argument("--config", type=Path, default=default_config, help="the node's config (%(default)s)")
    made.add_argument("--second", action="store_true", help="the second modem, [modemb]")
    made.add_argument("--json", action="store_true", help="for a machine")
    made.set_defaults(deed=deed)
    return made


def _status(args: argparse.Namespace) -> int:
    """0 when the modem serves and nothing is critical, 1 when not."""
    config, service = _node(args)
    status, now_wall_ns = read_status(config.node.run_dir, service), time.time_ns()
    age_s = None if status is None else (now_wall_ns - status.at_wall_ns) / 1e9
    running = age_s is not None and age_s < OLD_S
    hub, codes = alone.hub(config, service, now_wall_ns), alone.out(config, service)
    if args.json:
        said = {"service": service, "running": running, "status": msgspec.to_builtins(status)}
        said["verdicts"] = _dated(status, age_s or 0.0, running=running)
        said |= {"hub": asdict(hub), "codes": [asdict(one) for one in codes]}
        print(json.dumps(said | {"in_roster": duty.standing(config)[0]}))
    else:
        print(page(service, status, running=running, age_s=age_s or 0.0))
        print("\n".join(alone.lines(hub, codes, now_wall_ns)))
        takes_part, seen = duty.standing(config)
        print(f"{'daftar jaga / duty roster':32s} {seen}")
        if not takes_part:
            print(f"{'':32s} -> {duty.advice(config)}")
    well = status is not None and running and status.ready
    return 0 if well and not any(level == "crit" for level, _ in status.verdicts.values()) else 1  # type: ignore[union-attr]


def page(service: str, status: ModemStatus | None, *, running: bool, age_s: float = 0.0) -> str:
    """What a technician reads, Indonesian first. `age_s`: of the status."""
    if status is None:
        return f"{service}: belum berjalan sejak mesin menyala / has not run since the machine started"
    head = "siap / ready" if status.ready else f"TIDAK siap / NOT ready: {status.trouble}"
    if not running:
        head = "layanan tidak berjalan / the service does not run"
    swept = shown(status.swept_wall_ns) if status.swept_wall_ns else "-"
    lines = [
        f"{service}: {head}",
        f"{'model':32s} {status.model or '-'} ({status.profile})",
        f"{'sapuan terakhir / last sweep':32s} {swept}",
        f"{'derau / noisy lines':32s} {status.noise}",
    ]
    if status.rung:
        lines.append(f"{'sedang dicoba / being tried':32s} {status.rung}")
    lines += [f"{'slot ' + name:32s} {used}/{total}" for name, (used, total) in status.slots.items()]
    for code, one in _dated(status, age_s, running=running).items():
        old = "  USANG / STALE" if one["stale"] else ""
        when = "" if one["age_s"] is None else f"  [{ago(int(one['age_s'] * 1e9))}]"
        lines.append(f"{code:32s} {one['level']:8s} {one['detail']}{when}{old}")
    return "\n".join(lines)


def _dated(status: ModemStatus | None, age_s: float, *, running: bool) -> dict[str, dict[str, Any]]:
    """Each verdict with its age; stale is what was found before the modem went or the service stopped."""
    if status is None:
        return {}
    stale = not (running and status.ready)
    return {
        code: {
            "level": level,
            "detail": detail,
            "age_s": round(status.ages_s[code] + age_s, 1) if code in status.ages_s else None,
            "stale": stale,
        }
        for code, (level, detail) in status.verdicts.items()
    }


def _send(args: argparse.Namespace) -> int:
    """0 when the service has it, or with --wait when the network took it; 1 when it did not."""
    config, service = _node(args)
    recipient = _sendable(args.to, args.text, args.wait, sure=args.yes)
    id = AT_NODE + new_id(SystemClock())
    text = Left(id=id, recipient=recipient, text=args.text, at_least_once=False)
    leave(config.relay_dir(service), text)
    awake = wake(config.socket_file(service))
    state = _wait_for(config.journal_file(service), text.id, args.wait) if args.wait else "waiting"
    if args.json:
        print(json.dumps({"id": text.id, "state": state, "service_awake": awake}))
    else:
        asleep = "" if awake else "; layanan tidak berjalan, dikirim nanti / not running, sent later"
        print(f"{text.id}: {state}{asleep}")
    return 0 if state == "sent" or (not args.wait and awake) else 1


def _sendable(to: str, text: str, wait_s: float, *, sure: bool) -> str:
    """The number in E.164, if it and the text can be sent. Raises Refused."""
    if not 0 <= wait_s < float("inf"):
        raise Refused("--wait: detik, 0 atau lebih / seconds, 0 or more")
    if not text.strip():
        raise Refused("--text: pesan kosong tidak dikirim / an empty text is not sent")
    recipient = to_e164(to)
    if recipient is None:
        raise Refused(
            f"--to {to}: bukan nomor HP yang mungkin; tulis sebagai +62812… /"
            " no possible subscriber's number; write it as +62812…"
        )
    parts = len(pdu.encode(recipient, text, 1))
    if parts > PARTS_MOST and not sure:
        raise Refused(
            f"pesan ini menjadi {parts} SMS berbayar; ulangi dengan --yes bila memang begitu /"
            f" this takes {parts} paid texts; say --yes if it is meant"
        )
    return recipient


def _wait_for(journal: Path, id: str, limit_s: float) -> str:
    """What became of a text, at the latest after `limit_s`."""
    deadline_s = time.monotonic() + limit_s
    while True:
        state = _state(journal, id)
        if state in LAST_STATES or time.monotonic() > deadline_s:
            return state
        time.sleep(0.1)


def _state(journal: Path, id: str) -> str:
    try:
        connection = open_reader(journal)
    except StoreMissing:
        return "waiting"
    try:
        row = connection.execute("SELECT state FROM outgoing WHERE id = ?", (id,)).fetchone()
    finally:
        connection.close()
    return str(row["state"]) if row else "waiting"


def _inbox(args: argparse.Namespace) -> int:
    if args.last < 1:
        raise Refused("--last: 1 atau lebih / 1 or more")
    config, service = _node(args)
    journal = config.journal_file(service)
    if not journal.exists():
        print("[]" if args.json else f"{service}: {NOT_YET}")
        return 1
    connection = open_reader(journal)
    try:
        query = "SELECT * FROM pdu ORDER BY id DESC LIMIT ?"
        rows = [_shown(row, unmasked=args.numbers) for row in connection.execute(query, (args.last,))][::-1]
    finally:
        connection.close()
    if args.json:
        print(json.dumps(rows, ensure_ascii=False))
        return 0
    for row in rows:
        on_modem = " (masih di modem / still on the modem)" if row["on_modem"] else ""
        words = KINDS[row["kind"]]
        said = row["text"] if row["kind"] == "message" else f"[{words}] {row['text'] or row['pdu']}"
        # A citizen's text must not steer a technician's terminal.
        print(f"{row['came']}  {legible(row['from']) or '?':16s} {legible(said)}{on_modem}")
    if not rows:
        print("belum ada pesan / no message yet")
    return 0


def _shown(row: sqlite3.Row, *, unmasked: bool) -> dict[str, Any]:
    """A raw message holds its sender's number: it is shown to who may see that."""
    kind, sender, text = _read(row["memory"], row["pdu"])
    octets = f"{len(row['pdu']) // 2} oktet / octets (--numbers)"
    return {
        "came": shown(row["at_wall_ns"]),
        "from": sender if unmasked or not sender else mask_number(sender),
        "kind": kind,
        "by": row["memory"],
        "text": text if unmasked else text.replace(row["pdu"], octets),
        "report_id": row["report_id"],
        "on_modem": bool(row["on_modem"]),
        "pdu": row["pdu"] if unmasked else octets,
    }


def _read(memory: str, octets: str) -> tuple[str, str, str]:
    """(kind, sender, text) of a raw message."""
    if memory == "CBM":
        return "broadcast", "", ""
    if (lines := at.lines_of(octets)) is not None:
        return "text mode", at.text_sender(lines[0]) or "", lines[1]
    try:
        message = pdu.decode(octets)
    except pdu.BadPdu as error:
        return "unreadable", "", f"{pdu.best_effort(octets)} {octets} ({error})".strip()
    if isinstance(message, pdu.StatusReport):
        return "delivery report", message.recipient, message.outcome
    return "message", message.sender, message.text


def _recordings(args: argparse.Namespace) -> int:
    config, service = _node(args)
    folder = config.recordings_dir(service)
    rows = [
        {
            "came": shown(int(one.at_wall_s * 1e9)),
            "report_id": one.path.stem,
            "duration_s": round(one.duration_s, 1),
            "sha256": sha256_of(one.path),
            "file": str(one.path),
        }
        for one in listed(folder)
    ]
    if args.json:
        print(json.dumps(rows))
        return 0
    for row in rows:
        print(f"{row['came']}  {row['duration_s']:5.1f} s  {row['sha256']}  {row['file']}")
    if not rows:
        print(f"tidak ada rekaman di / no recordings in {folder}")
    return 0


def _replay(args: argparse.Namespace) -> int:
    """0 when every report came out as it had been, 1 when not."""
    from siaga_edge.modem.replay import replay

    journal = args.journal
    if journal is None:
        config, service = _node(args)
        journal = config.journal_file(service)
    if not journal.exists():
        sys.stderr.write(f"{journal}: {NOT_YET}\n")
        return 1
    no_journal = f"{journal}: bukan jurnal modem / is not a modem's journal"
    if not journal.is_file():
        raise Refused(no_journal)
    logger = logging.getLogger("siaga_edge.modem")
    before = logger.level
    logger.setLevel(logging.ERROR)  # what it takes in was told when it came
    try:
        found = replay(journal)
    except sqlite3.DatabaseError as error:
        raise Refused(f"{no_journal} ({error})") from error
    finally:
        logger.setLevel(before)
    if args.json:
        print(json.dumps(msgspec.to_builtins(found) | {"is_same": found.is_same}))
    else:
        print(
            f"{found.messages} pesan / messages, {found.calls} langkah panggilan / call states,"
            f" {found.same} laporan sama / reports the same"
        )
        for why in found.why:
            print(f"berbeda / different: {why}")
    return 0 if found.is_same else 1


def _node(args: argparse.Namespace) -> tuple[NodeConfig, str]:
    config = node.load(args.config)
    service = "modemb" if args.second else "modem"
    if service not in config.services:
        sys.stderr.write(f"simpul ini tidak memakai / this node runs no {service}\n")
        raise SystemExit(78)
    return config, service
