"""docs/footage.md names every command, option, exit status and finding there is."""

import argparse
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from siaga_central.cli import __main__ as central
from siaga_edge.cli import __main__ as node
from siaga_edge.cli.footage import STATUS
from siaga_edge.recorder import verifying

PAGE = (Path(__file__).parents[2] / "docs/footage.md").read_text()


def _below(parser: argparse.ArgumentParser, *path: str) -> dict[str, argparse.ArgumentParser]:
    """The commands below one, by name."""
    for name in path:
        parser = _children(parser)[name]
    return _children(parser)


def _children(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    [found] = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    return dict(found.choices)


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from (name for name in action.option_strings if name.startswith("--") and name != "--help")


def test_every_command_and_option_is_on_the_page() -> None:
    for program, parser in (("siaga-node", node.parser()), ("siaga-central", central.parser())):
        for name, command in _below(parser, "footage").items():
            assert f"`{program} footage {name}" in PAGE, name
            missing = [option for option in _options(command) if option not in PAGE]
            assert not missing, (name, missing)


def test_every_exit_status_is_on_the_page_and_in_the_help() -> None:
    for name, command in _below(node.parser(), "footage").items():
        assert f"exit status: {STATUS[name]}" in (command.epilog or "")
        rows = [line for line in PAGE.splitlines() if line.startswith(f"| `siaga-node footage {name}")]
        numbers = set(re.findall(r"\b(\d)\b ", STATUS[name] + " "))
        shown = set(re.findall(r"\b(\d)\b", "".join(row.rpartition(" | ")[2] for row in rows)))
        assert numbers <= shown, (name, numbers - shown)


def test_every_finding_is_explained() -> None:
    codes = set(re.findall(r'Finding\(\s*"([a-z-]+)"', inspect.getsource(verifying)))
    assert len(codes) >= 12
    assert [code for code in codes if f"`{code}`" not in PAGE] == []
