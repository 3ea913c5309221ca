"""Puts what nodes and the hub say into the reader's words; what is not known stays as it came.

Both speak English, in the sentences below. A sentence is its own pattern: `%(why)s` holds a sentence again.
"""

import re
from collections.abc import Callable

from siaga_central.console.terms import WORDS
from siaga_central.console.wording import N_

Say = Callable[[str], str]

# What a placeholder holds; any other holds anything.
_HELD = {"seconds": r"[0-9.]+", "count": r"[0-9]+", "camera": r"[A-Za-z0-9_-]+", "port": r"\S+"}

CODES = {
    "recorder": N_("recorder"),
    "cameras": N_("picture watch"),
    "modem": N_("modem"),
    "modemb": N_("second modem"),
    "uplink": N_("link to the hub"),
    "health": N_("device health"),
    "node": N_("device"),
    "disk": N_("footage disk"),
    "gap": N_("recording"),
    "modem.ok": N_("the modem works"),
    "modem.missing": N_("the modem is not there"),
    "modem.silent": N_("the modem does not answer"),
    "modem.locked": N_("the SIM is locked"),
    "modem.ladder": N_("what was tried on the modem"),
    "modem.network": N_("the modem's network"),
    "modem.loop": N_("trial texts between modems"),
    "modem.forwarding": N_("call forwarding"),
    "modem.sim": N_("the SIM's term"),
    "modem.balance": N_("the SIM's balance"),
    "modem.slots": N_("the modem's stores"),
    "modem.report": N_("delivery reports of texts"),
    "modem.inbox": N_("receiving texts"),
    "modem.voice": N_("answering calls by prompt"),
    "modem.power": N_("the modem's power"),
    "store.damaged": N_("the card is damaged: replace it"),
    "uplink.denied": N_("the broker refuses records"),
    "uplink.badcommand": N_("an order was not understood"),
    "uplink.seal": N_("something came down without the hub's seal"),
    "uplink.stranger": N_("something came down with the seal of a stranger"),
    "uplink.forged": N_("something forged came down"),
    "uplink.old": N_("an old announcement of the hub was played again"),
    "uplink.restored": N_("the hub was restored; what it lacks is sent again"),
    "hub": N_("what the hub notices"),
    "lost": N_("urgent records are lost"),
    "rate": N_("it says far too much"),
    "fork": N_("its card is used twice"),
    "forged": N_("somebody forges its records"),
    "stranger": N_("somebody speaks in its name"),
    "seal": N_("records without its seal came in its name"),
    "impersonation": N_("it speaks in another's name"),
    "uplink.refused": N_("the gateway refused a file"),
    "cpu_percent": N_("processor load (%)"),
    "memory_percent": N_("memory used (%)"),
    "temperature_c": N_("temperature (°C)"),
    "disk_free_percent": N_("disk space free (%)"),
    "read_only_mounts": N_("disks that became read-only"),
    "under_voltage_now": N_("voltage too low now"),
    "under_voltage_since_boot": N_("voltage was too low since the start"),
    "footage": N_("footage"),
    "data": N_("reports"),
    "holds": N_("held footage"),
    "footage.held": N_("budget of held footage"),
    "footage-disk": N_("footage disk"),
    "footage-chain": N_("chain of segments"),
}

# What a node has tried on its modem (siaga_edge.modem.ladder).
RUNGS = {
    "drain": N_("asked until its answers fit again"),
    "reopen": N_("device opened again"),
    "restart": N_("restarted by command"),
    "usb": N_("USB socket switched"),
    "power": N_("power switched"),
    "second": N_("second modem"),
    "itself": N_("itself"),
}

SENTENCES = (
    # what the hub notices of a node
    N_("%(stream)s: %(count)s urgent records are lost on the node (%(first)s to %(last)s)"),
    N_("%(stream)s %(count)s came twice with different words; is the node's card a copy?"),
    N_("%(stream)s: more than %(count)s records a second for long"),
    # cameras
    N_("no picture yet"),
    N_("no picture for %(seconds)s s: %(why)s"),
    N_("no picture for %(seconds)s s"),
    N_("nothing to be seen for %(seconds)s s; lens or light?"),
    N_("the same picture for %(seconds)s s"),
    N_("the recorder gets no picture from it; check cable and power of the camera"),
    N_("camera %(camera)s opens no RTSP session; check plug and password"),
    N_("camera %(camera)s sends no more pictures"),
    N_("a picture of camera %(camera)s cannot be decoded"),
    N_("%(count)s bytes arrived, but no picture can be decoded from them"),
    N_("the picture cannot be coded as JPEG"),
    N_("%(path)s is larger than %(count)s bytes"),
    # recorder; what ffmpeg says of a camera comes last
    N_("recording again after %(count)s ms"),
    N_("%(count)s MB left and nothing that may be deleted"),
    N_("sent nothing for %(seconds)s s"),
    N_("the stream ended"),
    N_("no picture came for %(seconds)s s"),
    N_("no answer came within %(seconds)s s"),
    N_("the stream has another source now"),
    N_("the camera's time jumped"),
    N_("the camera's time jumped forward by %(seconds)s s"),
    N_("the camera's time jumped back by %(seconds)s s"),
    N_("ffmpeg complains without end: %(why)s"),
    N_("the stream cannot be read: %(why)s"),
    N_("the recorder itself failed; its log says how"),
    N_("Connection refused"),
    N_("Connection timed out"),
    N_("Connection reset by peer"),
    N_("No route to host"),
    N_("Invalid data found when processing input"),
    N_("Server returned 401 Unauthorized (authorization failed)"),
    N_("Server returned 404 Not Found"),
    # modem
    N_("modem %(port)s cannot be opened: %(why)s; check plug and supply"),
    N_("modem %(port)s gave no prompt in %(seconds)s s; it is being reset"),
    N_("modem %(port)s gave no answer to %(order)s in %(seconds)s s; check power and SIM tray"),
    N_("modem %(port)s does not answer; check power and SIM tray"),
    N_("modem %(port)s has vanished; check its plug and supply"),
    N_("modem %(port)s vanished during %(order)s; check its plug"),
    N_("modem %(port)s cannot be written: %(why)s"),
    N_("the SIM refused its PIN before; check %(file)s, then delete %(path)s"),
    N_("the SIM refused its PIN (%(answer)s); check %(file)s, then delete %(path)s"),
    N_("the SIM asks for its PUK; take it out and unlock it in a phone"),
    N_("the SIM asks for a PIN; name its file in pin_file, or switch the PIN off in a phone"),
    N_("the SIM has only %(count)s of %(most)s tries left; unlock it in a phone"),
    N_("well again after %(seconds)s s by %(rung)s"),
    N_("%(rung)s: %(why)s"),
    N_("without success: %(why)s"),
    N_("it answers again"),
    N_("the device is opened again"),
    N_("the device is not open"),
    N_("the modem is not on USB"),
    N_("%(count)s delivery reports could not be read: %(why)s"),
    N_("usb device %(device)s taken away and given back"),
    N_("audio proved, callers are answered"),
    N_("audio not proved: %(why)s"),
    N_("this family of modem has no audio path"),
    N_("no second modem with audio and number, so the audio cannot be proved"),
    N_("not tried since the port was opened"),
    N_("the second trial call is still to come"),
    N_("the proof is a day old"),
    N_("the modem restarted"),
    N_("the other modem was not ready for the trial call"),
    N_("the trial call was refused: %(answer)s"),
    N_("the trial call was not connected"),
    N_("the trial call did not come"),
    N_("the modem fell silent in the trial call"),
    N_("the trial call could not be picked up: %(answer)s"),
    N_("no sound came in the trial call"),
    N_("no tone came through"),
    N_("the other modem did not hear this one"),
    N_("a caller was not heard: %(why)s"),
    N_("a call ended before its sound came"),
    N_("a call's recording was silent"),
    N_("no sound came"),
    N_("the sound stopped"),
    N_("the modem takes no sound"),
    N_("the modem refused the call's sound: %(why)s"),
    N_("the modem gives no sound: %(why)s"),
    N_("the audio device %(device)s cannot be opened: %(why)s"),
    N_("the audio device %(device)s is no terminal"),
    N_("the prompt %(file)s cannot be read: %(why)s"),
    N_("the prompt %(file)s must be a WAV of 8 kHz, mono, 16 bit"),
    N_("the prompt %(file)s is longer than %(seconds)s s"),
    N_("the card is nearly full"),
    N_("%(path)s cannot be written: %(why)s; see 70-siaga.rules"),
    N_("power off for %(seconds)s s asked of siaga-health"),
    N_("siaga-health does not run, and it alone can switch the modem's power"),
    N_("%(count)s texts handed to the second modem"),
    N_("it neither lists nor reads its messages in PDU mode; another modem is needed"),
    N_("%(count)s messages are counted on the modem, which neither lists nor gives them"),
    N_("not registered (CREG %(stat)s)"),
    N_("every call is forwarded before it rings here"),
    N_("calls are not forwarded at busy and no reply"),
    N_("forwarding was lost and is set again"),
    N_("not forwarded to %(number)s: it is a modem of this node"),
    N_("signal unknown"),
    N_("expires %(day)s, %(left)s days left"),
    N_("the network's answer names no amount"),
    N_("%(count)s loop-back texts in a row did not come round"),
    N_("on"),
    N_("off"),
    N_("modem refused %(order)s: %(answer)s"),
    # orders: a clip that did not come, a text that did not leave
    N_("there is no footage of this span"),
    N_("there is no closed footage of this span; see `siaga-node footage find`"),
    N_("the node's disk is full"),
    N_("the recorder was interrupted while cutting; ask again"),
    N_("cutting it stopped the recorder; ask for a shorter span"),
    N_("given up before it was sent"),
    N_("the node was interrupted while sending; it may have left"),
    N_("the network gave up (status %(status)s)"),
    N_("it came too late to be carried out"),
    N_("the device's memory was damaged; it may have been carried out"),
    N_("it reached the node too late"),
    N_("this node runs no %(service)s"),
    N_("the node did not confirm in time"),
    # uplink
    N_("%(count)s so far; %(why)s"),
    N_("the file is not what its ticket says (SHA-256)"),
    # what the hub refuses to an operator
    N_("this request did not come from a page of this console"),
    N_("%(role)s may not: %(permission)s"),
    N_("missing or wrong: %(fields)s"),
    N_("there is no such category or priority"),
    N_("an empty note was not added"),
    N_("an answer has 1 to %(count)s characters"),
    N_("that number did not report this incident"),
    N_("that number is not on duty"),
    N_("no GSM node has been heard yet; nothing was sent"),
    N_("a phone needs a number written as +62… and a name of 1 to 60 characters"),
    N_("a modem's number is written as +62…"),
    N_("that number is one of our own modems; a phone on duty is a person's"),
    N_("that number is a phone on duty; a modem's number is its SIM's"),
    N_("there are at most 50 phones on duty and 20 modems"),
    N_("there is no node %(node)s"),
    N_("a trial text to this phone was sent less than a minute ago; wait for its outcome"),
    N_("a phone is moved earlier or later"),
    N_("say why the phone is taken off the list"),
    N_("%(name)s must be a whole number from %(least)s to %(most)s"),
    N_("no policy value: %(names)s; there are %(known)s"),
    N_("there is no incident %(incident)s"),
    N_("say from when to when, as date and time"),
    N_("this clip is not here"),
    N_("nothing of this clip can be watched yet; try again in a minute"),
    N_("this clip is not on its way any more"),
    N_("clips are watched on the page of their incident"),
    N_("there is no picture of this camera"),
    N_("say what happened, its category and its priority"),
    N_("an incident that is %(state)s cannot be moved by '%(move)s'"),
    N_("%(move)s needs a reason"),
    N_("there is no call-back %(id)s that could become %(state)s"),
    N_("a clip ends after it begins and is at most 30 minutes long"),
    N_("a clip cannot begin in the future"),
    N_("say why the clip is needed"),
    N_("a hold ends after it begins and is at most 12 hours long"),
    N_("say why the footage is held or released"),
    N_("there is no camera %(camera)s"),
    N_("nobody has said where camera %(camera)s stands"),
    N_("no position: type coordinates, a map link, a plus code or a listed place, or choose a camera"),
    N_("a search ends after it begins and spans at most 24 hours"),
    N_("a search cannot begin in the future"),
    N_("there is no such search"),
    N_("that number is not on duty"),
    N_("modem %(port)s does not answer; check power and SIM tray"),
    N_("there is no closed footage of this span; see `siaga-node footage find`"),
    N_("%(node)s has %(count)s holds; release some that nobody needs any more"),
    # why footage is held or let go of without a person
    N_("nearest to the incident"),
    N_("the clip is settled"),
    N_("its incident was closed long ago"),
    N_("its incident was %(state)s"),
    # what the hub has against a node for its footage
    N_("not held by itself, the budget of held footage is used up"),
    N_("footage that is to be held is not confirmed and will soon be overwritten"),
    N_("held footage of %(camera)s is lost"),
    N_("%(count)s of at most %(most)s holds are in use"),
)


def worded(text: str, say: Say) -> str:
    """`text` in the words of `say`; an unknown one as it came."""
    for sentence, pattern in _PATTERNS:
        found = pattern.fullmatch(text)
        if found is not None:
            held = found.groupdict()
            return say(sentence) % {name: _held(name, value, say) for name, value in held.items()}
    return _opened(text, say)


def code(text: str, say: Say) -> str:
    """A code or a reading's name: `gap.cam-1` is `recording cam-1`; an unknown one as it came."""
    if text in CODES:
        return say(CODES[text])
    if text.startswith("hold-"):
        return f"{say(CODES['holds'])} {text.removeprefix('hold-')}"
    family, dot, member = text.partition(".")
    if not dot or family not in CODES:
        return text
    return f"{say(CODES[family])} {say(CODES.get(member, member))}"


def _held(name: str, value: str, say: Say) -> str:
    if name in ("state", "move", "role"):
        return say(WORDS.get(value) or value)
    if name == "rung":
        return say(RUNGS[value])
    return worded(value, say) if name == "why" else value


def _opened(text: str, say: Say) -> str:
    """`cam-1: <sentence>`, `modem.silent <sentence>`, `modem.ok` and `cpu_percent 97, temperature_c 84`."""
    if all(_READING.fullmatch(part) for part in text.split(", ")):
        return ", ".join(_reading(part, say) for part in text.split(", "))
    named = _NAMED.fullmatch(text)
    if named is not None:
        return f"{named['name']}: {worded(named['rest'], say)}"
    head, _, rest = text.partition(" ")
    if "." not in head or head not in CODES:
        return text
    return f"{say(CODES[head])}: {worded(rest, say)}" if rest else say(CODES[head])


def _reading(text: str, say: Say) -> str:
    name, _, value = text.partition(" ")
    return f"{code(name, say)}: {value.replace('.', ',')}"


def _pattern(sentence: str) -> re.Pattern[str]:
    parts = re.split(r"%\((\w+)\)s", sentence)
    for at in range(1, len(parts), 2):
        parts[at] = f"(?P<{parts[at]}>{_HELD.get(parts[at], '.+')})"
    return re.compile(
        "".join(part if at % 2 else re.escape(part) for at, part in enumerate(parts)), re.DOTALL
    )


_HELD["rung"] = "|".join(RUNGS)
_PATTERNS = tuple((sentence, _pattern(sentence)) for sentence in SENTENCES)
_NAMED = re.compile(r"(?P<name>[a-z0-9][a-z0-9_-]*): (?P<rest>.+)", re.DOTALL)
_READING = re.compile(r"[a-z_]+(\.[a-z]+)? -?[0-9.]+(e[+-]?[0-9]+)?")
