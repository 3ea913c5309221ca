"""Two simulated modems reach each other, until a SIM's term is over."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from siaga_edge.modem import pdu
from siaga_edge.modem.port import Port
from support.simulated_modem import modem_in_thread, simulated_modem
from support.waiting import until

ONE, OTHER = "+6281111111111", "+6285222222222"


def send(link: Path, to: str, text: str) -> None:
    port = Port(str(link), 115200, 2)
    try:
        port.command("AT+CMGF=0")
        [part] = pdu.encode(to, text, 1)
        port.send(part.length, part.pdu, 5)
    finally:
        port.close()


@pytest.mark.parametrize("expired", [False, True])
def test_what_one_sends_arrives_at_the_other_unless_its_sim_is_expired(tmp_path: Path, expired: bool) -> None:
    folders = [tmp_path / name for name in ("one", "other")]
    with ExitStack() as stack:
        for folder in folders:
            folder.mkdir()
        (one, control), (_, other) = [stack.enter_context(modem_in_thread(folder)) for folder in folders]
        control.peers(ONE, {OTHER: folders[1] / "modem.sock"})
        control.fault(expired=expired)
        send(one, OTHER, "SIAGA-UJI 0123ABCD")
        assert [sent["to"] for sent in control.sent()] == [OTHER], "the network accepts it either way"
        if expired:
            assert other.deliveries() == []
            return
        until(lambda: len(other.deliveries()) == 1, 5)
        octets = str(other.deliveries()[0]["pdu"])
        came = pdu.decode(octets)
        assert isinstance(came, pdu.Deliver)
        assert came.sender == ONE


def test_a_modem_is_started_so_that_it_hears_itself(tmp_path: Path) -> None:
    way = tmp_path / "modem.sock"
    with simulated_modem(tmp_path, "--number", ONE, "--peer", f"{ONE}={way}") as modem:
        send(modem.link, ONE, "SIAGA-UJI 0123ABCD")
        until(lambda: len(modem.control.deliveries()) == 1, 5)
