"""kill -9 of a service while it journals: every record it had called committed is there, once."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from bench.fuzz import Outcome
from siaga_edge.journal import JournalReader

# The child says each sequence number only after append has returned.
CHILD = """
import sys
from pathlib import Path
from siaga_core.service.clock import Boot, SystemClock
from siaga_core.wire.health import ServiceState
from siaga_edge.journal import Journal
journal = Journal(Path(sys.argv[1]), SystemClock(), Boot(1, "x"))
while True:
    seq = journal.append("service", ServiceState(service="modem", level="ok", code="a"))
    sys.stdout.buffer.write(b"%d\\n" % seq)
    sys.stdout.buffer.flush()
"""


def run(trials: int, seed: int) -> Outcome:
    """Kill at random moments, all on one file, so that each start finds what a kill left behind."""
    rng = random.Random(seed)
    lost = doubled = 0
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder) / "journal.db"
        last = 0
        for trial in range(trials):
            said = _killed(path, rng.uniform(0.15, 0.5))
            last = max([last, *said])
            with closing(JournalReader(path, "modem")) as reader:
                found = [record.seq for record in reader.after("urgent", 0, 10**9)]
            lost += len(set(range(1, last + 1)) - set(found))
            doubled += len(found) - len(set(found))
            sys.stderr.write(f"\rfuzz journal: {trial + 1}/{trials} kills, {last} records")
    sys.stderr.write("\n")
    return Outcome("journal", trials, lost, doubled, 0, 0, seed)


def _killed(path: Path, after_s: float) -> list[int]:
    with subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE) as child:
        time.sleep(after_s)
        os.kill(child.pid, signal.SIGKILL)
        output, _ = child.communicate()
    return [int(word) for word in output.split(b"\n")[:-1]]
