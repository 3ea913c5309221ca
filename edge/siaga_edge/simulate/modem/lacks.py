"""What a modem may lack of the standards, and where it leaves them: each seen in another project's modem.

oFono's phonesim, CelerSMS AT-Emulator, python-gsmmodem's and Kannel's lists of modems.
"""

from dataclasses import dataclass

from siaga_edge.simulate.modem.request import Request

EMPTY_LISTING = 321  # "invalid memory index"


@dataclass(frozen=True, slots=True)
class Lacks:
    """Nothing by default."""

    commands: frozenset[str] = frozenset()  # not known; `+CNMI?` is only the question
    combined: bool = False  # several basic commands in one line are refused
    short_selection: bool = False  # AT+CPMS needs all three stores
    empty_listing: bool = False  # AT+CMGL of an empty store ends in an error
    centre: bool = False  # PDUs are listed without the service centre's address
    radio: bool = False  # +CFUN: 4 after power-on
    ok_after: frozenset[str] = frozenset()  # questions after whose answer no OK comes

    def refuse(self, requests: list[Request]) -> bool:
        """Whether this modem does not know what a line asks."""
        if self.combined and len(requests) > 1 and all(one.name.isalpha() for one in requests):
            return True
        return any(self._refuses(one) for one in requests)

    def _refuses(self, one: Request) -> bool:
        question = f"{one.name}?" if one.form == "read" else one.name
        too_short = one.name == "+CPMS" and one.form == "set" and len(one.arguments) < 3
        return bool(self.commands & {one.name, question}) or (self.short_selection and too_short)
