"""`siaga-central`: set up, run and look after the hub."""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from siaga_core.service.main import require, run_main

DEFAULT_CONFIG = Path("/etc/siaga/hub.toml")
NEEDS = ("alembic", "argon2", "cryptography", "fastapi", "jinja2", "paho", "sqlalchemy", "uvicorn")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it was carried out, 1 when it was refused, 78 for a wrong configuration."""
    args = parser().parse_args(argv)
    require("central", NEEDS)
    return run_main(lambda: _carry_out(args))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="siaga-central", description=__doc__)
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    init = _add(commands, "init", "make authority, database and the first account")
    init.add_argument("--password-file", type=Path, help="its first line is the account's password")
    _add(commands, "run", "run the hub until it is asked to stop")
    _user_commands(_group(commands, "user", "accounts of the console"))
    _client_commands(_group(commands, "operator-client", "operators' own MQTT clients"))
    site = _add(_group(commands, "site", "places of nodes"), "add", "add a site")
    site.add_argument("site", help="its id, e.g. BTM-017")
    site.add_argument("--name", required=True)
    site.add_argument("--district", default="")
    camera = _add(_group(commands, "camera", "cameras of nodes"), "add", "add a camera to a node")
    camera.add_argument("camera", help="its id")
    for name in ("node", "name"):
        camera.add_argument(f"--{name}", required=True)
    for name in ("latitude", "longitude"):
        camera.add_argument(f"--{name}", type=float)
    _node_commands(_group(commands, "node", "nodes of the registry"))
    _roster_commands(_group(commands, "roster", "phones on duty and our modems, left with every GSM node"))
    link = _group(commands, "link", "the ways of nodes to the hub")
    _add(link, "status", "each node: up or not, last heard, what has come of each stream, alarms")
    _add(link, "quarantine", "what was refused, counted by reason")
    replay = _add(link, "replay", "apply records whose kind or camera was not known when they came")
    replay.add_argument("--node", help="of this node alone")
    settle = _add(link, "settle", "say that an alarm of a node has been looked into")
    settle.add_argument("node")
    settle.add_argument("code", help="as `link status` shows it, e.g. fork")
    _policy_commands(_group(commands, "policy", "what the city has decided about held footage and retention"))
    _footage_commands(_group(commands, "footage", "footage on nodes: grants to copy it, heads to verify by"))
    _backup_commands(commands)
    authority = _group(commands, "authority", "the hub's own certificate authority")
    export = _add(authority, "export-root", "move the root's key off the hub, sealed with a passphrase")
    export.add_argument("--to", type=Path, required=True, help="a new file on a medium for the safe")
    export.add_argument("--passphrase-file", type=Path, help="its first line; else standard input")
    return made


def _policy_commands(group: Any) -> None:
    shown = _add(group, "show", "what is in force, and every version")
    made = _add(group, "set", "decide other values; what was decided before stays known")
    made.add_argument("values", nargs="+", type=_value, metavar="NAME=VALUE", help="e.g. cameras=4")
    for one in (shown, made):
        text = "held footage (default), or when the octets of messages are erased"
        one.add_argument("--about", choices=("holds", "retention"), help=text)
    made.add_argument("--from", dest="valid_from", help="from when, e.g. 2027-01-01T00:00:00+07:00 (now)")


def _value(text: str) -> tuple[str, Any]:
    """`cameras=4` as name and JSON value. Raises argparse.ArgumentTypeError."""
    name, equals, value = text.partition("=")
    try:
        return name, json.loads(value if equals else "")
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'{text}: write NAME=JSON, e.g. priorities=["P1"]') from error


def _footage_commands(group: Any) -> None:
    grant = _add(group, "grant", "let a technician copy a span of a camera at its node; on record")
    grant.add_argument("camera")
    grant.add_argument("start", metavar="from", help="WIB: 14.03.10 | '24-11 14.03' | 2026-11-24T14:03:10")
    grant.add_argument("end", metavar="to", help="as from; without a day the first after it")
    grant.add_argument("--by", required=True, help="account of the supervisor or deputy who answers for it")
    grant.add_argument("--reason", required=True, help="why; on record here and at the node")
    grant.add_argument("--uses", type=int, help="how often it may be copied (1)")
    grant.add_argument("--hours", type=float, help="how long it counts (24)")
    grant.add_argument("--out", type=Path, required=True, help="the new file that the technician carries")
    heads = _add(group, "heads", "what a node has told of its chain of segments; for paper or for a file")
    heads.add_argument("--node", required=True)
    heads.add_argument("--at", help="the newest that was told by then, WIB (default: now)")
    heads.add_argument("--limit", type=int, help="print so many (10)")
    heads.add_argument("--out", type=Path, help="a new file for `siaga-node footage verify --heads`")


def _backup_commands(commands: Any) -> None:
    backup = _group(commands, "backup", "the hub's second place")
    text = "make the backup's key pair; the secret half is printed once"
    backup.add_parser("key", help=text, description=text)
    _add(backup, "status", "until when everything is in the second place")
    drill = _add(backup, "drill", "restore into a spare folder, verify, compare with the running hub")
    restore = _add(commands, "restore", "bring a lost hub back from the second place")
    restore.add_argument("--follow", action="store_true", help="warm standby: keep up with a hub that runs")
    for made in (drill, restore):
        made.add_argument("--from", dest="folder", type=Path, help="the second place (default: the config's)")
        made.add_argument("--secret-key-file", type=Path, required=True, help="what `backup key` printed")
    text = "read what is left of a damaged database into a new file; the damaged one stays as it is"
    salvage = commands.add_parser("salvage", help=text, description=text)
    salvage.add_argument("damaged", type=Path)
    salvage.add_argument("--into", type=Path, required=True, help="the new file; it must not exist yet")
    salvage.add_argument("--json", action="store_true", help="tables as JSON")


def _user_commands(group: Any) -> None:
    add = _add(group, "add", "add an account")
    add.add_argument("name")
    add.add_argument("--full-name", required=True)
    add.add_argument("--role", required=True)
    _password(add)
    password = _add(group, "password", "change a password; ends the account's sessions")
    password.add_argument("name")
    _password(password)
    _add(group, "disable", "close an account").add_argument("name")
    _add(group, "list", "every account")


def _client_commands(group: Any) -> None:
    add = _add(group, "add", "register a client and print what its owner needs; again: a new password")
    add.add_argument("name", help="USER-DEVICE, e.g. rina-phone; one name for one program")
    add.add_argument("--user", help="account whose role counts (what stands before the first '-')")
    add.add_argument(
        "--password-file", type=Path, help="its first line is the password; else one is made and printed once"
    )
    _add(group, "list", "every client and its account")
    _add(group, "remove", "take its password away and end its connection").add_argument("name")


def _node_commands(group: Any) -> None:
    invite = _add(group, "invite", "put a node into the registry and print its single-use token")
    for name in ("node", "site", "name"):
        invite.add_argument(f"--{name}", required=True)
    _add(group, "list", "every node and how it is")
    _add(group, "revoke", "revoke a node's certificates").add_argument("node")


def _roster_commands(group: Any) -> None:
    phone = _add(group, "phone-add", "put a phone last on the list of those texted while the hub is away")
    phone.add_argument("number", help="as +62...")
    phone.add_argument("--name", required=True)
    remove = _add(group, "phone-remove", "take a phone off the list")
    remove.add_argument("number")
    remove.add_argument("--reason", help="why; on record")
    modem = _add(group, "modem", "say which number a node's modem has; it then gets the roster")
    modem.add_argument("node")
    modem.add_argument("--number", required=True, help="as +62...")
    modem.add_argument("--second", action="store_true", help="of the node's second modem, [modemb]")
    text = "it takes no urgent texts of nodes without internet (a camera site's own modem)"
    modem.add_argument("--sends-only", dest="takes_urgent", action="store_false", default=True, help=text)
    policy = _add(group, "policy", "decide times and limits of nodes that act by themselves")
    policy.add_argument("values", nargs="+", type=_value, metavar="NAME=VALUE", help="e.g. away_after_s=30")
    _add(group, "show", "who is on duty, which nodes know it, and the times in force")


def _group(commands: Any, name: str, text: str) -> Any:
    group = commands.add_parser(name, help=text, description=text)
    return group.add_subparsers(dest="deed", required=True, metavar="DEED")


def _add(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    made.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="hub's config (%(default)s)")
    made.add_argument("--json", action="store_true", help="answer as JSON")
    return made


def _password(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--password-file", type=Path, help="its first line is the password; else standard input"
    )


def _carry_out(args: argparse.Namespace) -> int:
    from siaga_central import hub
    from siaga_central.cli import recovery

    if args.command == "salvage":
        return recovery.salvage(args.damaged, args.into, args.json)
    if args.command == "backup" and args.deed == "key":
        return recovery.make_key()
    config = hub.load(args.config)
    if args.command == "run":
        from siaga_central.cli.run import run

        return run(config, args.config)
    if args.command == "restore":
        return recovery.restore(config, args.folder, args.secret_key_file, args.follow, args.json)
    if args.command == "authority":
        return _export_root(config, args)
    if args.command == "backup":
        if args.deed == "drill":
            return recovery.drill(config, args.folder, args.secret_key_file, args.json)
        return recovery.status(config, args.json)
    if args.command == "init":
        return _init(config, args)
    order = f"{args.command} {args.deed}" if hasattr(args, "deed") else args.command
    own = ("command", "deed", "config", "json", "password_file", "out")
    keys = {key: value for key, value in vars(args).items() if key not in own and value is not None}
    if order in ("policy set", "roster policy"):
        keys["values"] = dict(args.values)
    if "password_file" in vars(args) and (args.password_file or order != "operator-client add"):
        keys["password"] = _read_password(args.password_file)
    if args.command == "footage":
        return _footage(config, order, keys, args)
    answer = _order(config, order, keys)
    if order == "link status" and not args.json:
        print(link_page(answer["nodes"]))
    else:
        _show(answer, args.json)
    return 0


def _footage(config: Any, order: str, keys: dict[str, Any], args: argparse.Namespace) -> int:
    """What is to be carried away goes into a file of its own, never on the screen."""
    import base64

    from siaga_central.cli.ledger import Refused

    if args.out is not None and args.out.exists():
        raise Refused(f"{args.out} exists; name a new file")
    if order == "footage heads":
        keys.setdefault("limit", 10)
    answer = _order(config, order, keys)
    carried = answer.pop("file", "").encode() or base64.b64decode(answer.pop("sealed", ""))
    if args.out is not None:
        args.out.write_bytes(carried)
        answer["out"] = str(args.out)
    _show(answer, args.json)
    return 0


def _order(config: Any, order: str, keys: dict[str, Any]) -> dict[str, Any]:
    """Ask the running hub; without one, do it here: a database has one writer."""
    from siaga_central.authority.authority import Authority
    from siaga_central.cli.ledger import Office
    from siaga_central.cli.office import ask, socket_path
    from siaga_central.cli.orders import carry_out
    from siaga_central.store.writer import Store
    from siaga_core.service.clock import SystemClock

    answer = ask(socket_path(config.hub.data_dir), order, keys)
    if answer is not None:
        return answer
    clock = SystemClock()
    store = Store(config.database_url, clock)
    try:
        office = Office(config, store, Authority(config.authority_dir), clock, lambda: None)
        return carry_out(office, order, keys)
    finally:
        store.close()


def _init(config: Any, args: argparse.Namespace) -> int:
    """Make what is missing; an account `admin` with a password that is printed once."""
    from siaga_central.authority.authority import Authority
    from siaga_central.authority.passwords import new_password
    from siaga_central.bus import broker
    from siaga_central.cli.run import broker_settings
    from siaga_core.errors import SiagaError

    now = datetime.now(UTC)
    config.hub.data_dir.mkdir(parents=True, exist_ok=True)
    authority = Authority.create(config.authority_dir, config.city.name, now)
    broker.write(broker_settings(config, authority, now))
    password = _read_password(args.password_file) if args.password_file else new_password()
    keys = {"name": "admin", "full_name": "Administrator", "role": "admin", "password": password}
    answer: dict[str, Any] = {"ca_file": str(authority.ca_file), "ca_sha256": authority.ca_sha256}
    try:
        _order(config, "user add", keys)
        answer |= {"user": "admin"} | ({} if args.password_file else {"password": password})
    except SiagaError as error:
        answer["note"] = str(error)
    _show(answer, args.json)
    return 0


def _export_root(config: Any, args: argparse.Namespace) -> int:
    from siaga_central.authority.authority import Authority

    passphrase = _read_password(args.passphrase_file)
    Authority(config.authority_dir).export_root(args.to, passphrase.encode())
    _show({"root_key": str(args.to), "left_here": False}, args.json)
    return 0


def _read_password(path: Path | None) -> str:
    text = path.read_text() if path is not None else sys.stdin.readline()
    return text.partition("\n")[0]


def link_page(nodes: list[dict[str, Any]]) -> str:
    """What an administrator reads of the nodes' links, Indonesian first."""
    lines: list[str] = []
    for node in nodes:
        up = "tersambung/up" if node["online"] else "terputus/down"
        heard = "belum pernah/never" if node["heard_s"] is None else f"{node['heard_s']:.0f} s"
        waiting = node["commands_waiting"]
        lines.append(f"{node['node']:20s} {up:14s} terdengar/heard {heard}  perintah/commands {waiting}")
        for stream in node["streams"]:
            lost = f"  hilang/missing {stream['missing']}" if stream["missing"] else ""
            lines.append(f"  {stream['stream']:18s} {stream['upto']:10d}{lost}")
        lines += [f"  ! {alarm}" for alarm in node["alarms"]]
    return "\n".join(lines) or "tidak ada node / no nodes"


def _show(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(answer, ensure_ascii=False))
        return
    for key, value in answer.items():
        if isinstance(value, list):
            for row in value:
                print("  ".join(f"{k}={v}" for k, v in row.items()) if isinstance(row, dict) else row)
        else:
            print(f"{key}: {value}")


if __name__ == "__main__":
    sys.exit(main())
