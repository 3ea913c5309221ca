"""What can go wrong on a modem's wire."""

from siaga_core.errors import SiagaError, Transient


class PortMissing(SiagaError, Transient):
    """The device is not there, or somebody else has it."""


class PortGone(SiagaError, Transient):
    """The device vanished while it was open."""


class NoAnswer(SiagaError, Transient):
    """The modem does not answer."""


class Hung(NoAnswer):
    """A text was handed over, and then the modem answered nothing any more; the text may have left."""


class NoWord(SiagaError, Transient):
    """The modem answers, but gave no result for a text that was handed over; the text may have left.

    `may_come`: the result may still come, for nothing has said that the text was aborted.
    """

    def __init__(self, message: str, *, may_come: bool) -> None:
        super().__init__(message)
        self.may_come = may_come


class Refused(SiagaError):
    """The modem answered with an error; `code` is what it said."""

    def __init__(self, command: str, code: str) -> None:
        super().__init__(f"modem refused {command.partition('=')[0]}: {code}")
        self.code = code
