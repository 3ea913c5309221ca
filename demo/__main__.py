"""`script/demo`: the small city for a person to play with, or `--check` without one."""

import argparse
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType

import psutil

from demo.city import ALERT_CLIENT, OPERATOR, SUPERVISOR, TEAM, City, Ports, SetUpFailed

FOLDER = Path(".demo")


def main() -> int:
    """0 when all went well; with --check 1 when a point was not seen."""
    parser = argparse.ArgumentParser(prog="script/demo", description=__doc__)
    parser.add_argument("--check", action="store_true", help="play it without a person; say what was seen")
    parser.add_argument("--json", action="store_true", help="with --check: the result as JSON")
    parser.add_argument(
        "--cut", type=float, metavar="SECONDS", help="while it runs: let the hub stand still for so long"
    )
    parser.add_argument("--fresh", action="store_true", help="forget the city of the last start")
    options = parser.parse_args()
    if options.cut:
        return _cut(options.cut)
    if options.check:
        return _check(as_json=options.json)
    if options.fresh:
        shutil.rmtree(FOLDER, ignore_errors=True)
    return _play()


def _play() -> int:
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    began_s = time.monotonic()
    city = City(FOLDER, Ports.usual(), _say)
    try:
        city.start()
        print(_welcome(city, time.monotonic() - began_s), flush=True)
        stopped.wait()
        _say("mengakhiri semua proses")
        return 0
    except SetUpFailed as error:
        _say(str(error))
        return 1
    finally:
        city.stop()


def _cut(seconds: float) -> int:
    """Stop the hub's process and let it go on: connected, and silent. 1 when none runs."""
    hub = [one for one in psutil.process_iter(["cmdline"]) if _is_hub(one.info["cmdline"] or [])]
    if not hub:
        _say("pusat tidak berjalan / the hub does not run")
        return 1
    for process in hub:
        process.suspend()
    _say(f"pusat diam selama {seconds:.0f} s / the hub is silent")
    try:
        time.sleep(seconds)
    finally:
        for process in hub:
            process.resume()
    _say("pusat berjalan lagi / the hub goes on")
    return 0


def _is_hub(words: list[str]) -> bool:
    return "run" in words and str(FOLDER.resolve() / "hub.toml") in words


def _check(*, as_json: bool) -> int:
    from demo.check import Check, Point

    def tell(point: Point) -> None:
        if not as_json:
            print(f"{'ok  ' if point.met else 'GAGAL'} {point.name}: {point.figure}", flush=True)

    folder = Path(tempfile.mkdtemp(prefix="siaga-demo-"))
    began_s = time.monotonic()
    city = City(folder, Ports.free(), _say)
    met = False
    try:
        city.start()
        _say(f"kota berjalan setelah {time.monotonic() - began_s:.1f} s")
        check = Check(city, tell)
        met = check.run()
        if as_json:
            print(check.as_json())
    except SetUpFailed as error:
        _say(str(error))
    finally:
        city.stop()
    if met:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        _say(f"yang tersisa untuk diperiksa / left to look at: {folder}")
    return 0 if met else 1


def _say(text: str) -> None:
    sys.stderr.write(f"demo: {text}\n")
    sys.stderr.flush()


def _welcome(city: City, took_s: float) -> str:
    node = ".venv/bin/siaga-node simulate"
    return f"""
Siaga berjalan setelah {took_s:.1f} detik. / Siaga runs.

  Konsol / console : {city.console_url}
  Akun / account   : {OPERATOR}
  Sandi / password : {city.secret("operator")}
  Pengawas         : {SUPERVISOR}, {city.secret("supervisor")}

Empat hal untuk dicoba / four things to try (in another terminal, in this folder):

  1. Warga mengirim SMS / a citizen texts:
     {node} sms --control {city.modem_socket} --text "Kebakaran di Jl. Raden Patah, tolong"
  2. Sebuah kamera terputus / a camera drops:
     {node} camera drop --camera cam-simpang-kara --seconds 40 --control {city.camera_socket}
  3. Warga menelepon sekali / a citizen calls once:
     {node} call --control {city.modem_socket} --rings 1
  4. Pusat putus / the hub is away: lalu kirim SMS seperti 1 / then text as in 1; setelah 20 s:
     script/demo --cut 120 &
     {node} sent --control {city.modem_socket} --to {TEAM}
     {node} sms --control {city.modem_socket} --from {TEAM} --text "TERIMA KODE"

Peringatan untuk telepon operator / alerts for operators' phones:
     mosquitto_sub -h 127.0.0.1 -p {city.ports.operators} --cafile {city.ca_file} \\
       -u {ALERT_CLIENT} -P {city.secret("alert-client")} -t 'siaga/v1/alert/#' -v

Ctrl-C mengakhiri semuanya. / ends all of it.
"""


if __name__ == "__main__":
    sys.exit(main())
