"""CPython's asyncio: the default event loop, lazy tasks."""

import asyncio
from functools import partial

HOUR = 3600


def start_tasks(length: int, call) -> list:
    return [asyncio.create_task(call(index)) for index in range(length)]


async def trivial(_index: int) -> None:
    pass


async def spawn_and_join(tasks: int) -> None:
    await asyncio.gather(*start_tasks(tasks, trivial))


async def yield_again(yields: int) -> None:
    for _ in range(yields):
        await asyncio.sleep(0)


async def yield_in_tasks(tasks: int, yields: int) -> None:
    await asyncio.gather(*start_tasks(tasks, lambda _index: yield_again(yields)))


async def pass_through_queue(capacity: int, items: int) -> None:
    queue: asyncio.Queue = asyncio.Queue(capacity)

    async def produce() -> None:
        for item in range(items):
            await queue.put(item)

    producer = asyncio.create_task(produce())
    for _ in range(items):
        await queue.get()
    await producer


async def share_semaphore(permits: int, tasks: int, acquisitions: int) -> None:
    semaphore = asyncio.Semaphore(permits)

    async def acquire_again(_index: int) -> None:
        for _ in range(acquisitions):
            async with semaphore:
                await asyncio.sleep(0)

    await asyncio.gather(*start_tasks(tasks, acquire_again))


async def sleep_for(seconds: float) -> None:
    await asyncio.sleep(seconds)


async def sleep_staggered(call, tasks: int, longest: int) -> None:
    await asyncio.gather(*start_tasks(tasks, lambda index: call(index % (longest + 1) / 1000)))


async def cancel_sleepers(call, tasks: int) -> None:
    sleepers = start_tasks(tasks, lambda _index: call(HOUR))
    await asyncio.sleep(0)
    for sleeper in sleepers:
        sleeper.cancel()
    await asyncio.gather(*sleepers, return_exceptions=True)


async def descend(depth: int) -> None:
    if depth > 1:
        await descend(depth - 1)


async def call_nested(depth: int, calls: int) -> None:
    for _ in range(calls):
        await descend(depth)


async def yield_at_depth(depth: int, yields: int) -> None:
    if depth > 1:
        await yield_at_depth(depth - 1, yields)
    else:
        await yield_again(yields)


async def wait_for_future(_index: int) -> None:
    await asyncio.get_running_loop().create_future()


async def park_tasks(call, tasks: int, parked) -> None:
    # asyncio holds its tasks weakly.
    held = start_tasks(tasks, call)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    parked()
    del held


def run(function):
    """A workload that parks nothing."""
    return lambda parameters, _parked: asyncio.run(function(**parameters))


def park(call):
    return lambda parameters, parked: asyncio.run(park_tasks(call, parameters["tasks"], parked))


WORKLOADS = {
    "a": run(spawn_and_join),
    "b": run(yield_in_tasks),
    "c1": run(pass_through_queue),
    "c100": run(pass_through_queue),
    "d": run(share_semaphore),
    "e": run(partial(sleep_staggered, sleep_for)),
    "eo": run(partial(sleep_staggered, asyncio.sleep)),
    "f": run(partial(cancel_sleepers, sleep_for)),
    "fo": run(partial(cancel_sleepers, asyncio.sleep)),
    "g": run(call_nested),
    "h1": park(lambda _index: sleep_for(HOUR)),
    "ho": park(lambda _index: asyncio.sleep(HOUR)),
    "h2": park(wait_for_future),
    "resume": run(yield_at_depth),
}
