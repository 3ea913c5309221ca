"""Before pytest's summary: the rows of docs/sop.md and the tests that prove them."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

_SOP = Path(__file__).parents[2] / "docs" / "sop.md"
_proved: dict[str, list[str]] = defaultdict(list)


@pytest.hookimpl
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember which rows a passed test proves."""
    if report.when == "call" and report.passed:
        for name, value in report.user_properties:
            if name == "sop":
                _proved[str(value)].append(report.nodeid)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Carry the rows of `@pytest.mark.sop(...)` into the report."""
    known = rows()
    for marker in item.iter_markers("sop"):
        for row in marker.args:
            if row not in known:
                raise pytest.UsageError(f"{item.nodeid}: {row} is no row of docs/sop.md")
            item.user_properties.append(("sop", row))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table; a row without a test is said so, not hidden."""
    known = rows()
    if not known or not _proved:
        return
    terminalreporter.section("SOP rows covered")
    for row, clause in known.items():
        tests = _proved.get(row, [])
        terminalreporter.write_line(f"{row}  {len(tests):3d} tests  {clause[:80]}")
    covered = sum(1 for row in known if _proved.get(row))
    terminalreporter.write_line(f"{covered} of {len(known)} rows have a test that passed")


def rows() -> dict[str, str]:
    """Return tag -> clause of every row of docs/sop.md."""
    if not _SOP.exists():
        return {}
    return dict(re.findall(r"^\| (R\d\d) \| ([^|]+?) \|", _SOP.read_text(), re.MULTILINE))
