"""A call from its first ring to its end, whatever the modem says of it. The table alone."""

import itertools
from dataclasses import replace

import pytest

from siaga_core.wire.report import Call
from siaga_edge.modem import call, calls
from siaga_edge.modem.call import (
    Ask,
    Doubted,
    Leg,
    Line,
    Listed,
    Named,
    Note,
    Passed,
    Rang,
    Reject,
    Told,
    Waits,
)

ONE, OTHER = "+6281234567890", "+6281399988877"


class Exchange:
    """A line that is told what happens; remembers what was noted and wanted."""

    def __init__(self, reject_after_s: float = 15) -> None:
        self.line, self.noted, self.wanted = Line(), list[Leg](), list[call.Deed]()
        self._ids = (f"c{number}" for number in itertools.count(1))
        self._reject_after_s = reject_after_s

    def at(self, now_s: float, *events: call.Event) -> "Exchange":
        for event in events:
            self.line, deeds = call.step(
                self.line, event, now_s, self._reject_after_s, lambda: next(self._ids)
            )
            self.noted += [deed.leg for deed in deeds if isinstance(deed, Note)]
            self.wanted += [deed for deed in deeds if not isinstance(deed, Note)]
        return self

    def ends(self) -> dict[str, tuple[str, str | None]]:
        """The last state noted of every call, and whose it was."""
        return {leg.report_id: (leg.state, leg.number) for leg in self.noted}


def test_a_call_is_noted_at_its_first_ring_and_its_caller_when_he_is_known() -> None:
    exchange = Exchange().at(100, Rang())
    assert [(leg.report_id, leg.state, leg.revision) for leg in exchange.noted] == [("c1", "ringing", 1)]
    exchange.at(105, Rang(), Named("081234567890"), Named("081234567890"))
    assert [(leg.state, leg.revision, leg.rings) for leg in exchange.noted[1:]] == [("identified", 2, 2)]
    assert call.report(exchange.noted[-1], "m").reporter_e164 == ONE
    exchange.at(105.5, Told((Listed(ONE, "incoming"),))).at(106, Told(()), Told(()))
    assert exchange.ends() == {"c1": ("missed", "081234567890")}


def test_a_modem_that_never_lists_a_call_is_believed_by_its_rings() -> None:
    exchange = Exchange()
    for second in range(0, 10, 2):
        exchange.at(second, Rang(), Named(ONE), Told(()), Passed()).at(second + 1, Told(()), Passed())
    assert exchange.ends() == {"c1": ("identified", ONE)}, "an empty list has not ended and begun it anew"
    exchange.at(15, Told(()), Passed())
    assert exchange.ends() == {"c1": ("missed", ONE)}
    exchange.at(20, Rang(), Named(ONE), Told(())).at(21, Doubted(), Told(()))
    assert exchange.ends()["c2"] == ("missed", ONE), "two hints that agree are believed"


def test_a_caller_who_is_never_named_and_one_who_hides_are_calls_all_the_same() -> None:
    exchange = Exchange().at(0, Rang()).at(1, Told((Listed(None, "incoming"),))).at(2, Doubted(), Told(()))
    assert exchange.ends() == {"c1": ("missed", None)}
    assert not exchange.noted[-1].withheld
    exchange.at(9, Rang(), Named(None), Named(None)).at(10, Doubted(), Told(()))
    assert [leg.withheld for leg in exchange.noted[-2:]] == [True, True]
    assert call.report(exchange.noted[-1], "m").call == Call(state="missed", rings=1, withheld=True)


def test_a_withheld_number_that_comes_later_is_taken() -> None:
    exchange = Exchange().at(0, Rang(), Named(None)).at(1, Told((Listed(ONE, "incoming"),)))
    assert (exchange.noted[-1].number, exchange.noted[-1].withheld) == (ONE, False)


def test_the_list_is_believed_and_not_the_word_that_a_call_is_over() -> None:
    exchange = Exchange().at(0, Rang(), Named(ONE)).at(1, Doubted())
    assert exchange.wanted == [Ask()]
    exchange.at(1, Told((Listed(ONE, "incoming"),)))
    assert exchange.line.legs
    exchange.at(2, Told(()))
    assert exchange.line.legs, "one list may be older than the ring"
    exchange.at(3, Told(()))
    assert exchange.ends() == {"c1": ("missed", ONE)}


def test_a_call_whose_ring_was_lost_is_found_in_the_list() -> None:
    exchange = Exchange().at(0, Told((Listed(ONE, "incoming"),)))
    assert exchange.ends() == {"c1": ("identified", ONE)}


def test_another_number_is_another_call_though_the_first_one_s_end_was_never_said() -> None:
    exchange = Exchange().at(0, Rang(), Named(ONE)).at(2, Rang(), Named(OTHER))
    assert exchange.ends() == {"c1": ("missed", ONE), "c2": ("identified", OTHER)}


def test_one_number_written_in_two_ways_is_one_call() -> None:
    exchange = Exchange().at(0, Rang(), Named("081234567890")).at(1, Told((Listed(ONE, "incoming"),)))
    assert len(exchange.ends()) == 1


def test_who_waits_is_a_call_of_his_own() -> None:
    exchange = Exchange().at(0, Rang(), Named(ONE)).at(1, Waits(OTHER), Waits(OTHER))
    both = (Listed(ONE, "incoming"), Listed(OTHER, "waiting"))
    exchange.at(2, Told(both))
    assert exchange.ends() == {"c1": ("identified", ONE), "c2": ("identified", OTHER)}
    exchange.at(3, Doubted(), Told((Listed(OTHER, "waiting"),)))
    assert exchange.ends()["c1"] == ("missed", ONE)
    exchange.at(4, Rang())
    assert len(exchange.ends()) == 2, "the second caller rings on, he is not a third"
    exchange.at(5, Doubted(), Told(()))
    assert exchange.ends()["c2"] == ("missed", OTHER)


def test_it_rings_as_long_as_it_should_is_turned_away_and_in_another_way_if_that_did_nothing() -> None:
    exchange = Exchange(reject_after_s=15).at(0, Rang(), Named(ONE))
    for second in range(1, 15):
        exchange.at(second, Passed(), Told((Listed(ONE, "incoming"),)))
    assert not any(isinstance(deed, Reject) for deed in exchange.wanted)
    exchange.at(15, Passed(), Told((Listed(ONE, "incoming"),)))
    exchange.at(16, Passed(), Told((Listed(ONE, "incoming"),)))
    assert [deed for deed in exchange.wanted if isinstance(deed, Reject)] == [Reject(0), Reject(1)]
    exchange.at(17, Told(()), Told(()))
    assert exchange.ends() == {"c1": ("missed", ONE)}


def test_a_second_caller_is_turned_away_without_cutting_the_one_who_is_talked_to() -> None:
    exchange = Exchange(reject_after_s=15).at(0, Rang(), Named(ONE)).at(3, Told((Listed(ONE, "active"),)))
    assert exchange.ends() == {"c1": ("answered", ONE)}
    exchange.at(5, Waits(OTHER))
    both = (Listed(ONE, "active"), Listed(OTHER, "waiting"))
    for second in range(6, 22):
        exchange.at(second, Passed(), Told(both))
    rejected = [deed for deed in exchange.wanted if isinstance(deed, Reject)]
    assert rejected
    assert all(deed.beside for deed in rejected)
    exchange.at(40, Doubted(), Told(()))
    assert exchange.ends() == {"c1": ("ended", ONE), "c2": ("missed", OTHER)}


def test_without_a_list_silence_and_the_modem_s_word_end_a_call() -> None:
    exchange = Exchange().at(0, Told(None), Rang(), Named(ONE)).at(1, Doubted())
    assert exchange.ends() == {"c1": ("missed", ONE)}
    exchange.at(10, Rang()).at(16, Passed())
    assert len(exchange.line.legs) == 1
    exchange.at(16.6, Passed())
    assert exchange.ends()["c2"] == ("missed", None)


def test_after_a_restart_the_first_list_says_what_still_rings() -> None:
    leg = Exchange().at(0, Rang(), Named(ONE)).noted[-1]
    exchange = Exchange()
    exchange.line = call.resumed((leg,), 0)
    exchange.at(1, Told((Listed(ONE, "incoming"),)))
    assert not exchange.noted, "it is the call that is known"
    exchange.line = call.resumed((replace(leg, began_mono_s=9_000),), 0)
    exchange.at(14, Told((Listed(ONE, "incoming"),))).at(15, Passed())
    assert Reject(0) in exchange.wanted, "the clock of another boot does not make it ring for ever"
    exchange.line = call.resumed((leg,), 0)
    exchange.at(1, Told(()))
    assert exchange.ends() == {"c1": ("missed", ONE)}


def test_revisions_of_a_call_only_grow() -> None:
    events: list[call.Event] = [
        Rang(),
        Named(None),
        Named(ONE),
        Doubted(),
        Passed(),
        Told(()),
        Told((Listed(ONE, "incoming"),)),
    ]
    for places in itertools.permutations(range(len(events)), 5):
        exchange = Exchange()
        for second, place in enumerate(places):
            exchange.at(second, events[place])
        revisions: dict[str, int] = {}
        for leg in exchange.noted:
            assert leg.revision == revisions.get(leg.report_id, 0) + 1
            revisions[leg.report_id] = leg.revision


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ("RING", Rang()),
        ("+CRING: VOICE", Rang()),
        ("+CRING: FAX", None),
        ('+CLIP: "+6281234567890",145,"",0,"",0', Named(ONE)),
        ('+CLIP: "6281234567890",145', Named(ONE)),
        ('+CLIP: "",128,"",0,"",1', Named(None)),
        ('+CLIP: "PRIVATE",128', Named(None)),
        ('+CLIP: "00300038003100320033",129', Named("08123")),
        ('+CCWA: "0812345678",129,1', Waits("0812345678")),
        ("NO CARRIER", Doubted()),
        ("MISSED_CALL: 11:01AM 07712345678", Doubted()),
        ("VOICE CALL: BEGIN", None),
        ("^CEND:1,0,104,16", Doubted()),
        ('+CMTI: "SM",1', None),
    ],
)
def test_what_a_line_says_of_calls(line: str, event: call.Event | None) -> None:
    assert calls.event_of(line) == event


def test_every_model_s_list_is_read() -> None:
    answer = [
        '+CLCC: 1,1,4,0,0,"0812345678",129,""',
        '+CLCC: 2,1,5,0,0,"6281234567890",145,"Alice"',
        "+CLCC: 3,1,0,0,0",
        '+CLCC: 4,0,2,0,0,"112",129',
        '+CLCC: 5,1,4,1,0,"0812",129,""',
        "+CLCC: rubbish",
    ]
    assert calls.listed(answer) == (
        Listed("0812345678", "incoming"),
        Listed(ONE, "waiting"),
        Listed(None, "active"),
    )
