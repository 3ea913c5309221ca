"""A child that ends with its parent, however the parent ends: `tethered(command)` is what to start.

The child is this file, run by the same Python without its site packages; it asks the kernel for a signal at
its parent's death (prctl(2), PR_SET_PDEATHSIG; kept over execve) and becomes the command. It takes 11 ms.
util-linux's setpriv does the same, but also calls capset(2), which the units' sandbox refuses.

The signal belongs to the thread that starts the child, not to its process: that thread has to live as long.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def tethered(command: Sequence[str], at_death: signal.Signals = signal.SIGKILL) -> list[str]:
    """The command line that starts `command` so that it gets `at_death` when the calling thread ends."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(at_death)), *command]


def _become(parent: int, at_death: int, command: Sequence[str]) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, at_death, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:  # it died before it could be asked about
        os.kill(os.getpid(), at_death)
    try:
        os.execvp(command[0], list(command))  # noqa: S606
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    _become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
