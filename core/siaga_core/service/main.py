"""What every program of Siaga does around its own work: signals, logs, errors in one sentence."""

import faulthandler
import importlib.util
import logging
import signal
import sys
from collections.abc import Callable, Iterable
from types import FrameType

from siaga_core.errors import SiagaError
from siaga_core.service import logs
from siaga_core.service.workers import Stop

log = logging.getLogger(__name__)

EXIT_CONFIG = 78  # sysexits.h EX_CONFIG: systemd need not restart, a person must act


def require(extra: str, modules: Iterable[str]) -> None:
    """End with one sentence if the modules of an optional extra are not installed."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        sys.stderr.write(
            f"siaga: this service needs {', '.join(missing)}; install it with: pip install 'siaga[{extra}]'\n"
        )
        raise SystemExit(EXIT_CONFIG)


def stop_on_signals(stop: Stop) -> None:
    """Ask for the end on SIGTERM and SIGINT."""

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)


def run_main(work: Callable[[], int], *, log_level: str = "INFO") -> int:
    """Run a program's body; a SiagaError becomes one line on stderr and status 1 (78 for configuration)."""
    from siaga_core.service.config import ConfigError

    faulthandler.enable()
    logs.set_up(log_level)
    try:
        return work()
    except ConfigError as error:
        log.error("%s", error)
        return EXIT_CONFIG
    except SiagaError as error:
        log.error("%s", error)
        return 1
    except KeyboardInterrupt:
        return 130
