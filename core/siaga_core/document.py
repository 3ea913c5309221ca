"""Writes the generated part of docs/protocol.md: topics, and the JSON Schema of every message.

`python -m siaga_core.document --check docs/protocol.md` fails when the file is not what the code says.
"""

import argparse
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from siaga_core.wire import (
    acknowledgement,
    alert,
    announcement,
    command,
    envelope,
    grant,
    recording,
    roster,
    topics,
    want,
)
from siaga_core.wire.kinds import BODIES

BEGIN = "<!-- generated from siaga_core.wire: begin -->"
END = "<!-- generated from siaga_core.wire: end -->"

MESSAGES: dict[str, type[Struct]] = {
    "Batch": envelope.Batch,
    "Entry": envelope.Entry,
    "Ack": envelope.Ack,
    "Presence": envelope.Presence,
    "Announcement": announcement.Announcement,
    "Command": command.Command,
    "Want": want.Want,
    "Holds": recording.Holds,
    "Grant": grant.Grant,
    "GrantFile": grant.GrantFile,
    "HeadsTold": recording.HeadsTold,
    "Roster": roster.Roster,
    "Alert": alert.Alert,
    "Acknowledgement": acknowledgement.Acknowledgement,
    "Answer": acknowledgement.Answer,
}


def document() -> str:
    """Return the generated part, marks included."""
    parts = [
        BEGIN,
        "",
        "## Topics",
        "",
        "```text",
        (topics.__doc__ or "").partition("\n\n")[2].strip(),
        "```",
        "",
    ]
    parts += ["## Messages", ""]
    for name, kind in MESSAGES.items():
        parts += _section(f"### {name}", kind)
    parts += ["## Bodies of records, by kind", ""]
    for kind_name, kind in sorted(BODIES.items()):
        parts += _section(f"### `{kind_name}`", kind)
    parts.append(END)
    return "\n".join(parts)


def schema(kind: type[Struct]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of one message."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_cleaned(msgspec.json.schema(kind))}


def _cleaned(value: Any) -> Any:
    """Docstrings without their indentation: Python 3.13 takes it away itself, 3.11 does not."""
    if isinstance(value, dict):
        return {
            key: inspect.cleandoc(part) if key == "description" else _cleaned(part)
            for key, part in value.items()
        }
    return [_cleaned(part) for part in value] if isinstance(value, list) else value


def _section(title: str, kind: type[Struct]) -> list[str]:
    text = json.dumps(schema(kind), indent=1, ensure_ascii=False)
    return [title, "", (kind.__doc__ or "").partition("\n")[0], "", "```json", text, "```", ""]


def replace_generated(text: str) -> str:
    """Return `text` with its generated part renewed."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"the document lacks the marks {BEGIN} and {END}")
    return before + document() + after


def main() -> int:
    """Write or check the document; 1 when it is not up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--write", type=Path, metavar="FILE")
    choice.add_argument("--check", type=Path, metavar="FILE")
    options = parser.parse_args()
    path: Path = options.write or options.check
    text = path.read_text()
    renewed = replace_generated(text)
    if options.write:
        path.write_text(renewed)
        return 0
    if text != renewed:
        sys.stderr.write(f"{path} is not what the code says; run script/lint --fix\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
