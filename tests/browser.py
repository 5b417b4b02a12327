"""A browser for the tests: Debian's Chromium, with no network, driven as a person would."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

#: pictures of what the tests saw; kept for looking at, never in git
SCREENSHOTS = Path(__file__).parent / "screenshots"
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def chromium() -> str:
    """Return where Chromium is; without it skip, saying so, or fail where ``CI`` is true."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        why = "no Chromium on this machine: the maps were not looked at (apt install chromium)"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(why)
        pytest.skip(why)
    return found


class Opened:
    """A page opened from disk, and what it did while it was open.

    ``asked`` holds every address asked for beyond the page itself; ``errors`` what went wrong.
    """

    def __init__(self, page, path):
        self.page = page
        self.asked, self.errors = [], []
        page.on("request", lambda request: self._note(request, path.as_uri()))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._heard)
        page.on("dialog", lambda dialog: (self.errors.append(dialog.message), dialog.dismiss()))
        page.set_default_timeout(8_000)
        page.goto(path.as_uri())
        page.wait_for_function("() => document.querySelector('.leaflet-interactive')")

    def _note(self, request, own):
        if request.url != own and not request.url.startswith("data:"):
            self.asked.append(request.url)

    def _heard(self, message):
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def picture(self, name):
        """Keep a picture of the page."""
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


@contextmanager
def browser() -> Iterator:
    """Start Chromium for a module's tests."""
    from playwright.sync_api import sync_playwright

    path = chromium()
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=_FLAGS)
        yield started
        started.close()
