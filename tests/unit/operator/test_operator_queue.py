"""The work queue, with real but tiny delays."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from finetune_operator.queue import LONGEST_BACKOFF_SECONDS, Closed, Queue

A, B = ("team-a", "first"), ("team-a", "second")
SOON, LATER = 0.02, 0.08


def in_loop(work: Callable[[Queue], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(5):
            await work(Queue())

    asyncio.run(run())


async def key_of(queue: Queue) -> tuple[str, str]:
    key, waited = await queue.get()
    assert waited >= 0
    return key


async def empty(queue: Queue, seconds: float = SOON) -> bool:
    """Whether nothing is handed out for so long."""
    try:
        async with asyncio.timeout(seconds):
            await queue.get()
    except TimeoutError:
        return True
    return False


def test_keys_come_in_order_and_each_once() -> None:
    async def work(queue: Queue) -> None:
        for key in (A, B, A, A):
            queue.add(key)
        assert len(queue) == 2
        assert [await key_of(queue), await key_of(queue)] == [A, B]
        assert await empty(queue)

    in_loop(work)


def test_a_key_is_with_one_worker_at_a_time_and_comes_again_if_there_was_news() -> None:
    async def work(queue: Queue) -> None:
        queue.add(A)
        await queue.get()
        queue.add(A)
        queue.add(A)
        assert await empty(queue)
        queue.done(A)
        assert await key_of(queue) == A
        queue.done(A)
        assert await empty(queue)
        assert len(queue) == 0

    in_loop(work)


def test_a_worker_that_waits_is_woken() -> None:
    async def work(queue: Queue) -> None:
        workers = [asyncio.create_task(key_of(queue)) for _ in range(2)]
        await asyncio.sleep(0)
        queue.add(A)
        queue.add(B)
        assert {await worker for worker in workers} == {A, B}

    in_loop(work)


@pytest.mark.parametrize(
    "delays",
    [pytest.param([SOON, 60], id="a later one changes nothing"), pytest.param([60, SOON], id="a sooner one wins")],
)
def test_a_key_comes_at_the_soonest_moment_asked_for_and_once(delays: list[float]) -> None:
    async def work(queue: Queue) -> None:
        for seconds in delays:
            queue.add_later(A, seconds)
        assert await empty(queue, SOON / 4)
        assert await key_of(queue) == A
        queue.done(A)
        assert await empty(queue, LATER)

    in_loop(work)


def test_news_come_before_the_moment_and_instead_of_it() -> None:
    async def work(queue: Queue) -> None:
        queue.add_later(A, SOON)
        queue.add(A)
        assert await key_of(queue) == A
        queue.done(A)
        assert await empty(queue, LATER)

    in_loop(work)


def test_no_delay_is_at_once() -> None:
    async def work(queue: Queue) -> None:
        queue.add_later(A, 0)
        assert await key_of(queue) == A

    in_loop(work)


def test_what_falls_due_while_it_is_worked_on_comes_afterwards() -> None:
    async def work(queue: Queue) -> None:
        queue.add(A)
        await queue.get()
        queue.add_later(A, SOON)
        assert await empty(queue, LATER)
        queue.done(A)
        assert await key_of(queue) == A

    in_loop(work)


def test_failures_wait_twice_as_long_each_time_and_are_forgotten_by_success() -> None:
    async def work(queue: Queue) -> None:
        assert [queue.failed(A) for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
        assert queue.failed(B) == 0.5
        queue.done(A)
        assert queue.failed(A) == 0.5

    in_loop(work)


def test_a_key_that_fails_for_days_is_still_tried_every_minute() -> None:
    async def work(queue: Queue) -> None:
        assert [queue.failed(A) for _ in range(3_000)][-1] == LONGEST_BACKOFF_SECONDS

    in_loop(work)


def test_news_that_came_during_a_failure_do_not_get_around_the_wait() -> None:
    async def work(queue: Queue) -> None:
        queue.add(A)
        await queue.get()
        queue.add(A)
        assert queue.failed(A) == 0.5
        assert await empty(queue, LATER)
        assert await key_of(queue) == A

    in_loop(work)


def test_a_server_that_asks_for_time_is_given_it() -> None:
    async def work(queue: Queue) -> None:
        assert [queue.failed(A, at_least=seconds) for seconds in (30, 0, 0.5)] == [30, 1, 2]

    in_loop(work)


def test_a_closed_queue_hands_out_nothing_and_wakes_who_waits() -> None:
    async def work(queue: Queue) -> None:
        worker = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        queue.close()
        with pytest.raises(Closed):
            await worker
        queue.add(A)
        with pytest.raises(Closed):
            await queue.get()
        queue.done(A)

    in_loop(work)
