"""The process that clears a run's Ray away."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

from tests.execution.runs import MARK, marked, wait_until

TOLD_AT_ONCE = """import os
import signal
import subprocess
from gpbench.execution.ray_warden import watched_folder


class Told(subprocess.Popen):
    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        self.send_signal(signal.SIGTERM)


subprocess.Popen = Told
with watched_folder() as folder:
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_sigterm_that_comes_before_the_warden_is_up_leaves_it_to_its_work() -> None:
    mark = uuid.uuid4().hex
    run = subprocess.run(
        [sys.executable, "-c", TOLD_AT_ONCE],
        env={**os.environ, MARK: mark},
        capture_output=True,
        text=True,
        check=False,
    )
    folder = Path(run.stdout.strip())
    assert folder.name, run.stderr
    wait_until(lambda: not marked(mark), "the end of the warden")
    assert not folder.exists()
