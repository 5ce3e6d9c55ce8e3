"""Jobs: work beside the service, with progress and an end that everybody learns."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import jobs_work
import pytest
import service_worlds
from service_worlds import NOON

from rangli.errors import JobNotFound, JobsBusy
from rangli.service import Service
from rangli.service.clock import SetClock, system_clock
from rangli.service.work import jobs as module
from rangli.service.work.jobs import CANCELLED, DONE, FAILED, RUNNING, Jobs, JobView
from rangli.store.database import Database

house = service_worlds.house
url = service_worlds.url

LONG: Final = {"to": 10_000, "seconds": 0.01}


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    """Jobs without a folder."""
    made = Jobs(system_clock)
    yield made
    made.close()


def start(jobs: Jobs, function: object, supersedes: str = "", kind: str = "test", **arguments: object) -> str:
    """A job of somebody's."""
    assert callable(function)
    return jobs.start(kind, function, arguments, programme="town", by="li", subject="something", supersedes=supersedes)


def until(jobs: Jobs, number: str, state: str, *, is_silent: bool = False) -> JobView:
    """The job as soon as it is in this state and has said something, unless it never does."""
    end = time.monotonic() + 30
    while (view := jobs.get(number)).state != state or (state == RUNNING and not view.done and not is_silent):
        assert time.monotonic() < end, view
        time.sleep(0.005)
    return view


def is_alive(process: int) -> bool:
    """Whether there is such a process."""
    return Path(f"/proc/{process}").exists()


# ---------------------------------------------------------------- what becomes of a job


def test_a_job_ends_with_the_result_of_its_function() -> None:
    """What a page shows is what was computed, with the instants of the service's own clock."""
    jobs = Jobs(SetClock(7))
    try:
        view = jobs.wait(jobs.start("sum", jobs_work.add, {"one": 2, "other": 3}, programme="town", by="li", subject="2 + 3"), 30)
    finally:
        jobs.close()

    expected = JobView(
        id=view.id, kind="sum", subject="2 + 3", programme="town", by="li", state=DONE, asked_at=7, began_at=7, ended_at=7,
        done=1, total=1, zh="加", en="adding", result=5,
    )  # fmt: skip
    assert expected == view


def test_progress_is_seen_while_a_job_runs(jobs: Jobs) -> None:
    """Who waits wants to know for how long; steps are seen in order, and the last one is never left out."""
    number = start(jobs, jobs_work.count, to=30, seconds=0.02)
    seen = [until(jobs, number, RUNNING).done]
    while not (view := jobs.get(number)).is_over:
        seen.append(view.done)
        time.sleep(0.01)

    assert (30, 30, "数到 30", "at 30") == (view.done, view.total, view.zh, view.en)
    assert sorted(seen) == seen
    assert len({*seen}) > 3
    assert list(range(30)) == view.result


def test_a_refusal_carries_its_words_to_whoever_asked(jobs: Jobs) -> None:
    """A fault in what was asked for is the asker's to mend, so he is told in his language."""
    view = jobs.wait(start(jobs, jobs_work.refuse), 30)

    assert (FAILED, "seed:应为整数", "seed: write a whole number") == (view.state, view.error_zh, view.error_en)


def test_a_mistake_of_ours_shows_a_number_and_nothing_else(jobs: Jobs, caplog: pytest.LogCaptureFixture) -> None:
    """A traceback may hold what is nobody's business; whoever runs the service finds it in the log under the number shown."""
    with caplog.at_level(logging.ERROR, "rangli.jobs"):
        view = jobs.wait(start(jobs, jobs_work.fail, words="the wallet of Zhang"), 30)

    assert FAILED == view.state
    assert view.id in view.error_zh
    assert view.id in view.error_en
    assert "Zhang" not in view.error_zh + view.error_en
    assert view.id in caplog.text
    assert "ValueError: the wallet of Zhang" in caplog.text


def test_what_is_no_json_fails_its_job_and_not_the_worker(jobs: Jobs, caplog: pytest.LogCaptureFixture) -> None:
    """A result crosses as JSON; what cannot is a mistake of ours like any other, and the next job has the same warm worker."""
    before = jobs.wait(start(jobs, jobs_work.process), 30).result
    with caplog.at_level(logging.CRITICAL, "rangli.jobs"):
        assert FAILED == jobs.wait(start(jobs, jobs_work.answer_bytes), 30).state

    assert before == jobs.wait(start(jobs, jobs_work.process), 30).result


def test_what_a_function_prints_is_not_taken_for_its_answer(jobs: Jobs) -> None:
    """A library that prints would otherwise end every job that uses it."""
    assert "said" == jobs.wait(start(jobs, jobs_work.chatter), 30).result


def test_a_worker_steps_back_and_compiles_apart(jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settler must not feel it; and of two processes that compile into one cache, one may take the other's code."""
    shared = os.environ["NUMBA_CACHE_DIR"]
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    own = Jobs(system_clock, tmp_path)
    try:
        of_own = own.wait(start(own, jobs_work.weight), 30).result
    finally:
        own.close()
    of_shared = jobs.wait(start(jobs, jobs_work.weight), 30).result

    assert {"nice": 10, "first": "1000", "cache": str(Path(shared, "worker"))} == of_shared | {"nice": min(of_shared["nice"], 10)}
    assert Path(of_own["cache"]).parent == tmp_path


# ---------------------------------------------------------------- cancelling


def test_a_running_job_is_cancelled_within_a_second(jobs: Jobs) -> None:
    """It is shown as cancelled at once, and one that tells its progress frees its worker, which stays warm."""
    worker = jobs.wait(start(jobs, jobs_work.process), 30).result
    number = start(jobs, jobs_work.count, **LONG)
    until(jobs, number, RUNNING)
    began = time.monotonic()
    cancelled = jobs.cancel(number)
    after = jobs.wait(start(jobs, jobs_work.process), 30)

    assert CANCELLED == cancelled.state
    assert cancelled.ended_at >= cancelled.began_at > 0
    assert worker == after.result
    assert time.monotonic() - began < 1


def test_a_silent_job_is_cancelled_by_the_end_of_its_worker(jobs: Jobs) -> None:
    """One that never looks up cannot be asked, so its process is killed and the next job gets another."""
    worker = jobs.wait(start(jobs, jobs_work.process), 30).result
    number = start(jobs, jobs_work.sleep, seconds=300)
    until(jobs, number, RUNNING, is_silent=True)
    began = time.monotonic()
    jobs.cancel(number)
    while is_alive(worker):
        assert time.monotonic() - began < 1
        time.sleep(0.005)
    after = jobs.wait(start(jobs, jobs_work.process), 30)

    assert (DONE, CANCELLED) == (after.state, jobs.get(number).state)
    assert worker != after.result


def test_a_waiting_job_is_cancelled_before_it_began(jobs: Jobs) -> None:
    """It never ran, and the one before it is not disturbed."""
    first = start(jobs, jobs_work.count, to=20, seconds=0.01)
    second = start(jobs, jobs_work.add, one=1, other=1)
    cancelled = jobs.cancel(second)

    assert (CANCELLED, 0) == (cancelled.state, cancelled.began_at)
    assert DONE == jobs.wait(first, 30).state
    assert cancelled == jobs.cancel(second), "what is over stays as it is"


def test_a_newer_job_takes_the_place_of_older_ones_with_its_key(jobs: Jobs) -> None:
    """Whoever types wants the figures of what stands there now; those of other people go on."""
    worker = jobs.wait(start(jobs, jobs_work.process), 30).result
    running = start(jobs, jobs_work.count, "draft 7", **LONG)
    until(jobs, running, RUNNING)
    waiting = start(jobs, jobs_work.count, "draft 7", **LONG)
    other = start(jobs, jobs_work.process, "draft 8")
    newest = start(jobs, jobs_work.process, "draft 7")
    ended = jobs.wait(newest, 30)

    assert [CANCELLED, CANCELLED, DONE] == [jobs.get(number).state for number in (running, waiting, other)]
    assert (DONE, worker) == (ended.state, ended.result), "and the worker is still warm"


# ---------------------------------------------------------------- workers that die, and the end of all


def test_a_worker_that_dies_fails_its_job_and_the_next_gets_another(jobs: Jobs, caplog: pytest.LogCaptureFixture) -> None:
    """Out of memory, the kernel ends the worker; people are told so, and nothing else is lost."""
    with caplog.at_level(logging.CRITICAL, "rangli.jobs"):
        died = jobs.wait(start(jobs, jobs_work.die), 30)
    after = jobs.wait(start(jobs, jobs_work.add, one=1, other=1), 30)

    assert (FAILED, DONE, 2) == (died.state, after.state, after.result)
    assert "-9" in died.error_zh
    assert "out of memory" in died.error_en


def test_a_worker_killed_from_outside_is_replaced_without_a_lost_job(jobs: Jobs) -> None:
    """It may also die between two jobs; the next one must not pay for that."""
    worker = jobs.wait(start(jobs, jobs_work.process), 30).result
    os.kill(worker, 9)
    time.sleep(0.2)
    after = jobs.wait(start(jobs, jobs_work.process), 30)

    assert DONE == after.state, after.error_en
    assert worker != after.result


def test_closing_while_a_job_runs_leaves_no_process() -> None:
    """A service that stops must not leave something behind that computes on for nobody."""
    jobs = Jobs(system_clock)
    worker = jobs.wait(start(jobs, jobs_work.process), 30).result
    numbers = [start(jobs, jobs_work.sleep, seconds=300) for _ in range(3)]
    until(jobs, numbers[0], RUNNING, is_silent=True)
    jobs.close()

    assert not is_alive(worker)
    assert [CANCELLED] * 3 == [jobs.get(number).state for number in numbers]
    with pytest.raises(JobsBusy):
        start(jobs, jobs_work.process)
    jobs.close()


def test_an_idle_worker_is_let_go(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory that it holds is somebody else's again."""
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.05)
    worker = jobs.wait(start(jobs, jobs_work.process), 30).result
    end = time.monotonic() + 10
    while is_alive(worker):
        assert time.monotonic() < end
        time.sleep(0.01)

    assert DONE == jobs.wait(start(jobs, jobs_work.process), 30).state


def test_fifty_jobs_from_eight_threads_all_end_right(jobs: Jobs) -> None:
    """Pages ask from many threads at once; no answer goes astray, and one worker did them all."""
    numbers: dict[int, str] = {}

    def some(of: int) -> None:
        for each in range(of, 50, 8):
            numbers[each] = start(jobs, jobs_work.add, one=each, other=100)

    threads = [threading.Thread(target=some, args=[of]) for of in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results = {each: jobs.wait(number, 30).result for each, number in numbers.items()}

    assert {each: each + 100 for each in range(50)} == results


# ---------------------------------------------------------------- what is remembered


def test_jobs_are_listed_newest_first_by_kind_and_programme(jobs: Jobs) -> None:
    """A list shows what a job is; its result, which may be large, is asked for by its id."""
    first = start(jobs, jobs_work.add, kind="a", one=1, other=1)
    second = start(jobs, jobs_work.add, kind="b", one=1, other=2)
    jobs.wait(second, 30)

    assert [second, first] == [view.id for view in jobs.list()]
    assert [first] == [view.id for view in jobs.list("a")]
    assert [] == jobs.list(programme="village")
    assert [None, None] == [view.result for view in jobs.list(programme="town")]
    with pytest.raises(JobNotFound):
        jobs.get("0123")


def test_memory_is_bounded(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that is typed makes a job a second; the oldest that are over go, and too many at once are refused."""
    monkeypatch.setattr(module, "REMEMBERED_MAX", 3)
    monkeypatch.setattr(module, "WAITING_MAX", 4)
    blocking = start(jobs, jobs_work.count, **LONG)
    until(jobs, blocking, RUNNING)
    some = [start(jobs, jobs_work.add, one=1, other=each) for each in range(4)]
    with pytest.raises(JobsBusy):
        start(jobs, jobs_work.add, one=1, other=1)
    jobs.cancel(blocking)
    jobs.wait(some[-1], 30)

    assert some[:0:-1] == [view.id for view in jobs.list()]


def test_what_is_kept_is_there_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of the lab took minutes and was compared with others; a restart must not cost it, with what it was asked."""
    monkeypatch.setattr(module, "REMEMBERED_MAX", 2)
    folder = tmp_path / "lab"
    facts = {"programme": "town", "by": "li"}
    before = Jobs(system_clock, folder)
    kept = [before.start("run", jobs_work.add, {"one": 1, "other": each}, keep=True, **facts) for each in range(3)]
    passing = before.start("truths", jobs_work.add, {"one": 1, "other": 9}, **facts)
    views = [before.wait(number, 30) for number in kept[1:]]
    before.wait(passing, 30)
    before.close()
    (folder / "other.json").write_text("not ours", encoding="utf-8")
    after = Jobs(system_clock, folder)
    after.close()

    assert kept[:0:-1] == [view.id for view in after.list()]
    assert views == [after.get(number) for number in kept[1:]]
    assert {"one": 1, "other": 2} == views[-1].arguments
    assert 3 == views[-1].result
    assert 0o700 == folder.stat().st_mode & 0o777, "it is nobody else's to read"
    assert {"other.json", *(f"{number}.json" for number in kept[1:])} == {path.name for path in folder.glob("*.json")}


def test_a_folder_that_cannot_be_written_costs_no_result(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A full disk is no reason to lose what is in memory."""
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    jobs = Jobs(system_clock, blocked)
    try:
        number = jobs.start("run", jobs_work.add, {"one": 1, "other": 1}, keep=True, programme="", by="li")
        view = jobs.wait(number, 30)
    finally:
        jobs.close()

    assert 2 == view.result
    assert "cannot be kept" in caplog.text


def test_a_service_ends_its_worker_and_finds_its_runs_again(url: str, tmp_path: Path) -> None:
    """What a service leaves is a folder: no process, and every run that was kept."""
    folder = tmp_path / "lab"
    with Service.open(Database(url), clock=SetClock(NOON), jobs_folder=folder) as service:
        facts = {"programme": "", "by": "li", "keep": True}
        kept = service.jobs.start("run", jobs_work.process, {}, **facts)
        worker = service.jobs.wait(kept, 30).result
        lost = service.jobs.start("run", jobs_work.sleep, {"seconds": 300}, **facts)
        until(service.jobs, lost, RUNNING, is_silent=True)
    with Service.open(Database(url), clock=SetClock(NOON), jobs_folder=folder) as service:
        views = service.jobs.list()

        assert [(kept, NOON)] == [(view.id, view.ended_at) for view in views]
        assert worker == service.jobs.get(kept).result
    assert not is_alive(worker)
