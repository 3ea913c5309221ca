"""A footage disk whose recorder stands still, to be harmed and looked at."""

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from siaga_edge.recorder.chain import Link, read_link
from siaga_edge.recorder.writing import segment_path
from support.footage_command import FootageCommand
from support.kept_footage import KeptFootage

S = 10**9


@dataclass
class Card:
    """A footage disk whose recorder stands still, with the heads that the hub was told."""

    command: FootageCommand
    footage: Path
    index: Path
    names: list[str]
    heads: list[str]

    def path(self, number: int) -> Path:
        return segment_path(self.footage, self.names[number - 1])

    def link(self, number: int) -> Link:
        found = read_link(self.path(number).read_bytes())
        assert found is not None
        return found

    def codes(self, *words: str) -> list[str]:
        """Codes of what is bad; the status agrees."""
        status, said = self.command.json("verify", "--offline", *words)
        bad = [one for one in said["findings"] if one["level"] == "bad"]
        assert status == (6 if bad else 0)
        assert all(one["advice"] for one in said["findings"])
        return [one["code"] for one in bad]

    def told(self) -> list[str]:
        """The heads as options of the command."""
        return [word for head in self.heads for word in ("--head", head)]

    def set_row(self, number: int, link: Link, size_bytes: int) -> None:
        """Make the index agree with a file, as who edits a card would."""
        with contextlib.closing(sqlite3.connect(self.index)) as connection, connection:
            connection.execute(
                "UPDATE segment SET sha256 = ?, head_before = ?, size_bytes = ? WHERE number = ?",
                (link.sha256, link.head_before, size_bytes, number),
            )


def record_heads(kept: KeptFootage) -> None:
    """More than a minute, so that heads were told in the middle, and one at the end."""
    kept.record(75)
    kept.writers["gate"].close()
    kept.settle()
    kept.keeper.tend()
    kept.keeper._tell_coverage()


def flip(path: Path, at: int) -> None:
    octets = bytearray(path.read_bytes())
    octets[at] ^= 1
    path.write_bytes(octets)
