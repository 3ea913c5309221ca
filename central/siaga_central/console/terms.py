"""The closed sets of words a page shows: states, categories, priorities, levels."""

from siaga_central.console.wording import N_

CATEGORIES = {
    "AMB": N_("ambulance"),
    "SLM": N_("rescue of people"),
    "KBR": N_("fire"),
    "LKA": N_("accident"),
    "KRM": N_("crime, disturbance"),
    "TRR": N_("terrorism"),
    "BCN": N_("disaster"),
    "HWN": N_("dangerous animal"),
    "PHN": N_("fallen tree"),
    "KON": N_("damaged structure"),
    "NRK": N_("narcotics"),
    "KDRT": N_("domestic violence, child"),
    "LAIN": N_("not known yet"),
}
PRIORITIES = {
    "P1": N_("life in danger now"),
    "P2": N_("urgent"),
    "P3": N_("not urgent"),
    "P4": N_("information"),
}
# Times and limits of a node that acts by itself, as siaga_core.wire.roster.NodePolicy names them.
NODE_POLICY = {
    "away_after_s": N_("The hub counts as away after (seconds)"),
    "next_phone_s": N_("The next phone is texted after (seconds)"),
    "unanswered_s": N_("The citizen hears that nobody reads after (seconds)"),
    "carry_after_s": N_("Urgent records go by SMS after (seconds)"),
    "between_replies_s": N_("Between two automatic replies to a number (seconds)"),
    "replies_an_hour": N_("Automatic replies to a number in an hour"),
    "same_reply_a_day": N_("The same reply to a number in a day"),
}
WORDS = {
    # sources
    "sms": N_("SMS"),
    "call": N_("call"),
    "camera": N_("camera"),
    "manual": N_("entered by hand"),
    # whose time it is, by source
    "spoken sms": N_("citizen sent it"),
    "spoken call": N_("citizen called"),
    "spoken manual": N_("entered by hand"),
    # calls
    "ringing": N_("ringing"),
    "identified": N_("ringing, number known"),
    "missed": N_("missed"),
    "answered": N_("answered"),
    "ended": N_("ended"),
    # answers by SMS
    "QUEUED": N_("Queued"),
    "SENT": N_("Sent"),
    "DELIVERED": N_("Arrived"),
    "FAILED": N_("Failed"),
    "UNKNOWN": N_("Uncertain"),
    # cameras and levels
    "up": N_("healthy"),
    "down": N_("DOWN"),
    "black": N_("BLACK"),
    "frozen": N_("FROZEN"),
    "unknown": N_("unknown"),
    "ok": N_("good"),
    "warn": N_("warning"),
    "crit": N_("CRITICAL"),
    # call-backs
    "waiting": N_("waiting"),
    "reached": N_("reached"),
    "noanswer": N_("no answer"),
    "prank": N_("prank"),
    # clips
    "asked": N_("asked"),
    "coming": N_("coming"),
    "ready": N_("ready"),
    "stopped": N_("stopped"),
    "dropped": N_("given up"),
    "waits.offline": N_(
        "The node is not connected. It goes on by itself when it is back; if that takes long, send a crew."
    ),
    "waits.sending": N_("The node has not answered yet."),
    "waits.cutting": N_("The node is cutting the clip; a few seconds after its end."),
    "waits.line": N_(
        "The site's line is busy with reports or slow. It goes on by itself; a shorter clip comes sooner."
    ),
    "failed": N_("failed"),
    # holds ("asked" and "waiting" as above)
    "held": N_("held"),
    "lost": N_("LOST"),
    "released": N_("released"),
    # phones on duty ("done" as below)
    "told": N_("texted, no answer yet"),
    "accepted": N_("accepted"),
    "underway": N_("on the way"),
    # what became of a part of a camera's footage
    "footage there": N_("there"),
    "footage held": N_("there and held"),
    "footage missing": N_("not recorded"),
    "footage gone": N_("not there any more"),
    "footage none": N_("not there"),
    "footage unknown": N_("not known yet"),
    # the answer to a search
    "search found": N_("FOUND"),
    "search partly": N_("FOUND IN PART"),
    "search none": N_("NOT FOUND"),
    "search unknown": N_("NOT KNOWN YET"),
    # who says where an incident is
    "place operator": N_("an operator says so"),
    "place phone": N_("the caller's phone says so"),
    "place coordinates": N_("from the reporter's text"),
    "place camera": N_("at the camera"),
    "place listed": N_("a listed place"),
    # incidents
    "new": N_("new"),
    "taken": N_("taken"),
    "verified": N_("verified"),
    "handling": N_("being handled"),
    "handled": N_("being handled"),
    "done": N_("done"),
    "closed": N_("closed"),
    "unfounded": N_("unfounded"),
    "cancelled": N_("cancelled"),
    "merged": N_("merged"),
    "reopened": N_("reopened"),
    # commands to an incident
    "verify": N_("Verify"),
    "handle": N_("Being handled"),
    "dispatch": N_("Send out"),
    "finish": N_("Done"),
    "close": N_("Close"),
    "dismiss": N_("Unfounded"),
    "unfound": N_("Unfounded"),
    "cancel": N_("Cancel"),
    "reopen": N_("Reopen"),
    # roles
    "head": N_("Head"),
    "supervisor": N_("Supervisor"),
    "deputy": N_("Deputy supervisor"),
    "operator": N_("Operator"),
    "technician": N_("Technician"),
    "admin": N_("Administrator"),
    "ppid": N_("PPID"),
}
MARKS = {"ok": "●", "up": "●", "warn": "▲", "crit": "■", "down": "■", "black": "■", "frozen": "■"}
