"""Every command says what it does when asked, and does nothing else then."""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from siaga_central.cli import __main__ as central
from siaga_edge.cli import __main__ as node

ROOT = Path(__file__).parents[3]
SERVICES = ("recorder", "cameras", "modem", "health", "uplink", "simulate.modem", "simulate.camera")
SCRIPTS = tuple(sorted(path.name for path in (ROOT / "script").iterdir()))
Main = Callable[[Sequence[str]], int]


def walk(parser: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command of a parser, the nested ones too."""
    yield path
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                yield from walk(child, (*path, name))


def purpose(help_text: str) -> str:
    """The paragraph that says what a command does; empty if argparse's lists follow the usage at once."""
    paragraphs = help_text.strip().split("\n\n")
    said = paragraphs[1] if paragraphs[0].startswith("usage:") and len(paragraphs) > 1 else paragraphs[0]
    return "" if said.startswith(("usage:", "options:", "positional arguments:")) else said.strip()


def test_a_help_text_without_a_purpose_is_noticed() -> None:
    bare = argparse.ArgumentParser(prog="x")
    assert purpose(bare.format_help()) == ""
    assert purpose(argparse.ArgumentParser(prog="x", description="do it").format_help()) == "do it"


@pytest.mark.parametrize(
    ("main", "path"),
    [
        pytest.param(main, path, id=" ".join((name, *path)))
        for name, main, parser in (
            ("siaga-node", node.main, node.parser()),
            ("siaga-central", central.main, central.parser()),
        )
        for path in walk(parser)
    ],
)
def test_a_command_says_what_it_does(
    main: Main, path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main([*path, "--help"])
    assert end.value.code == 0
    assert purpose(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("main", "path"),
    [
        (node.main, ("fly",)),
        (node.main, ("simulate", "fly")),
        (node.main, ()),
        (central.main, ("fly",)),
        (central.main, ("node", "fly")),
        (central.main, ()),
    ],
)
def test_an_unknown_command_or_none_ends_with_2_and_the_usage(
    main: Main, path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(path)
    assert end.value.code == 2
    assert "usage: " in capsys.readouterr().err


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_says_what_it_does(service: str) -> None:
    command = [sys.executable, "-m", f"siaga_edge.{service}", "--help"]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert asked.returncode == 0, asked.stderr
    assert purpose(asked.stdout), asked.stdout


@pytest.mark.parametrize("program", ["siaga-node", "siaga-central"])
def test_the_installed_programs_answer(program: str) -> None:
    found = Path(sys.executable).parent / program
    asked = subprocess.run([found, "--help"], capture_output=True, text=True, timeout=30, check=False)
    assert (asked.returncode, asked.stderr) == (0, "")
    assert asked.stdout.startswith(f"usage: {program}")
    unknown = subprocess.run([found, "fly"], capture_output=True, timeout=30, check=False)
    assert unknown.returncode == 2


@pytest.mark.parametrize(
    "name",
    SCRIPTS,
)
def test_a_script_says_what_it_does_and_installs_nothing_for_that(name: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "script", tmp_path / "script")
    if name != "bootstrap":
        (tmp_path / "script" / "bootstrap").write_text("#!/bin/sh\necho installs >&2; exit 97\n")
    command = [str(tmp_path / "script" / name), "--help"]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (asked.returncode, asked.stderr) == (0, "")
    assert len(asked.stdout.splitlines()[0]) > 20
