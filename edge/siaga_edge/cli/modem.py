"""`siaga-node modem ...`: how the modem is, what came in, a text out, and a journal run through again."""

import argparse
import json
import sqlite3
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from siaga_core.service.clock import SystemClock, new_id
from siaga_core.service.database import open_reader
from siaga_core.service.logs import mask_number
from siaga_edge import node
from siaga_edge.cli import duty
from siaga_edge.inbox import wake
from siaga_edge.modem import pdu
from siaga_edge.modem.recordings import listed, sha256_of
from siaga_edge.modem.relay import Left, leave
from siaga_edge.modem.status import ModemStatus, read_status
from siaga_edge.node import NodeConfig

# The service writes its status every 5 s, and at every change.
OLD_S = 30.0
LAST_STATES = ("sent", "failed", "unknown")


def add_arguments(kinds: Any, default_config: Path) -> None:
    """The deeds and their options."""
    from siaga_edge.simulate.modem import cli as simulated

    _add(kinds, default_config, "status", "signal, network, SIM, stores, last sweep, trouble", _status)
    send = _add(kinds, default_config, "send", "send a text by this node's modem, to try the way out", _send)
    send.add_argument("--to", required=True, metavar="NUMBER", help="in international form, +62…")
    send.add_argument("--text", required=True)
    send.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="until the network took it")
    inbox = _add(kinds, default_config, "inbox", "the raw messages kept here, newest last", _inbox)
    inbox.add_argument("--last", type=int, default=20, metavar="N", help="so many (%(default)s)")
    inbox.add_argument("--numbers", action="store_true", help="show senders' numbers unmasked")
    text = "what callers said to the prompt, as files kept here, newest last (personal data)"
    _add(kinds, default_config, "recordings", text, _recordings)
    text = "make the reports again from the raw messages; say whether they are the same"
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
    status = read_status(config.node.run_dir, service)
    age_s = None if status is None else time.time() - status.at_wall_ns / 1e9
    running = age_s is not None and age_s < OLD_S
    if args.json:
        said = {"service": service, "running": running, "status": msgspec.to_builtins(status)}
        print(json.dumps(said | {"in_roster": duty.standing(config)[0]}))
    else:
        print(page(service, status, running=running))
        takes_part, seen = duty.standing(config)
        print(f"{'daftar jaga / duty roster':32s} {seen}")
        if not takes_part:
            print(f"{'':32s} -> {duty.advice(config)}")
    well = status is not None and running and status.ready
    return 0 if well and not any(level == "crit" for level, _ in status.verdicts.values()) else 1  # type: ignore[union-attr]


def page(service: str, status: ModemStatus | None, *, running: bool) -> str:
    """What a technician reads, Indonesian first."""
    if status is None:
        return f"{service}: belum berjalan sejak mesin menyala / has not run since the machine started"
    head = "siap / ready" if status.ready else f"TIDAK siap / NOT ready: {status.trouble}"
    if not running:
        head = "layanan tidak berjalan / the service does not run"
    swept = _clock(status.swept_wall_ns) if status.swept_wall_ns else "-"
    lines = [
        f"{service}: {head}",
        f"{'model':32s} {status.model or '-'} ({status.profile})",
        f"{'sapuan terakhir / last sweep':32s} {swept}",
        f"{'derau / noisy lines':32s} {status.noise}",
    ]
    if status.rung:
        lines.append(f"{'sedang dicoba / being tried':32s} {status.rung}")
    lines += [f"{'slot ' + name:32s} {used}/{total}" for name, (used, total) in status.slots.items()]
    lines += [f"{code:32s} {level:8s} {detail}" for code, (level, detail) in status.verdicts.items()]
    return "\n".join(lines)


def _send(args: argparse.Namespace) -> int:
    """0 when the service has it, or with --wait when the network took it; 1 when it did not."""
    config, service = _node(args)
    pdu.encode(args.to, args.text, 1)  # refused here, with its reason, rather than later in a log
    text = Left(id=new_id(SystemClock()), recipient=args.to, text=args.text, at_least_once=False)
    leave(config.relay_dir(service), text)
    awake = wake(config.socket_file(service))
    state = _wait_for(config.journal_file(service), text.id, args.wait) if args.wait else "waiting"
    if args.json:
        print(json.dumps({"id": text.id, "state": state, "service_awake": awake}))
    else:
        asleep = "" if awake else "; layanan tidak berjalan, dikirim nanti / not running, sent later"
        print(f"{text.id}: {state}{asleep}")
    return 0 if state == "sent" or (not args.wait and awake) else 1


def _wait_for(journal: Path, id: str, limit_s: float) -> str:
    """What became of a text, at the latest after `limit_s`."""
    deadline_s = time.monotonic() + limit_s
    while True:
        connection = open_reader(journal)
        try:
            row = connection.execute("SELECT state FROM outgoing WHERE id = ?", (id,)).fetchone()
        finally:
            connection.close()
        state = str(row["state"]) if row else "waiting"
        if state in LAST_STATES or time.monotonic() > deadline_s:
            return state
        time.sleep(0.1)


def _inbox(args: argparse.Namespace) -> int:
    config, service = _node(args)
    connection = open_reader(config.journal_file(service))
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
        print(f"{row['came']}  {row['from'] or '?':16s} {row['text'] or row['pdu']}{on_modem}")
    return 0


def _shown(row: sqlite3.Row, *, unmasked: bool) -> dict[str, Any]:
    try:
        message = pdu.decode(row["pdu"])
        sender = message.sender if isinstance(message, pdu.Deliver) else message.recipient
    except pdu.BadPdu:
        sender = ""
    return {
        "came": _clock(row["at_wall_ns"]),
        "from": sender if unmasked or not sender else mask_number(sender),
        "text": row["text"],
        "report_id": row["report_id"],
        "on_modem": bool(row["on_modem"]),
        "pdu": row["pdu"],
    }


def _recordings(args: argparse.Namespace) -> int:
    config, service = _node(args)
    folder = config.recordings_dir(service)
    rows = [
        {
            "came": _clock(int(one.at_wall_s * 1e9)),
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
    found = replay(journal)
    if args.json:
        print(json.dumps(msgspec.to_builtins(found) | {"is_same": found.is_same}))
    else:
        print(f"{found.messages} pesan / messages, {found.same} laporan sama / reports the same")
        for words, ids in (("berbeda / different", found.different), ("hilang / missing", found.missing)):
            for id in ids:
                print(f"{words}: {id}")
    return 0 if found.is_same else 1


def _node(args: argparse.Namespace) -> tuple[NodeConfig, str]:
    config = node.load(args.config)
    service = "modemb" if args.second else "modem"
    if service not in config.services:
        sys.stderr.write(f"simpul ini tidak memakai / this node runs no {service}\n")
        raise SystemExit(78)
    return config, service


def _clock(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns / 1e9, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
