"""Commands about the modem itself, its SIM and the network (ITU-T V.250; 3GPP TS 27.007)."""

from datetime import UTC, datetime, timedelta, timezone

from siaga_edge.simulate.modem.machine import AtError, Handler, Machine, Now
from siaga_edge.simulate.modem.request import Request

CME_NOT_ALLOWED, CME_NO_SIM_PIN, CME_NO_SIM_PUK, CME_WRONG_PASSWORD, CME_BAD_PARAMETER = 3, 11, 12, 16, 50
IMEI = "866758042345678"
WESTERN_INDONESIA = timezone(timedelta(hours=7))
OPERATOR = ("INDOSAT OOREDOO", "INDOSAT", "51001")


def _flag(field: str, true_when: str = "1") -> Handler:
    """A command such as ATE1 that sets one boolean."""

    def handle(machine: Machine, request: Request, _now: Now) -> list[str]:
        setattr(machine.settings, field, (request.arguments[0] or "0") == true_when)
        return []

    return handle


def _nothing(_machine: Machine, _request: Request, _now: Now) -> list[str]:
    """Accepted and without effect here (&C, &D, &W, X, L, M)."""
    return []


def _register(machine: Machine, request: Request, _now: Now) -> list[str]:
    """S0 counts rings until the modem answers by itself; the other registers change nothing here."""
    if (request.arguments[0] or "0") != "0":
        return []
    if request.form == "read":
        return [f"{machine.settings.auto_answer_rings:03d}"]
    machine.settings.auto_answer_rings = min(255, request.number(1, 0))
    return []


def _text(answer: str) -> Handler:
    """A command whose answer never changes."""

    def handle(_machine: Machine, _request: Request, _now: Now) -> list[str]:
        return [answer] if answer and _request.form != "test" else []

    return handle


def _identity(machine: Machine, request: Request, _now: Now) -> list[str]:
    if request.form == "test":
        return []
    match request.name.lstrip("+")[-2:]:
        case "MI":
            return [machine.profile.manufacturer]
        case "MM":
            return [machine.profile.model]
        case "MR":
            return [("+CGMR: " if machine.profile.prefixed_revision else "") + machine.profile.revision]
        case _:
            return [IMEI]


def _all(machine: Machine, _request: Request, _now: Now) -> list[str]:
    profile = machine.profile
    return [
        f"Manufacturer: {profile.manufacturer}",
        f"Model: {profile.model}",
        f"Revision: {profile.revision}",
    ]


def _imsi(machine: Machine, request: Request, _now: Now) -> list[str]:
    return [] if request.form == "test" else [machine.sim.imsi]


def _restore(machine: Machine, _request: Request, _now: Now) -> list[str]:
    registration = machine.settings.registration
    machine.settings = machine.fresh_settings()
    machine.settings.registration = registration
    return []


def _cmee(machine: Machine, request: Request, _now: Now) -> list[str]:
    if request.form == "test":
        return ["+CMEE: (0-2)"]
    if request.form == "read":
        return [f"+CMEE: {machine.settings.error_level}"]
    machine.settings.error_level = _in_range(request, 0, 2)
    return []


def _cfun(machine: Machine, request: Request, now: Now) -> list[str]:
    if request.form == "test":
        return ["+CFUN: (0,1,4),(0,1)"]
    if request.form == "read":
        return [f"+CFUN: {machine.function}"]
    function = request.number(0, 1)
    if function not in (0, 1, 4):
        raise AtError("CME", CME_BAD_PARAMETER)
    machine.function = function
    if request.number(1, 0) == 1:
        machine.reset(now)
    return []


def _creset(machine: Machine, _request: Request, now: Now) -> list[str]:
    machine.pcm_uses = 0
    machine.reset(now)
    return []


def _cpin(machine: Machine, request: Request, _now: Now) -> list[str]:
    sim = machine.sim
    if request.form == "read":
        return [f"+CPIN: {sim.state()}"]
    if request.form != "set":
        return []
    if sim.state() == "READY":
        raise AtError("CME", CME_NOT_ALLOWED)
    if sim.state() == "SIM PUK":
        _enter_puk(machine, request)
    else:
        _enter_pin(machine, request.arguments[0])
    return []


def _enter_pin(machine: Machine, code: str) -> None:
    """Three wrong codes and the card asks for its PUK (3GPP TS 31.101)."""
    sim = machine.sim
    if code == sim.pin:
        sim.unlocked, sim.tries_left = True, 3
        return
    sim.tries_left -= 1
    raise AtError("CME", CME_NO_SIM_PUK if sim.tries_left == 0 else CME_WRONG_PASSWORD)


def _enter_puk(machine: Machine, request: Request) -> None:
    sim = machine.sim
    if not request.given(1):
        raise AtError("CME", CME_NO_SIM_PUK)
    if request.arguments[0] != sim.puk or sim.puk_tries_left == 0:
        sim.puk_tries_left = max(0, sim.puk_tries_left - 1)
        raise AtError("CME", CME_WRONG_PASSWORD)
    sim.pin, sim.tries_left, sim.puk_tries_left, sim.unlocked = request.arguments[1], 3, 10, True


def _tries(machine: Machine, request: Request, _now: Now) -> list[str]:
    """SIMCom's AT+SPIC and Quectel's AT+QPINC: how many tries the card still allows."""
    sim = machine.sim
    if request.name == "+QPINC":
        return [f'+QPINC: "SC",{sim.tries_left},{sim.puk_tries_left}']
    return [f"+SPIC: {sim.tries_left},{sim.puk_tries_left},0,10"]


def _registration(machine: Machine, request: Request, _now: Now) -> list[str]:
    name = request.name
    if request.form == "test":
        return [f"{name}: (0-2)"]
    level = machine.settings.registration.get(name, 0)
    if request.form == "read":
        status = machine.faults.registered if machine.function == 1 and machine.sim.state() == "READY" else 0
        place = ',"0BB8","00A1F2C3"' if level == 2 and status in (1, 5) else ""
        return [f"{name}: {level},{status}{place}"]
    machine.settings.registration[name] = _in_range(request, 0, 2)
    return []


def _csq(machine: Machine, request: Request, _now: Now) -> list[str]:
    if request.form == "test":
        return ["+CSQ: (0-31,99),(0-7,99)"]
    return [f"+CSQ: {machine.faults.csq if machine.function == 1 else 99},99"]


def _cops(machine: Machine, request: Request, _now: Now) -> list[str]:
    long, short, number = OPERATOR
    if request.form == "test":
        return [f'+COPS: (2,"{long}","{short}","{number}",7),,(0-4),(0-2)']
    if request.form == "read":
        if machine.faults.registered not in (1, 5):
            return ["+COPS: 0"]
        style = machine.settings.operator_format
        return [f'+COPS: 0,{style},"{OPERATOR[style]}",7']
    if request.number(0, 0) == 3:
        machine.settings.operator_format = min(2, request.number(1, 0))
    return []


def _cscs(machine: Machine, request: Request, _now: Now) -> list[str]:
    known = ("IRA", "GSM", "UCS2", "8859-1", "HEX")
    if request.form == "test":
        return ["+CSCS: (" + ",".join(f'"{name}"' for name in known) + ")"]
    if request.form == "read":
        return [f'+CSCS: "{machine.settings.character_set}"']
    if request.arguments[0] not in known:
        raise AtError("CME", CME_BAD_PARAMETER)
    machine.settings.character_set = request.arguments[0]
    return []


def _cclk(_machine: Machine, request: Request, now: Now) -> list[str]:
    if request.form != "read":
        return []
    local = datetime.fromtimestamp(now.wall_s, UTC).astimezone(WESTERN_INDONESIA)
    return [f'+CCLK: "{local:%y/%m/%d,%H:%M:%S}+28"']  # quarter hours: UTC+7


def _cusd(machine: Machine, request: Request, now: Now) -> list[str]:
    """The balance of a prepaid card, answered by the network a moment later."""
    if request.form == "test":
        return ["+CUSD: (0-2)"]
    if request.form == "read":
        return ["+CUSD: 1"]
    if request.given(1):
        machine.say('+CUSD: 0,"Pulsa Rp 25.000 aktif s/d 31/12/2026",15', now)
    return []


def _clac(machine: Machine, _request: Request, _now: Now) -> list[str]:
    if not machine.profile.lists_commands:
        raise AtError
    return [f"AT{name}" for name in sorted(machine.known_commands) if name[0] in "+^"]


def _clck(_machine: Machine, request: Request, _now: Now) -> list[str]:
    if request.form == "test":
        return ['+CLCK: ("SC","AO","OI","OX","AI","IR","AB","AG","AC")']
    return ["+CLCK: 0"] if request.number(1, 2) == 2 else []


def _kept(ranges: str, default: str) -> Handler:
    """A setting that is accepted and read back; it changes nothing here."""

    def handle(machine: Machine, request: Request, _now: Now) -> list[str]:
        name = request.name
        if request.form == "test":
            return [f"{name}: {ranges}"]
        if request.form == "read":
            return [f"{name}: {machine.settings.values.get(name, default)}"]
        machine.settings.values[name] = ",".join(request.arguments)
        return []

    return handle


def _in_range(request: Request, least: int, most: int) -> int:
    value = request.number(0, -1)
    if not least <= value <= most:
        raise AtError("CME", CME_BAD_PARAMETER)
    return value


COMMANDS: dict[str, Handler] = {
    "E": _flag("echo"),
    "V": _flag("verbose"),
    "Q": _flag("quiet"),
    "Z": _restore,
    "&F": _restore,
    **{name: _nothing for name in ("&C", "&D", "&K", "&S", "&W", "X", "L", "M", "+IPR", "+IFC", "+ICF")},
    "S": _register,
    "I": _all,
    "+CGMI": _identity,
    "+GMI": _identity,
    "+CGMM": _identity,
    "+GMM": _identity,
    "+CGMR": _identity,
    "+GMR": _identity,
    "+CGSN": _identity,
    "+GSN": _identity,
    "+CIMI": _imsi,
    "+CMEE": _cmee,
    "+CFUN": _cfun,
    "+CRESET": _creset,
    "+CPIN": _cpin,
    "+SPIC": _tries,
    "+QPINC": _tries,
    "+CREG": _registration,
    "+CGREG": _registration,
    "+CEREG": _registration,
    "+CSQ": _csq,
    "+COPS": _cops,
    "+CSCS": _cscs,
    "+CCLK": _cclk,
    "+CUSD": _cusd,
    "+CLAC": _clac,
    "+CLCK": _clck,
    "+CPAS": _text("+CPAS: 0"),
    "+CBC": _text("+CBC: 0,92,4012"),
    "+CNUM": _text('+CNUM: "","+628151234567",145'),
    "+GCAP": _text("+GCAP: +CGSM,+FCLASS"),
    "+CTZU": _kept("(0,1)", "0"),
    "+CTZR": _kept("(0,1)", "0"),
    "+CLTS": _kept("(0,1)", "0"),
    "+CPBS": _kept('("SM","ME")', '"SM",0,100'),
    "+CGATT": _kept("(0,1)", "1"),
    "^CURC": _kept("(0,1)", "1"),
    "+QGPSCFG": _kept('("outport")', '"outport","usbnmea"'),
    "^PORTSEL": _kept("(0,1)", "1"),
    "^DSCI": _kept("(0,1)", "0"),
    "+DDET": _kept("(0,1)", "0"),
    "+CSDVC": _kept("(1,3)", "1"),
}
# What works before the SIM is unlocked.
WITHOUT_PIN = frozenset(
    {"E", "V", "Q", "Z", "&F", "&C", "&D", "&K", "&S", "&W", "S", "X", "L", "M", "I", "+IPR", "+IFC", "+ICF"}
    | {"+CGMI", "+GMI", "+CGMM", "+GMM", "+CGMR", "+GMR", "+CGSN", "+GSN", "+CMEE", "+CFUN", "+CRESET"}
    | {"+CPIN", "+SPIC", "+QPINC", "+CCLK", "+CPAS", "+CLAC", "^CURC", "+CSQ", "+CREG", "+CGREG", "+CEREG"}
    | {"+CBC", "+GCAP", "+CSCS"}
)
