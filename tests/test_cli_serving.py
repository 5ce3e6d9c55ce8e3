"""``rangli serve`` and ``rangli demo``: real processes on embedded servers, from the first start to a clean stop."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from cli_runs import SLOW_LANE, run, said_until
from databases import end, left_in, processes_in, scratch
from web_worlds import opened_port, until

from rangli.cli.face import Face
from rangli.errors import FieldRefused
from rangli.service import Service

NAME: Final = "noodles"
HEADER: Final = "order_id,paid_at,merchant,consumer,amount,concession\n"


def orders(folder: Path, first: int, count: int) -> str:
    """A file of orders, so many from number ``first`` on; its name."""
    rows = [f"A{n},2026-01-05 12:{n % 60:02}:00,shop,c{n % 7},{n + 1},20%\n" for n in range(first, first + count)]
    name = f"orders-{first}.csv"
    folder.joinpath(name).write_text(HEADER + "".join(rows), "utf-8")
    return name


class Serving:
    """A service in a process of its own, and what it announced."""

    def __init__(self, process: subprocess.Popen[str], data: Path, said: dict[str, Any]) -> None:
        self.process = process
        self.data = data
        self.said = said
        self.port = int(said["api"].rpartition(":")[2])

    def there(self, key: str) -> str:
        """The options of a command that goes through its API."""
        return f"--url {self.said['api']} --key {key}"


@contextmanager
def serving(data: Path, *more: str) -> Iterator[Serving]:
    """``rangli serve`` on a folder; it is told to stop at the end, and stops cleanly."""
    command = [sys.executable, "-m", "rangli", "serve", "--port", "0", "--data", str(data), "--json", *more]
    env = {name: value for name, value in os.environ.items() if not name.startswith("RANGLI_")}
    with subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            serving = Serving(process, data, json.loads(said_until(process, "\n}\n")))
            with opened_port(serving.port):
                until(lambda: httpx.get(f"{serving.said['api']}/readyz").status_code == 200)
                yield serving
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=30)
            assert (0, "") == (process.returncode, out)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def programme_folder(_pristine: Path) -> Iterator[Path]:
    """A data folder with a programme in it, for all tests here; they use ids of their own."""
    with scratch() as folder:
        subprocess.run(["/bin/cp", "-a", _pristine, folder / "data"], check=True)
        assert 0 == run(f"programme create {NAME} weituanbao --secret 2a --data {folder}/data").status
        yield folder / "data"


def test_a_service_is_used_through_its_api_and_proved_beside_it(programme_folder: Path) -> None:
    """One process settles; others import and read through it, verify, examine and back up beside it; then it stops cleanly."""
    data, folder = programme_folder, programme_folder.parent
    file = orders(folder, 0, 60)
    with serving(data) as service:
        key = service.said["key"]
        here = run(f"import {file} --programme {NAME} --data {data}", folder=folder)
        first, again = (
            run(f"import {file} --programme {NAME} {service.there(key)} --json", folder=folder).facts for _ in range(2)
        )
        told = run(f"statement platform:surplus --programme {NAME} {service.there(key)} --json --limit 3").facts
        verified = run(f"verify --data {data} --json")
        looked = run(f"doctor --data {data} --json")
        kept = run(f"backup {folder}/beside.zip --data {data} --json")
        assert service.said["programmes"] == [{"name": NAME, "plan": "weituanbao"}]

        assert 2 == here.status
        assert "go through its API" in here.err
    assert [(60, 0), (0, 60)] == [(one["settled"], one["repeated"]) for one in (first, again)]
    assert (3, 61) == (len(told["entries"]), told["position"])
    assert (0, 61) == (verified.status, verified.facts["programmes"][0]["position"])
    settler = next(one for one in looked.facts["findings"] if one["check"] == f"{NAME}: settler")
    assert (0, "ok") == (looked.status, settler["state"])
    assert 61 == kept.facts["programmes"][0]["position"]
    assert [] == left_in(data)
    after = run(f"statement platform:surplus --programme {NAME} --data {data} --json --limit 3").facts
    assert told["entries"] == after["entries"]


def test_a_service_believes_the_proxies_that_its_command_names(programme_folder: Path) -> None:
    """An option that is read and goes nowhere looks the same until somebody is locked out."""
    secrets = [run(f"member {act} proxied --data {programme_folder} --json").facts["password"] for act in ("add", "reset")]
    headers = {"x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https"}
    with serving(programme_folder, "--proxy", "10.0.0.0/8", "--proxy", "127.0.0.1") as service:
        api = service.said["api"]
        form = {"name": "proxied", "password": secrets[-1]}
        told = httpx.post(f"{api}/console/sign-in", data=form, headers={"origin": api, **headers})

    assert (303, True) == (told.status_code, "; Secure" in told.headers["set-cookie"])


def test_the_first_key_and_owner_are_shown_once_and_a_second_service_finds_the_port_taken(programme_folder: Path) -> None:
    """Whoever has the terminal's history must not have the service; what the API refuses is told as it would be here."""
    run(f"key create first --data {programme_folder}")
    run(f"member add boss --role owner --data {programme_folder}")
    with serving(programme_folder) as service:
        assert {"key", "owner", "password"}.isdisjoint(service.said)
        assert 0 == run(f"member reset boss --data {programme_folder}").status
        false = run(f"statement a:b --programme {NAME} {service.there('rl_false')} --json")
        made = run(f"key create other --scope read --programme {NAME} --data {programme_folder} --json").facts["key"]
        unknown = run(f"statement a:b --programme {NAME} {service.there(made)} --json")
        taken = run(f"serve --port {service.port} --data {programme_folder}")

        assert (2, "key_refused") == (false.status, false.facts["error"]["code"])
        assert (2, "account_not_found") == (unknown.status, unknown.facts["error"]["code"])
        assert 2 == taken.status
        assert f"cannot listen on 127.0.0.1:{service.port}" in taken.err
    assert [] == left_in(programme_folder)


def test_the_embedded_server_is_started_again_when_it_dies(programme_folder: Path) -> None:
    """An import that is on its way meanwhile goes on, and nothing of it counts twice or is lost."""
    data, folder = programme_folder, programme_folder.parent
    with serving(data) as service:
        key = run(f"key create importer --data {data} --json").facts["key"]
        before = run(f"import {orders(folder, 100, 40)} --programme {NAME} {service.there(key)} --json", folder=folder).facts
        end(processes_in(data))
        until(lambda: processes_in(data) != [])
        after = run(f"import {orders(folder, 120, 40)} --programme {NAME} {service.there(key)} --json", folder=folder).facts

    assert (40, 0) == (before["settled"], before["repeated"])
    assert (20, 20) == (after["settled"], after["repeated"])
    assert 0 == run(f"verify --data {data}").status


def test_people_are_told_where_it_is_in_their_language(made_folder: Path) -> None:
    """Addresses, the key and the owner and that both are shown once, and how to make the first programme."""
    command = [sys.executable, "-m", "rangli", "serve", "--port", "0", "--data", str(made_folder), "--lang", "zh"]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        told = said_until(process, "rangli programme create")
        process.send_signal(signal.SIGINT)

        assert 0 == process.wait(30)
    assert re.search(r"API +http://127\.0\.0\.1:\d+\n文档 +http://127\.0\.0\.1:\d+/docs\n", told)
    assert re.search(r"控制台 +http://127\.0\.0\.1:\d+/console\n", told)
    assert re.search(r"管理密钥 +rl_[0-9a-f]{12}_", told)
    assert re.search(r"所有者 +owner\n一次性密码 +[a-z2-9]{4}(-[a-z2-9]{4}){3}\n", told)
    assert "只显示这一次" in told
    assert [] == left_in(made_folder)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[Service], object]]:
    """Questions to the service at the moment when it would begin to listen; it does not, and the command goes on to its end."""
    questions: list[Callable[[Service], object]] = []

    def serve(service: Service, *, ready: Callable[[str], None], **_: object) -> None:
        ready("http://127.0.0.1:1")
        for question in questions:
            question(service)

    monkeypatch.setattr("rangli.web.serve", serve)
    return questions


def test_it_says_that_it_compiles_and_listens_when_it_has(
    programme_folder: Path, served: list[Callable[[Service], object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a fresh machine that takes a quarter of a minute, which somebody who is not told takes for a fault."""
    told = threading.Event()

    class Telling(Face):
        def note(self, zh: str, en: str) -> None:
            super().note(zh, en)
            told.set()

    monkeypatch.setattr("rangli.service.running.rehearse", lambda *_: told.wait(20))  # it compiles until it has said so
    monkeypatch.setattr("rangli.cli.serving.QUIET_SECONDS", 0)
    monkeypatch.setattr("rangli.cli.serving.Face", Telling)
    served.append(lambda service: roles.update(service.health().programmes))
    roles: dict[str, str] = {}
    ran = run(f"serve --data {programme_folder}")

    assert 0 == ran.status
    assert "preparing the kernels" in ran.err
    assert "warming" != roles[NAME]


@pytest.mark.parametrize("option", ["", " --webhooks-to-private"])
def test_webhooks_go_into_the_operators_network_only_if_that_is_asked_for(
    programme_folder: Path, served: list[Callable[[Service], object]], option: str
) -> None:
    """An address is written by whoever has an admin key and asked from where the service is; the refusal names the switch."""
    told: list[str] = []

    def add(service: Service) -> None:
        try:
            told.append(service.webhooks.add(NAME, "http://10.1.2.3/hook").url)
        except FieldRefused as refused:
            told.extend(re.findall(r"--[a-z-]+", refused.en))

    served.append(add)
    assert 0 == run(f"serve --data {programme_folder}{option}").status

    assert told == (["http://10.1.2.3/hook"] if option else ["--webhooks-to-private"])


# ---------------------------------------------------------------- demo


@pytest.mark.skipif(SLOW_LANE, reason="orders stream at the pace of compiled kernels; all that it calls is tested in both lanes")
def test_the_demonstration_runs_by_itself_proves_everything_and_stays_if_asked(data_folder: Path) -> None:
    """One command, nobody at the keyboard: every order is answered, all of it decided again, exit status 0."""
    ran = run(f"demo --seconds 1 --rate 40 --data {data_folder}")
    told = " ".join(ran.out.split())

    assert 0 == ran.status
    for plan in ("weituanbao", "moudian", "zengzhi"):
        assert re.search(rf"{plan} 40 ", told)
        assert re.search(rf"✓ {plan} \d+", told)
    assert "逐字节相同" in told
    assert "the same to the byte" in told
    assert re.search(r"http://127\.0\.0\.1:\d+/docs", told)
    reports = run(f"verify --data {data_folder} --json").facts["programmes"]
    assert [40, 40, 40] == [one["orders"] for one in reports]
    again = run(f"demo --seconds 1 --data {data_folder}")
    assert 2 == again.status
    assert "begins in an empty folder" in again.err


@pytest.mark.skipif(SLOW_LANE, reason="as above")
def test_the_demonstration_leaves_nothing_unless_asked(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one language if that is asked for, and without a trace on the disk or among the processes."""
    place = data_folder.parent
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    ran = run("demo --seconds 1 --rate 3 --lang en")

    assert 0 == ran.status
    assert not re.search(r"[\u4e00-\u9fff]", ran.out)
    assert ([], []) == (list(place.iterdir()), left_in(place))
