"""What came down for the services: commands, written by the uplink alone, read by each service."""

from siaga_edge.inbox.reader import Inbox
from siaga_edge.inbox.wake import WakeSocket, wake
from siaga_edge.inbox.writer import InboxWriter

__all__ = ["Inbox", "InboxWriter", "WakeSocket", "wake"]
