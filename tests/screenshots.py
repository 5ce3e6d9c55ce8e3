"""Pictures of every page of the console, on a phone and on a desk, in Chinese and English: ``make screenshots``.

They come from a town that is made for them, so that they can be made again whenever a page changes; four are shown in the README.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from types import SimpleNamespace
from typing import Final

import console_pages
from console_worlds import Visitor
from playwright.sync_api import Browser, sync_playwright
from rich.progress import track
from test_prospectus_pages import CHROMIUM

from rangli.service import Service
from rangli.store.database import Database
from rangli.store.server import EmbeddedServer
from rangli.web.console.door import COOKIE
from rangli.web.serving import Server, listen

ROOT: Final = Path(__file__).parents[1]
SIZES: Final = {"phone": (390, 844), "desk": (1280, 860)}
README: Final = {
    "overview.png": ("/p/{programme}", "desk", "zh"),
    "order.png": ("/p/{programme}/orders/{order_id}", "desk", "zh"),
    "draft.png": ("/p/{programme}/drafts/{number}", "desk", "en"),
    "phone.png": ("/p/{programme}", "phone", "zh"),
}
"""Shown in the README: file -> door, size, language."""


@contextmanager
def town() -> Iterator[tuple[Service, str]]:
    """A live service with a town behind it, and its address."""
    with TemporaryDirectory(prefix="rangli-pictures-") as name:
        Path(name).chmod(0o755)
        ready = Event()
        with (
            EmbeddedServer.start(Path(name) / "data") as server,
            Database(server.url, server.revive) as database,
            Service.open(database) as service,
            listen("127.0.0.1", 0) as door,
        ):
            web = Server(service, ready=ready.set)
            thread = Thread(target=web.run, args=([door],))
            thread.start()
            ready.wait()
            try:
                yield service, f"http://127.0.0.1:{door.getsockname()[1]}"
            finally:
                web.should_exit = True
                thread.join()


def take(browser: Browser, visitor: Visitor, url: str, path: str, to: Path, size: str, language: str) -> None:
    """One picture of the part of a page that one sees first."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, device_scale_factor=1)
    context.add_cookies([
        {"name": COOKIE, "value": visitor.token, "url": url},
        {"name": "rangli_language", "value": language, "url": url},
        {"name": "rangli_theme", "value": "light", "url": url},
    ])  # fmt: skip
    page = context.new_page()
    page.goto(f"{url}/console{path}", wait_until="load")
    page.wait_for_timeout(400)  # pictures are drawn after the page is there
    to.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(to))
    context.close()


def main() -> None:
    """Take all of them, or those of the README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "screenshots", help="where to")
    parser.add_argument("--readme", action="store_true", help="only the four of the README, into docs/pictures")
    asked = parser.parse_args()
    if CHROMIUM is None:
        sys.exit("没有找到 Chromium;make browser 会安装它 · there is no Chromium; `make browser` installs it")
    with town() as (service, url), sync_playwright() as playwright:
        visitor = Visitor(SimpleNamespace(service=service, url=url), "owner", None, "陈店长")  # type: ignore[arg-type]  # all it needs
        bare = console_pages.build(service)
        there = console_pages.pages(console_pages.furnish(service, service.staff.member(visitor.token), bare))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        wanted = [
            (there[path], ROOT / "docs" / "pictures" / name, size, language) for name, (path, size, language) in README.items()
        ]
        if not asked.readme:
            wanted += [
                (path, asked.out / f"{size}-{language}" / f"{_name(door)}.png", size, language)
                for door, path in there.items()
                for size in SIZES
                for language in ("zh", "en")
            ]
        for path, to, size, language in track(wanted, "拍摄 · taking pictures"):
            take(browser, visitor, url, path, to, size, language)
        browser.close()
        visitor.close()


def _name(door: str) -> str:
    """A door's address as a file's name."""
    return door.strip("/").replace("{", "").replace("}", "").replace("/", "-") or "first"


if __name__ == "__main__":
    main()
