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
# What is collected after a program runs its finally blocks: nothing there may begin anew, on Pyodide's loop.
asyncio.events.get_event_loop = asyncio.get_running_loop
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


class Completion:
    """What a group waits for at its end; it knows whether that was interrupted."""

    interruption = None

    def __init__(self, future):
        self.done = future.done
        self.set_result = future.set_result
        self.future = future

    def __await__(self):
        try:
            yield from self.future
        except asyncio.CancelledError as error:
            self.interruption = error
            raise


class TaskGroup(asyncio.TaskGroup):
    """Ordered, and with what Python 3.15 adds to it: `cancel`."""

    completion = None
    interruption = None

    @property
    def _on_completed_fut(self):
        return self.completion

    @_on_completed_fut.setter
    def _on_completed_fut(self, future):
        if future is None:
            if self.completion is not None:
                self.interruption = self.completion.interruption or self.interruption
            self.completion = None
        else:
            self.completion = Completion(future)

    def __init__(self):
        super().__init__()
        self._tasks = OrderedSet()
        self.is_cancelled = False

    async def __aenter__(self):
        await super().__aenter__()
        self.parent = self._parent_task
        self.requests = self.parent.cancelling()
        return self

    def create_task(self, coro, **options):
        task = super().create_task(coro, **options)
        # In its eager first step, before it was a member, it may have cancelled the group.
        if self._aborting and not task.done():
            task.cancel()
        return task

    def cancel(self):
        if self._aborting or self._exiting and not self._tasks:
            return
        self.is_cancelled = True
        self._abort()
        self._parent_cancel_requested = True
        self._parent_task.cancel()

    async def __aexit__(self, kind, error, traceback):
        """A cancelled group ends without an error, unless somebody else has cancelled its task too."""
        try:
            suppressed = await super().__aexit__(kind, error, traceback)
        except asyncio.CancelledError:
            if self.is_cancelled and self.parent.cancelling() <= self.requests:
                return True
            raise
        if not self.is_cancelled:
            return suppressed
        if self.parent.cancelling() > self.requests and self.interruption is not None:
            raise self.interruption
        return True

    async def join(self):
        raise RuntimeError("for explicit groups")


class ExplicitGroup(TaskGroup):
    """What corio's `new TaskGroup()` is: joined by hand. A block that ends without that has failed."""

    is_joined = False

    async def join(self):
        if self._exiting or asyncio.current_task() is not self.parent:
            raise RuntimeError("cannot be joined")
        try:
            await super().__aexit__(None, None, None)
        finally:
            self.is_joined = True

    async def __aexit__(self, *_):
        if self.is_joined:
            return
        if not self._aborting:
            self._abort()
            self.is_cancelled = True
        await super().__aexit__(None, None, None)


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
    """With return_exceptions, a cancelled gather has its own message, not that of its last child."""

    returns_exceptions = False

    def cancel(self, msg=None):
        accepted = super().cancel(msg)
        if accepted:
            self.message = msg
        return accepted

    def set_exception(self, exception):
        if self.returns_exceptions and self._cancel_requested and isinstance(exception, asyncio.CancelledError):
            exception = asyncio.CancelledError() if self.message is None else asyncio.CancelledError(self.message)
        super().set_exception(exception)


asyncio.tasks._GatheringFuture = GatheringFuture


def report_unseen_failure(inner):
    """A failure behind a cancelled shield is reported unless somebody else, who awaits the same, gets it (gh-156321)."""
    if not inner.cancelled() and inner._log_traceback:
        inner.get_loop().call_soon(report_if_unseen, inner)


plain_report = asyncio.tasks._log_on_exception


def report_if_unseen(inner):
    if inner._log_traceback:
        plain_report(inner)


asyncio.tasks._log_on_exception = report_unseen_failure


def gather(*awaitables, return_exceptions=False):
    outer = asyncio.gather(*awaitables, return_exceptions=return_exceptions)
    if isinstance(outer, GatheringFuture):
        outer.returns_exceptions = return_exceptions
    return outer


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


class OwnGroup(ExceptionGroup):
    def derive(self, errors):
        return OwnGroup(self.message, errors)


def nested(label, shape, own):
    made = (OwnGroup if own else BaseExceptionGroup)(label, [leaf(f"{label}.{index}", each) for index, each in enumerate(shape)])
    if own:
        made.__cause__ = Boom("cause")
    return made


def leaf(label, kind):
    if isinstance(kind, list):
        return nested(label, kind, False)
    return {"boom": Boom, "timeout": TimeoutError, "cancelled": asyncio.CancelledError}[kind](label)


def is_first(error):
    return isinstance(error, Boom) and str(error).endswith(".0")


def is_pair(error):
    return isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 2


def is_anything(error):
    return True


def is_nothing(error):
    return False


def raise_rest(error, condition):
    rest = error.split(condition)[1]
    if rest is not None:
        raise rest


class hold:
    """corio's guards: what was acquired may be released before the end of the block."""

    def __init__(self, held):
        self.held = held

    async def __aenter__(self):
        await self.held.acquire()
        return self

    def release(self):
        held, self.held = self.held, None
        if held is not None:
            held.release()

    async def __aexit__(self, *_):
        self.release()


class items:
    """corio's queues can be iterated until they are shut down."""

    def __init__(self, queue):
        self.queue = queue

    def __aiter__(self):
        return self

    async def __anext__(self):
        try:
            return await self.queue.get()
        except asyncio.QueueShutDown:
            raise StopAsyncIteration from None


async def iterated(queue):
    async for item in items(queue):
        return item
    return "end"


async def settler(future, how):
    if how == "result":
        future.set_result("settled")
    elif how == "exception":
        future.set_exception(Boom("settled"))
    else:
        future.cancel()


async def stubborn():
    try:
        await asyncio.sleep(1)
    except asyncio.CancelledError:
        return "refused"


async def notified(condition):
    async with condition:
        return await condition.wait()


def run_in(context, callback):
    """A context cannot be entered twice; in Python a task has entered its context, in corio it has not."""
    has_begun = False

    def begin():
        nonlocal has_begun
        has_begun = True
        callback()

    try:
        context.run(begin)
    except RuntimeError:
        if has_begun:
            raise
        callback()


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
        self.taken = {}

    def namespace(self):
        names = {name: getattr(asyncio, name) for name in asyncio.__all__}
        for method in ("log", "attempt", "rank", "enter", "has", "stale", "waitable", "keep", "named", "bump", "reached", "enough", "reschedule", "pair"):
            names[method] = getattr(self, method)
        names |= {
            "v": self.slots,
            "loop": self.loop,
            "Boom": Boom,
            "boom": boom,
            "cancelled": cancelled,
            "group": group,
            "gather": gather,
            "TaskGroup": TaskGroup,
            "ExplicitGroup": ExplicitGroup,
            "nested": nested,
            "is_first": is_first,
            "is_pair": is_pair,
            "is_anything": is_anything,
            "is_nothing": is_nothing,
            "raise_rest": raise_rest,
            "hold": hold,
            "items": items,
            "iterated": iterated,
            "settler": settler,
            "stubborn": stubborn,
            "notified": notified,
            "size": len,
            "all_tasks": asyncio.tasks.all_tasks,
            "ContextVar": lambda name, default_value: contextvars.ContextVar(name, default=default_value),
            "copy_context": contextvars.copy_context,
            "run_in": run_in,
            "soon_in": lambda context, callback: self.loop.call_soon(callback, context=context),
            "run": lambda coroutine: self.runner.run(coroutine),
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
        return all(hasattr(self.slots, slot) and not self.is_stale(slot) for slot in slots)

    def is_stale(self, slot):
        """It is a future of a loop that is closed."""
        future = getattr(self.slots, slot, None)
        return isinstance(future, asyncio.Future) and future.get_loop() is not self.loop

    def stale(self, slot):
        if not self.is_stale(slot):
            return False
        # CPython forgets to clear this when a task of another loop waits, and the next one gets another error.
        getattr(self.slots, slot)._asyncio_future_blocking = False
        return True

    def waitable(self, *slots):
        if not self.has(*slots):
            return False
        rank = self.ranks[asyncio.current_task()]
        return all(self.ranks.get(getattr(self.slots, slot), math.inf) > rank for slot in slots)

    def reschedule(self, timeout, when):
        if not self.loop.is_running():
            return "outside"
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

    def enough(self, label, most):
        """True every `most` times."""
        self.taken[label] = self.taken.get(label, 0) + 1
        return self.taken[label] % most == 0

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
        if isinstance(value, OwnGroup):
            return f"Own({value.message}, {self.show(value.__cause__)}){self.show(value.exceptions)}"
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


def open_runner(recorder, eager):
    runner = asyncio.Runner(loop_factory=VirtualLoop)
    recorder.runner = runner
    loop = recorder.loop = runner.get_loop()
    loop.set_exception_handler(recorder.handle_exception)
    if eager:
        loop.set_task_factory(asyncio.eager_task_factory)
    return runner


def close_runner(runner, loop):
    """What is not left to the runner was done by hand."""
    loop._ready.clear()
    loop._scheduled.clear()
    asyncio._set_running_loop(None)
    try:
        loop.close()
    finally:
        runner._state = asyncio.runners._State.CLOSED


def run_program(source, mains, restarts, eager):
    task_serials.clear()
    recorder = Recorder()
    runner = open_runner(recorder, eager)
    names = recorder.namespace()
    exec(compile(source, "program", "exec"), names)
    try:
        for index in range(mains):
            if index > 0:
                run_between(recorder, names.get(f"between{index - 1}"))
            if index in restarts:
                end_run(recorder)
                if plain_all_tasks(recorder.loop):
                    break
                close_runner(runner, recorder.loop)
                runner = open_runner(recorder, eager)
                names["loop"] = recorder.loop
            loop = recorder.loop
            try:
                recorder.record("=", "run", runner.run(names[f"f{index}"]()))
            except (Exception, BaseExceptionGroup, asyncio.CancelledError) as error:
                was_broken = loop.is_deadlocked and loop.main.cancelled()
                recorder.record("=", "run", "broken deadlock" if was_broken else error)
        else:
            end_run(recorder)
    except Deadlock:
        recorder.record("=", "deadlock")
    recorder.is_closed = True
    close_runner(runner, recorder.loop)
    return recorder.trace


def run_between(recorder, work):
    try:
        if work is not None:
            work()
    except BaseException as error:
        recorder.record("=", "between", error)


def end_run(recorder):
    """What the runner does when it is closed."""
    recorder.loop.is_closing = True
    asyncio.runners._cancel_all_tasks(recorder.loop)
    recorder.record("=", "closed")


def run_batch(programs):
    """A list of [source, mains, restarts, eager] in JSON; a list of traces in JSON."""
    traces = []
    for program in json.loads(programs):
        gc.disable()
        traces.append(run_program(*program))
        gc.enable()
        gc.collect()
    return json.dumps(traces)


gc.collect()
gc.freeze()
