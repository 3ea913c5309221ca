"""Ansible connection: a root file system on this machine, by chroot, or by nsenter when it is booted.

The host's address is the folder; `siaga_root_leader` is the PID of the booted container's first process.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: siaga_root
short_description: Work inside a root file system on this machine
description:
  - Runs commands by chroot, or by nsenter when the container is booted.
options:
  root:
    description: Folder of the root file system.
    type: str
    vars:
      - name: inventory_hostname
      - name: ansible_host
  leader:
    description: PID of the booted container's first process; 0 when it is not booted.
    type: int
    default: 0
    vars:
      - name: siaga_root_leader
"""

# systemd's tools want /proc; the mount goes with the command, the machine outside never sees it.
_WITH_PROC = [
    "unshare",
    "--mount",
    "--propagation=private",
    "sh",
    "-c",
    'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"',
]


class Connection(ConnectionBase):
    """Commands by chroot or nsenter, files by copying into the folder."""

    transport = "siaga_root"
    has_pipelining = True
    has_tty = False

    def _connect(self) -> Connection:
        root = Path(self.get_option("root"))
        if not (root / "bin").exists():
            raise AnsibleConnectionFailure(f"{root} is no root file system")
        self._root = root
        self._connected = True
        return self

    def exec_command(
        self, cmd: str, in_data: bytes | None = None, sudoable: bool = True
    ) -> tuple[int, bytes, bytes]:
        """Run a shell command inside."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        leader = self.get_option("leader")
        enter = (
            ["nsenter", "--target", str(leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--"]
            if leader
            else [*_WITH_PROC, str(self._root)]
        )
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
        }
        shell = [*enter, "/bin/sh", "-c", cmd]
        done = subprocess.run(shell, input=in_data, capture_output=True, env=environment)  # noqa: S603
        return done.returncode, done.stdout, done.stderr

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file in."""
        super().put_file(in_path, out_path)
        shutil.copyfile(in_path, self._inside(out_path))

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file out."""
        super().fetch_file(in_path, out_path)
        shutil.copyfile(self._inside(in_path), out_path)

    def close(self) -> None:
        """Nothing is held."""
        self._connected = False

    def _inside(self, path: str) -> Path:
        return self._root / path.lstrip("/")

    def reset(self, *_: Any) -> None:
        """Nothing to reset."""
