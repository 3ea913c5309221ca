"""A text leaves through the modem that the citizen knows, while that one is well."""

import pytest
from sqlalchemy import insert, select

from siaga_central.domain.modem import Modem, choose
from siaga_central.store import modems
from siaga_central.store.schema import mark, report, service_state
from support.console import City

BOTH = {"modem", "modemb"}


@pytest.mark.parametrize(
    ("written_to", "known", "unwell", "chosen"),
    [
        (None, {"modem"}, set(), "modem"),
        (None, BOTH, set(), "modem"),
        (None, BOTH, {"modem"}, "modemb"),
        ("modemb", BOTH, set(), "modemb"),
        ("modemb", BOTH, {"modemb"}, "modem"),
        ("modemb", BOTH, BOTH, "modemb"),
        (None, {"modem"}, {"modem"}, "modem"),
        (None, set(), set(), "modem"),
    ],
)
def test_the_modem_is_chosen(
    written_to: Modem | None, known: set[str], unwell: set[str], chosen: Modem
) -> None:
    assert choose(written_to, known, unwell) == chosen


def test_an_answer_is_ordered_from_the_modem_that_heard_the_citizen_while_it_is_well(city: City) -> None:
    number = "+6281270009999"
    city.sms("kebakaran di dapur", number, modem="modemb")
    with city.store.read() as connection:
        node = connection.execute(select(report.c.node)).scalar_one()
    rows = [{"node": node, "stream": f"{name}.urgent", "epoch": "e", "upto": 1} for name in sorted(BOTH)]
    city.store.write(lambda c: c.execute(insert(mark).values(rows[:1])).close())
    assert sender(city, node, number) == "modemb"
    assert sender(city, node, "+6281270000000") == "modem"
    ill = {"node": node, "service": "modemb", "level": "crit", "detail": "", "changed_us": 1}
    city.store.write(lambda c: c.execute(insert(service_state).values(ill | {"code": "modem.sim"})).close())
    assert sender(city, node, number) == "modemb", "one that expires soon still sends"
    city.store.write(lambda c: c.execute(insert(service_state).values(ill | {"code": "modem.loop"})).close())
    assert sender(city, node, number) == "modem"


def sender(city: City, node: str, number: str) -> str:
    with city.store.read() as connection:
        return modems.sender(connection, node, number)
