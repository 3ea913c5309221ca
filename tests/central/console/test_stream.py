"""The live stream: who gets what, from where, and until when."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from siaga_central.console.stream import Stream
from siaga_central.store import users
from support.clock import FakeClock
from support.console import City, Served
from support.waiting import until

Browse = Callable[[str], httpx.Client]


def packets(answer: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    """(event, data) as they come; the stream's end ends them."""
    kind = ""
    for line in answer.iter_lines():
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, json.loads(value)


def first_rows(client: httpx.Client, after: int, last_id: int | None = None) -> dict[str, Any]:
    headers = {} if last_id is None else {"last-event-id": str(last_id)}
    with client.stream("GET", f"/live?after={after}", headers=headers) as answer:
        return next(data for kind, data in packets(answer) if kind == "rows")


def test_a_page_that_was_away_gets_what_it_missed(city: City, login: Browse) -> None:
    city.sms("laporan satu", "+628111111111")
    client = login("operator")
    packet = first_rows(client, 0)
    assert any("laporan satu" in item["html"] for item in packet["items"])
    city.sms("laporan dua", "+628222222222")
    missed = first_rows(client, 0, last_id=packet["seq"])
    shown = " ".join(item["html"] for item in missed["items"])
    assert ("laporan dua" in shown, "laporan satu" in shown) == (True, False)


@pytest.mark.parametrize(
    ("role", "told"), [("operator", True), ("head", True), ("technician", False), ("ppid", False)]
)
def test_the_stream_tells_nobody_more_than_his_role_may_see(
    city: City, login: Browse, role: str, told: bool
) -> None:
    city.sms("rahasia pelapor")
    city.call("+6281299990000")
    packet = first_rows(login(role), 0)
    assert ("rahasia pelapor" in json.dumps(packet)) == told
    assert "+6281299990000" not in json.dumps(packet)
    assert ("act" in packet["counts"]) == told


class Forgetful(Stream):
    """A broken stream: who comes again hears only what is new."""

    def _missed(self, language: str, lanes: frozenset[str], after: int) -> tuple[int, list[str]]:
        return 0, []


async def first_message(stream: Stream) -> str:
    """What a page that comes again is told before anything new happens."""
    told = [message async for message in stream._replay("id", frozenset({"act"}), 0)]
    return "".join(told)


def test_a_stream_that_forgets_what_a_page_missed_would_be_noticed(city: City) -> None:
    number = city.sms("laporan satu")
    console = city.app().state.console
    assert number in _apart(first_message(Stream(console)))
    assert number not in _apart(first_message(Forgetful(console)))


def test_a_stream_ends_when_its_account_is_closed(city: City, login: Browse, clock: FakeClock) -> None:
    client = login("operator")
    with client.stream("GET", "/live") as answer:
        messages = packets(answer)
        next(messages)
        city.store.write(lambda c: users.disable(c, "operator", "admin", city.now_us))
        for number in range(10):
            city.sms(f"sesudah {number}", f"+62811000{number:05}")
            time.sleep(0.05)
        seen = list(messages)
    assert len(seen) < 10


def test_the_console_ends_within_two_seconds_though_pages_are_open(city: City) -> None:
    served = Served(city)
    client = httpx.Client(base_url=served.url)
    client.post("/masuk", data={"name": "operator", "password": "batam-kota-aman"})
    ended = threading.Event()
    begun = threading.Event()

    def listen() -> None:
        with client.stream("GET", "/live") as answer:
            for _ in packets(answer):
                begun.set()
        ended.set()

    threading.Thread(target=listen, daemon=True).start()
    assert begun.wait(10)
    began = time.monotonic()
    served.stop()
    assert time.monotonic() - began < 2
    until(ended.is_set, 2)
    client.close()


def _apart(work: Coroutine[Any, Any, str]) -> str:
    """Run to the end in a thread of its own: an earlier test's browser keeps a loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result(30)
