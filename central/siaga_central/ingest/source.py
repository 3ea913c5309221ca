"""What ingest and the desk need of the bus, in their own words."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol, TypeVar


class Message(Protocol):
    """One message as the bus gives it."""

    @property
    def topic(self) -> str:
        """MQTT topic."""

    @property
    def payload(self) -> bytes:
        """Its bytes."""


M = TypeVar("M", bound=Message)
_Given = TypeVar("_Given", bound=Message, contravariant=True)


class Broker(Protocol[_Given]):
    """The side of the bus that answers."""

    def acknowledge(self, batch: Sequence[_Given]) -> None:
        """Let the broker forget these messages."""

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> "Future[None]":
        """Publish with QoS 1."""
