"""Starts and stops local/run."""

import os
import signal
import socket
import subprocess
import threading
import time
from datetime import date, timedelta
from pathlib import Path

from assertions import check

ROOT = Path(__file__).resolve().parent.parent.parent.parent
SECONDS_TO_COMPILE = 900
# Short, because the walk through the documentation waits for it.
SECONDS_BETWEEN_SENDS = 5
# A phone number of another country than the default one, which gets no SMS.
TEST_PHONE, TEST_CODE = "+12025550123", "58203914"


class Server:
    """A local/run, and all lines that it printed."""

    def __init__(self, port, folder):
        self.port = port
        self.lines = []
        settings = {
            "LOCAL_DIR": str(folder),
            "SECONDS_BETWEEN_SENDS": str(SECONDS_BETWEEN_SENDS),
            "TEST_PHONES": f"{TEST_PHONE}:{TEST_CODE}:{date.today() + timedelta(days=30)}",
            # The functions log as much as they can. RUST_LOG is set for them only: at that level
            # cargo lambda prints requests.
            "AWS_LAMBDA_LOG_LEVEL": "TRACE",
        }
        self.process = subprocess.Popen(
            [ROOT / "local/run", "--invoke-port", str(port), "--ignore-changes", "--env-var", "RUST_LOG=trace"],
            cwd=folder,  # local/run works in any folder
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True)
        self.reader.start()

    def wait(self):
        """Waits until the port accepts connections."""
        deadline = time.monotonic() + SECONDS_TO_COMPILE
        while time.monotonic() < deadline:
            check(self.process.poll() is None, "local/run exited by itself")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.2)
        raise AssertionError(f"local/run did not serve within {SECONDS_TO_COMPILE} s")

    def stop(self):
        """Stops the server as Ctrl-C does."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(timeout=20)
        # The functions share the pipe, which is closed when the last of them has exited.
        self.reader.join(timeout=20)
        check(not self.reader.is_alive(), "a function outlived local/run")

    def kill(self):
        """Stops the server if a failure prevented `stop`."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
