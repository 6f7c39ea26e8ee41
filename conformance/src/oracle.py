"""Runs random programs on CPython's asyncio, under a virtual clock, and records what happens.

What asyncio leaves to chance is given an order here, the one that corio documents: timers with equal deadlines fire
in the order they were made, and where asyncio iterates over a set of tasks, they come in the order they were added.
"""

import asyncio
import contextvars
import gc
import json
import logging
import math
import sys
import warnings

# Pyodide's own loop is always running.
asyncio._set_running_loop(None)
warnings.simplefilter("ignore")
logging.disable()
# What is left of a program after a deadlock is of no interest.
sys.unraisablehook = lambda _: None


# ── Order where asyncio has none ─────────────────────────────────────────────────────────────────────────────────────


class OrderedSet(dict):
    """As much of a set as asyncio uses, in the order of insertion."""

    def __init__(self, items=()):
        super().__init__((item, None) for item in items)

    def add(self, item):
        self[item] = None

    def discard(self, item):
        self.pop(item, None)

    def remove(self, item):
        del self[item]


class OrderedTimerHandle(asyncio.TimerHandle):
    __slots__ = ("serial",)
    made = 0

    def __init__(self, *args):
        super().__init__(*args)
        OrderedTimerHandle.made += 1
        self.serial = OrderedTimerHandle.made

    def __lt__(self, other):
        return (self._when, self.serial) < (other._when, other.serial)


asyncio.events.TimerHandle = OrderedTimerHandle

plain_group_init = asyncio.TaskGroup.__init__


def ordered_group_init(self):
    plain_group_init(self)
    self._tasks = OrderedSet()


asyncio.TaskGroup.__init__ = ordered_group_init


def ordered_as_completed_init(self, aws, timeout):
    """CPython's own, with ordered sets."""
    self._done = asyncio.Queue()
    self._timeout_handle = None
    loop = asyncio.get_running_loop()
    todo = OrderedSet([asyncio.ensure_future(aw, loop=loop) for aw in OrderedSet(aws)])
    for future in todo:
        future.add_done_callback(self._handle_completion)
    if todo and timeout is not None:
        self._timeout_handle = loop.call_later(timeout, self._handle_timeout)
    self._todo = todo
    self._todo_left = len(todo)


asyncio.tasks._AsCompletedIterator.__init__ = ordered_as_completed_init

class GatheringFuture(asyncio.tasks._GatheringFuture):
    """A cancelled gather has its own message, not whatever the last of its children was cancelled with."""

    def cancel(self, msg=None):
        accepted = super().cancel(msg)
        if accepted:
            self.message = msg
        return accepted

    def set_exception(self, exception):
        if self._cancel_requested and isinstance(exception, asyncio.CancelledError):
            exception = asyncio.CancelledError() if self.message is None else asyncio.CancelledError(self.message)
        super().set_exception(exception)


asyncio.tasks._GatheringFuture = GatheringFuture

task_serials = {}
plain_all_tasks = asyncio.tasks.all_tasks


def ordered_all_tasks(loop=None):
    """In the order they were made: `run` cancels what is left over in this order."""
    return sorted(plain_all_tasks(loop), key=lambda task: task_serials.get(task, 0))


asyncio.tasks.all_tasks = ordered_all_tasks


# ── The loop ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Deadlock(BaseException):
    """Nothing can ever happen again."""


class VirtualLoop(asyncio.base_events.BaseEventLoop):
    """Its clock jumps to the next timer when nothing is ready; a deadlock cancels what `run` waits for, once."""

    def __init__(self):
        super().__init__()
        self._selector = self
        self.now = 0.0
        self.main = None
        self.tasks_made = 0
        self.is_deadlocked = False
        self.is_closing = False

    def time(self):
        return self.now

    @property
    def _clock_resolution(self):
        """So small that only timers which are due now are."""
        return math.ulp(self.now)

    @_clock_resolution.setter
    def _clock_resolution(self, resolution):
        pass

    def select(self, timeout):
        if timeout is None:
            self.break_deadlock()
        elif timeout > 0:
            self.now = self._scheduled[0]._when
        return ()

    def break_deadlock(self):
        if self.is_deadlocked or self.is_closing or not self.main.cancel("deadlock"):
            raise Deadlock
        self.is_deadlocked = True

    def _process_events(self, events):
        pass

    def run_until_complete(self, future):
        self.main = asyncio.ensure_future(future, loop=self)
        self.is_deadlocked = False
        return super().run_until_complete(self.main)

    def create_task(self, coro, **options):
        # Before an eager first step, in which it may make others.
        self.tasks_made += 1
        serial = self.tasks_made
        task = super().create_task(coro, **options)
        task_serials[task] = serial
        return task

    def call_soon_threadsafe(self, callback, *args, context=None):
        return self.call_soon(callback, *args, context=context)


# ── What programs use ────────────────────────────────────────────────────────────────────────────────────────────────


class Boom(Exception):
    pass


def boom(label):
    return Boom(label)


def cancelled(label):
    return asyncio.CancelledError(label)


def group(label):
    return ExceptionGroup("group", [Boom(label + "a"), Boom(label + "b")])


async def stubborn():
    try:
        await asyncio.sleep(1)
    except asyncio.CancelledError:
        return "refused"


async def notified(condition):
    async with condition:
        return await condition.wait()


class Slots:
    pass


class Recorder:
    def __init__(self):
        self.trace = []
        self.loop = None
        self.slots = Slots()
        # Everything stays alive: a collected coroutine would run its finally blocks in whatever task is current.
        self.kept = []
        # A task waits only for what has a higher rank than itself.
        self.ranks = {}
        self.last_rank = 0
        self.names = {}
        self.aliases = {}
        self.is_closed = False
        self.count = 0

    def namespace(self):
        names = {name: getattr(asyncio, name) for name in asyncio.__all__}
        for method in ("log", "attempt", "rank", "enter", "has", "waitable", "keep", "named", "bump", "reached", "reschedule", "pair"):
            names[method] = getattr(self, method)
        names |= {
            "v": self.slots,
            "loop": self.loop,
            "Boom": Boom,
            "boom": boom,
            "cancelled": cancelled,
            "group": group,
            "stubborn": stubborn,
            "notified": notified,
            "size": len,
            "all_tasks": asyncio.tasks.all_tasks,
            "ContextVar": lambda name, default_value: contextvars.ContextVar(name, default=default_value),
            "copy_context": contextvars.copy_context,
        }
        return names

    def record(self, who, label, value=None):
        if not self.is_closed:
            self.trace.append(f"{number(self.loop.time())} {who} {label} {self.show(value)}")

    def log(self, label, value=None):
        try:
            task = asyncio.current_task()
        except RuntimeError:
            task = None
        self.record("-" if task is None else self.alias(task), label, value)

    def attempt(self, label, call):
        try:
            value = call()
        except BaseException as error:
            value = error
        self.log(label, value)

    def alias(self, task):
        name = task.get_name()
        if not name.startswith("Task-"):
            return name
        return self.aliases.setdefault(name, f"?{len(self.aliases) + 1}")

    def enter(self, function):
        task = asyncio.current_task()
        if task not in self.ranks:
            self.ranks[task] = self.rank()
        self.log(function)

    def named(self, slot):
        self.names[slot] = self.names.get(slot, 0) + 1
        return slot if self.names[slot] == 1 else f"{slot}.{self.names[slot]}"

    def rank(self, *parts):
        """Of what is about to be made: it waits for `parts`."""
        self.last_rank += 1
        return min([self.last_rank, *(self.ranks.get(part, math.inf) for part in parts)])

    def keep(self, slot, rank, made):
        self.kept.append(made)
        self.ranks.setdefault(made, rank)
        setattr(self.slots, slot, made)
        return made

    def has(self, *slots):
        return all(hasattr(self.slots, slot) for slot in slots)

    def waitable(self, *slots):
        if not self.has(*slots):
            return False
        rank = self.ranks[asyncio.current_task()]
        return all(self.ranks.get(getattr(self.slots, slot), math.inf) > rank for slot in slots)

    def reschedule(self, timeout, when):
        try:
            timeout.reschedule(when)
        except RuntimeError:
            return "refused"

    def pair(self, done_and_pending):
        return [sorted(map(self.show, each)) for each in done_and_pending]

    def bump(self):
        self.count += 1
        return self.count

    def reached(self, count):
        return lambda: self.count >= count

    def handle_exception(self, loop, context):
        message = context["message"]
        if "never retrieved" in message or "destroyed" in message:
            return
        exception = context.get("exception")
        if message.startswith("Exception in callback"):
            message = "callback"
        elif message.endswith("exception in shielded future"):
            message = "shield"
        elif message.startswith("unhandled exception during"):
            message = "shutdown"
        elif "has errored out but its parent" in message:
            message = "orphan"
        self.record("!", message, exception)

    def show(self, value):
        if value is None or value is True or value is False:
            return {None: "null", True: "true", False: "false"}[value]
        if isinstance(value, (int, float)):
            return number(value)
        if isinstance(value, str):
            return value
        if isinstance(value, (list, tuple)):
            return f"[{', '.join(map(self.show, value))}]"
        if isinstance(value, BaseExceptionGroup):
            return f"Group{self.show(value.exceptions)}"
        if isinstance(value, (Boom, asyncio.CancelledError)):
            return f"{type(value).__name__}({', '.join(map(str, value.args))})"
        if isinstance(value, BaseException):
            return type(value).__name__
        if isinstance(value, asyncio.Task):
            return f"<{self.alias(value)}>"
        if isinstance(value, asyncio.Future):
            return "<future>"
        return f"<{type(value).__name__}>"


def number(value):
    return repr(value).removesuffix(".0")


def run_program(source, mains, eager):
    task_serials.clear()
    recorder = Recorder()
    runner = asyncio.Runner(loop_factory=VirtualLoop)
    loop = recorder.loop = runner.get_loop()
    loop.set_exception_handler(recorder.handle_exception)
    if eager:
        loop.set_task_factory(asyncio.eager_task_factory)
    names = recorder.namespace()
    exec(compile(source, "program", "exec"), names)
    try:
        for index in range(mains):
            try:
                recorder.record("=", "run", runner.run(names[f"f{index}"]()))
            except (Exception, asyncio.CancelledError) as error:
                was_broken = loop.is_deadlocked and loop.main.cancelled()
                recorder.record("=", "run", "broken deadlock" if was_broken else error)
        # What the runner does when it is closed.
        loop.is_closing = True
        asyncio.runners._cancel_all_tasks(loop)
        recorder.record("=", "closed")
    except Deadlock:
        recorder.record("=", "deadlock")
    recorder.is_closed = True
    loop._ready.clear()
    loop._scheduled.clear()
    asyncio._set_running_loop(None)
    try:
        loop.close()
    finally:
        runner._state = asyncio.runners._State.CLOSED
    return recorder.trace


def run_batch(programs):
    """A list of [source, mains, eager] in JSON; a list of traces in JSON."""
    traces = []
    for source, mains, eager in json.loads(programs):
        gc.disable()
        traces.append(run_program(source, mains, eager))
        gc.enable()
        gc.collect()
    return json.dumps(traces)


gc.collect()
gc.freeze()
