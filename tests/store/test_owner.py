from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gpbench.store.owner import Owner

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells when a process started")


def test_this_process_is_alive() -> None:
    assert Owner.current().presence() == "alive"


def test_owner_names_this_process_the_same_way_twice() -> None:
    assert Owner.current() == Owner.current()
    assert Owner.current().pid == os.getpid()


@linux
def test_process_that_took_over_the_pid_is_not_the_owner() -> None:
    me = Owner.current()
    assert replace(me, started=me.started - 1).presence() == "gone"


@linux
def test_killed_process_is_gone_even_before_its_parent_notices() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"],
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.readline()
    me = Owner.current()
    stat = Path(f"/proc/{child.pid}/stat").read_text()
    started = int(stat.rpartition(")")[2].split()[19])
    owner = replace(me, pid=child.pid, started=started)
    assert owner.presence() == "alive"
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, but still a zombie
    assert owner.presence() == "gone"
    child.wait()
    child.stdout.close()
    assert owner.presence() == "gone"


def test_process_of_another_host_container_or_boot_is_unknown() -> None:
    me = Owner.current()
    assert replace(me, host="elsewhere").presence() == "unknown"
    assert replace(me, boot="earlier").presence() == "unknown"
