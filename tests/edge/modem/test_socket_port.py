"""A modem behind a terminal server: `socket://` works as a serial device does."""

import contextlib
import os
import selectors
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from siaga_edge.modem.port import Port, PortGone, PortMissing
from siaga_edge.simulate.modem.control import Control
from support.simulated_modem import modem_in_thread
from support.waiting import free_port, until


class TerminalServer:
    """Copies octets between one TCP client and the device, as ser2net does."""

    def __init__(self, device: Path) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        self._device = os.open(device, os.O_RDWR | os.O_NOCTTY)
        self._client: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            self._client, _ = self._listener.accept()
            with selectors.DefaultSelector() as selector:
                selector.register(self._client, selectors.EVENT_READ)
                selector.register(self._device, selectors.EVENT_READ)
                while self._copy(selector):
                    continue

    def _copy(self, selector: selectors.BaseSelector) -> bool:
        assert self._client is not None
        for key, _ in selector.select(0.05):
            if key.fileobj is self._client:
                if not (octets := self._client.recv(4096)):
                    return False
                os.write(self._device, octets)
            else:
                self._client.sendall(os.read(self._device, 4096))
        return True

    def hang_up(self) -> None:
        assert self._client is not None
        self._client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._listener.close()
        self._thread.join(2)
        os.close(self._device)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[TerminalServer, Control]]:
    with modem_in_thread(tmp_path) as (link, control):
        made = TerminalServer(link)
        yield made, control
        made.close()


def test_a_modem_behind_a_terminal_server_answers_and_sends(server: tuple[TerminalServer, Control]) -> None:
    port = Port(server[0].url, 115200, 3)
    assert port.command("AT+CGMM") == ["SIMCOM_SIM7600E-H"]
    port.command("AT+CMGF=0")
    port.command("AT+CNMI=2,1,0,1,0")
    server[1].sms("+6281234567890", "Kebakaran")
    until(lambda: [event.line for event in port.events()] == ['+CMTI: "SM",1'])
    assert any(line.startswith("+CMGL: 1") for line in port.command("AT+CMGL=4"))
    port.close()


def test_a_terminal_server_that_hangs_up_is_a_modem_that_is_gone(
    server: tuple[TerminalServer, Control],
) -> None:
    port = Port(server[0].url, 115200, 3)
    port.command("AT")
    server[0].hang_up()
    with pytest.raises(PortGone):
        until(lambda: port.events() and False, 5)
    port.close()


def test_a_terminal_server_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(PortMissing, match="check plug and supply"):
        Port(f"socket://127.0.0.1:{free_port()}", 115200, 3)


def test_a_modem_that_is_away_for_hours_costs_no_descriptors(tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def look() -> None:
        with pytest.raises(PortMissing):
            Port(str(tmp_path / "nothing"), 115200, 1)

    look()
    before = descriptors()
    for _ in range(50):
        look()
    assert descriptors() == before
