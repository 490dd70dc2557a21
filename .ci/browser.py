"""Headless Chromium, driven over a pipe by the DevTools protocol; needs nothing but Python."""

import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
PATIENCE = 60.0  # seconds for one answer


class BrowserError(Exception):
    """Chromium is not there, or did not answer."""


class Tab:
    """One tab of a browser; keeps every event that it hears."""

    def __init__(self, reader: int, writer: int) -> None:
        self.events: list[dict[str, Any]] = []
        self._reader = reader
        self._writer = writer
        self._buffer = b""
        self._number = 0
        self._session = ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends a command and waits for its answer."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writer, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while True:
            answer = self._receive(end, method)
            if answer.get("id") == self._number:
                break
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def visit(self, address: str) -> None:
        """Opens an address and waits until it has loaded."""
        before = len(self.events)
        self.call("Page.navigate", url=address)
        end = time.monotonic() + PATIENCE
        while not any(event["method"] == "Page.loadEventFired" for event in self.events[before:]):
            self._receive(end, "Page.loadEventFired")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise BrowserError(f"the check's own script failed: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def _receive(self, end: float, waiting_for: str) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._reader], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise BrowserError(f"Chromium did not answer {waiting_for} within {PATIENCE:.0f} s")
            piece = os.read(self._reader, 1 << 20)
            if not piece:
                raise BrowserError(f"Chromium closed while {waiting_for} was waited for")
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        if "method" in message:
            self.events.append(message)
        return message


@contextmanager
def chromium() -> Iterator[Tab]:
    """A tab of a fresh Chromium with a profile of its own; the browser ends with the block."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        raise BrowserError(f"none of {', '.join(NAMES)} is installed")
    to_browser, writer = os.pipe()
    reader, from_browser = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        log = Path(profile) / "stderr.txt"
        # Chromium reads commands from descriptor 3 and answers on descriptor 4.
        plumbing = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        with log.open("wb") as errors:
            process = subprocess.Popen(
                ["bash", "-c", plumbing, "bash", program, *FLAGS, f"--user-data-dir={profile}/profile"],
                pass_fds=(to_browser, from_browser),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        os.close(to_browser)
        os.close(from_browser)
        try:
            yield Tab(reader, writer)
        except (BrowserError, BrokenPipeError) as error:
            raise BrowserError(f"{error}\n{log.read_text(errors='replace')[-2000:]}") from error
        finally:
            os.close(writer)  # Chromium ends when its pipe closes
            os.close(reader)
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
