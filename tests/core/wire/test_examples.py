"""examples/*.json are the contract: each decodes to the value that writes it again, and fits its schema."""

import json
from importlib import resources
from pathlib import Path

import msgspec
import pytest

from siaga_core import document
from siaga_core.wire import announcement, command, envelope, grant, recording, want
from siaga_core.wire.acknowledgement import Acknowledgement, Answer
from siaga_core.wire.alert import Alert
from siaga_core.wire.kinds import BODIES, decode_body

EXAMPLES = sorted(Path(str(resources.files("siaga_core.wire") / "examples")).glob("*.json"))
KINDS = {
    "record": envelope.Record,
    "batch": envelope.Batch,
    "announcement": announcement.Announcement,
    "want": want.Want,
    "ack": envelope.Ack,
    "presence": envelope.Presence,
    "command": command.Command,
    "alert": Alert,
    "acknowledgement": Acknowledgement,
    "answer": Answer,
    "grant": grant.Grant,
    "heads": recording.HeadsTold,
}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_decodes_and_encodes_to_itself(path: Path) -> None:
    kind = KINDS[path.stem.partition("-")[0]]
    value = msgspec.json.decode(path.read_bytes(), type=kind)
    assert json.loads(envelope.encode(value)) == json.loads(path.read_bytes())


def test_every_kind_of_record_has_an_example() -> None:
    shown = set()
    for path in EXAMPLES:
        if path.stem.startswith("record-"):
            payload = path.read_bytes()
            record = msgspec.json.decode(payload, type=envelope.Record)
            assert decode_body(record) is not None
            shown.add(record.kind)
    assert shown == set(BODIES)


def test_the_document_is_what_the_code_says() -> None:
    text = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text()
    assert document.replace_generated(text) == text


def test_the_document_names_every_message() -> None:
    generated = document.document()
    for name in (*document.MESSAGES, *(f"`{kind}`" for kind in BODIES)):
        assert f"### {name}" in generated
