"""The modems that can be played: what each calls itself and where it leaves the standard.

Facts from the vendors' AT manuals and from what users of gammu, ModemManager, chan_dongle and
chan_quectel reported; none of it measured on hardware of ours yet.
"""

from dataclasses import dataclass, field

from siaga_edge.simulate.modem.lacks import Lacks


@dataclass(frozen=True, slots=True)
class Profile:
    """One model of modem."""

    name: str
    manufacturer: str
    model: str
    revision: str
    banner: tuple[str, ...]  # said after power-on, before anybody asks
    stores: dict[str, int] = field(default_factory=lambda: {"SM": 20, "ME": 23})
    default_store: str = "SM"
    empty_slot_is_ok: bool = False  # AT+CMGR of an empty slot: OK without a line, instead of +CMS ERROR: 321
    report_index_zero: bool = (
        False  # announces +CDSI: "SM",0 though the report lies in SR (chan_quectel PR 75)
    )
    prefixed_revision: bool = False  # +CGMR: before the revision
    missed_call: bool = False  # MISSED_CALL: instead of NO CARRIER when a caller gives up
    voice_call: bool = False  # VOICE CALL: BEGIN / END around an answered call
    caret_calls: bool = False  # ^CONN and ^CEND, and no NO CARRIER for a caller who gives up
    hangs_up_only_without_cvhu: bool = False  # ATH is ignored while AT+CVHU=1, the default
    clcc_alpha: bool = True  # the eighth field of +CLCC, an empty name
    lists_commands: bool = True  # knows AT+CLAC
    lacks: Lacks = field(default_factory=Lacks)
    pcm_command: str = ""  # what opens a call's sound on its own device; empty: it has none


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            name="sim7600",
            manufacturer="SIMCOM INCORPORATED",
            model="SIMCOM_SIM7600E-H",
            revision="LE20B04SIM7600G22",
            banner=("RDY", "+CPIN: READY", "SMS DONE", "PB DONE"),
            prefixed_revision=True,
            missed_call=True,
            voice_call=True,
            hangs_up_only_without_cvhu=True,
            pcm_command="+CPCMREG",
        ),
        Profile(
            name="sim800",
            manufacturer="SIMCOM_Ltd",
            model="SIMCOM_SIM800L",
            revision="Revision:1418B05SIM800L24",
            banner=("RDY", "+CFUN: 1", "+CPIN: READY", "Call Ready", "SMS Ready"),
            empty_slot_is_ok=True,
            lists_commands=False,
        ),
        Profile(
            name="ec25",
            manufacturer="Quectel",
            model="EC25",
            revision="EC25EFAR06A06M4G",
            banner=("RDY", "+QIND: SMS DONE", "+QIND: PB DONE"),
            empty_slot_is_ok=True,
            report_index_zero=True,
            pcm_command="+QPCMV",
        ),
        Profile(
            name="e173",
            manufacturer="huawei",
            model="E173",
            revision="11.126.85.00.209",
            banner=("^SYSSTART", "^BOOT:18521350,0,0,0,75", "^RSSI:18"),
            caret_calls=True,
            clcc_alpha=False,
            pcm_command="^DDSETEX",
        ),
    )
}
