"""`python -m siaga_edge.uplink --config node.toml`: hand everything over to the hub."""

import queue
import sys
from pathlib import Path

from siaga_core.service.clock import SystemClock
from siaga_core.service.workers import Supervisor
from siaga_core.wire.anchor import ClockAnchor
from siaga_core.wire.health import ServiceState
from siaga_edge import frame
from siaga_edge.node import NodeConfig


def build(config: NodeConfig, _path: Path) -> Supervisor:
    """The service's workers."""
    from siaga_edge.uplink.carrier import Uplink
    from siaga_edge.uplink.renewal import Renewal
    from siaga_edge.uplink.transfer import Courier, SharedBudget

    clock = SystemClock()
    notices: queue.Queue[ServiceState] = queue.Queue(64)
    anchors: queue.Queue[ClockAnchor] = queue.Queue(64)
    budget = SharedBudget(config.hub.uplink_kbit_s)
    courier = Courier(config.hub, config.transfers_dir, notices, clock, budget)
    supervisor = Supervisor(clock)
    supervisor.add("link", Uplink(config, clock, notices, budget, anchors).work, silence_limit_s=90)
    supervisor.add("courier", courier.work, silence_limit_s=180)
    supervisor.add("renewal", Renewal(config, clock, notices, anchors).work, silence_limit_s=180)
    return supervisor


if __name__ == "__main__":
    sys.exit(frame.main("siaga_edge.uplink", __doc__, ("paho",), build, sys.argv[1:]))
