// What is measured. The letters are those of docs/performance.md.

/**
 * The sizes that a workload's function takes: of all the names, those that its point has.
 *
 * @typedef {"tasks" | "yields" | "capacity" | "items" | "permits" | "acquisitions" | "longest" | "milliseconds"
 *   | "depth" | "calls" | "threads" | "atOnce" | "waiters" | "cancelled"} SizeName
 * @typedef {Record<SizeName, number>} Parameters
 *
 * @typedef {object} Workload
 * @property {string} id as `--only` takes it
 * @property {string} title
 * @property {"speed" | "memory" | "scaling"} kind speed: compared with the peers; scaling: a peer with itself, over the points
 * @property {readonly Partial<Parameters>[]} points
 * @property {readonly Partial<Parameters>[]} [quickPoints] with `--quick`
 * @property {(parameters: Parameters) => number} operations of one run
 * @property {Record<string, Partial<Parameters>>} peers those that have the concept, with the sizes that differ for them
 * @property {string} [variantOf] a row of its own that is compared with the peers in the row of that workload
 * @property {SizeName} [pointName] the parameter by which points are told apart
 * @property {boolean} [byCpu] measured in CPU time: the wall clock mostly waits
 */

/** @param {SizeName} name @returns {(parameters: Parameters) => number} */
const count = (name) => (parameters) => parameters[name];

/** @param {SizeName} first @param {SizeName} second @returns {(parameters: Parameters) => number} */
const product = (first, second) => (parameters) => parameters[first] * parameters[second];

/** @param {SizeName} name @param {...number} values */
const steps = (name, ...values) => values.map((value) => ({ [name]: value }));

// Where a peer needs 20 to 100 µs an operation it does fewer of them; its cost is linear in their number.
/** @type {readonly Workload[]} */
export const WORKLOADS = [
  {
    id: "a",
    title: "spawn and join trivial tasks",
    kind: "speed",
    points: [{ tasks: 100_000 }],
    operations: count("tasks"),
    peers: {
      "corio-async": {},
      "corio-generator": {},
      native: {},
      effect: {},
      effection: { tasks: 5000 },
      "p-limit": {},
      "p-queue": {},
      asyncio: {},
    },
  },
  {
    id: "b",
    title: "yields of 1,000 tasks",
    kind: "speed",
    points: [{ tasks: 1000, yields: 1000 }],
    operations: product("tasks", "yields"),
    peers: {
      "corio-async": {},
      "corio-generator": {},
      native: {},
      effect: { yields: 300 },
      effection: { yields: 100 },
      asyncio: { yields: 300 },
    },
  },
  {
    id: "bi",
    title: "yields, one `setImmediate` each",
    kind: "speed",
    variantOf: "b",
    points: [{ tasks: 1000, yields: 1000 }],
    operations: product("tasks", "yields"),
    peers: { native: { yields: 300 } },
  },
  {
    id: "bf",
    title: "what `b` takes at least: functions in frames of AsyncLocalStorage, and a ready queue",
    kind: "speed",
    points: [{ tasks: 1000, yields: 1000 }],
    operations: product("tasks", "yields"),
    peers: { native: {} },
  },
  {
    id: "bg",
    title: "what generators take at least: bare ones, each step in an AsyncResource",
    kind: "speed",
    points: [{ tasks: 1000, yields: 1000 }],
    operations: product("tasks", "yields"),
    peers: { native: {} },
  },
  {
    id: "bt",
    title: "the same, with a ready queue, the current task and a flag that would cancel",
    kind: "speed",
    points: [{ tasks: 1000, yields: 1000 }],
    operations: product("tasks", "yields"),
    peers: { native: {} },
  },
  {
    id: "c1",
    title: "items through a queue of 1",
    kind: "speed",
    points: [{ capacity: 1, items: 1_000_000 }],
    operations: count("items"),
    peers: {
      "corio-async": {},
      "corio-generator": {},
      native: {},
      effect: { items: 300_000 },
      effection: { items: 200_000 },
      asyncio: { items: 100_000 },
    },
  },
  {
    id: "c1i",
    title: "the same, read with `for await`",
    kind: "speed",
    variantOf: "c1",
    points: [{ capacity: 1, items: 1_000_000 }],
    operations: count("items"),
    peers: { "corio-async": {} },
  },
  {
    id: "c100",
    title: "items through a queue of 100",
    kind: "speed",
    points: [{ capacity: 100, items: 1_000_000 }],
    operations: count("items"),
    peers: {
      "corio-async": {},
      "corio-generator": {},
      native: {},
      effect: { items: 300_000 },
      effection: {},
      asyncio: { items: 300_000 },
    },
  },
  {
    id: "c100i",
    title: "the same, read with `for await`",
    kind: "speed",
    variantOf: "c100",
    points: [{ capacity: 100, items: 1_000_000 }],
    operations: count("items"),
    peers: { "corio-async": {} },
  },
  {
    id: "cl",
    title: "what `c100` takes at least: a queue whose operations begin when they are awaited",
    kind: "speed",
    points: [{ capacity: 100, items: 1_000_000 }],
    operations: count("items"),
    peers: { native: {} },
  },
  {
    id: "d",
    title: "acquisitions of a semaphore of 10 by 1,000 tasks",
    kind: "speed",
    points: [{ permits: 10, tasks: 1000, acquisitions: 100 }],
    operations: product("tasks", "acquisitions"),
    peers: {
      "corio-async": {},
      "corio-generator": {},
      native: {},
      effect: { acquisitions: 20 },
      effection: { acquisitions: 50 },
      "p-limit": {},
      "p-queue": {},
      asyncio: {},
    },
  },
  {
    id: "e",
    title: "tasks that sleep 0 to 100 ms",
    kind: "speed",
    points: [{ tasks: 100_000, longest: 100 }],
    operations: count("tasks"),
    peers: {
      "corio-async": {},
      "corio-generator": {},
      native: {},
      effect: {},
      effection: { tasks: 10_000 },
      asyncio: {},
    },
  },
  {
    id: "eo",
    title: "the same, with no function around the sleep",
    kind: "speed",
    points: [{ tasks: 100_000, longest: 100 }],
    operations: count("tasks"),
    peers: { "corio-async": {}, effect: {}, effection: { tasks: 10_000 }, asyncio: {} },
  },
  {
    id: "f",
    title: "spawn, cancel and join sleeping tasks",
    kind: "speed",
    points: [{ tasks: 100_000 }],
    operations: count("tasks"),
    peers: {
      "corio-async": {},
      "corio-generator": {},
      native: { tasks: 20_000 },
      effect: {},
      effection: { tasks: 5000 },
      asyncio: {},
    },
  },
  {
    id: "fo",
    title: "the same, with no function around the sleep",
    kind: "speed",
    points: [{ tasks: 100_000 }],
    operations: count("tasks"),
    peers: { "corio-async": {}, effect: {}, effection: { tasks: 5000 }, asyncio: {} },
  },
  {
    id: "g",
    title: "nested calls, 1,000 deep",
    kind: "speed",
    points: [{ depth: 1000, calls: 1000 }],
    operations: product("depth", "calls"),
    peers: {
      "corio-async": {},
      "corio-generator": {},
      native: {},
      effect: { calls: 300 },
      effection: {},
      asyncio: {},
    },
  },
  {
    id: "gc",
    title: "nested calls of `coroutine` functions",
    kind: "speed",
    variantOf: "g",
    points: [{ depth: 1000, calls: 1000 }],
    operations: product("depth", "calls"),
    peers: { "corio-async": {} },
  },
  {
    id: "gh",
    title: "nested calls of plain generator helpers",
    kind: "speed",
    variantOf: "g",
    points: [{ depth: 1000, calls: 1000 }],
    operations: product("depth", "calls"),
    peers: { "corio-generator": {} },
  },
  {
    id: "s",
    title: "tasks that all sleep 10 ms",
    kind: "speed",
    points: [{ tasks: 100_000, milliseconds: 10 }],
    operations: count("tasks"),
    peers: { "corio-async": {}, "corio-generator": {}, native: {} },
  },
  {
    id: "sf",
    title: "what `s` takes at least: functions in frames of AsyncLocalStorage, and one timer",
    kind: "speed",
    points: [{ tasks: 100_000, milliseconds: 10 }],
    operations: count("tasks"),
    peers: { native: {} },
  },
  {
    id: "st",
    title: "the same, with the objects that a task is made of",
    kind: "speed",
    points: [{ tasks: 100_000, milliseconds: 10 }],
    operations: count("tasks"),
    peers: { native: {} },
  },
  {
    id: "h1",
    title: "a task parked on a timer",
    kind: "memory",
    points: [{ tasks: 1_000_000 }],
    quickPoints: [{ tasks: 200_000 }],
    operations: count("tasks"),
    peers: {
      "corio-async": {},
      "corio-generator": {},
      native: {},
      effect: {},
      effection: { tasks: 30_000 },
      asyncio: { tasks: 200_000 },
    },
  },
  {
    id: "ho",
    title: "the same, with no function around the sleep",
    kind: "memory",
    points: [{ tasks: 1_000_000 }],
    quickPoints: [{ tasks: 200_000 }],
    operations: count("tasks"),
    peers: { "corio-async": {}, effect: {}, effection: { tasks: 30_000 }, asyncio: { tasks: 200_000 } },
  },
  {
    id: "h2",
    title: "a task parked on a future of its own",
    kind: "memory",
    points: [{ tasks: 1_000_000 }],
    quickPoints: [{ tasks: 200_000 }],
    operations: count("tasks"),
    peers: {
      "corio-async": {},
      "corio-generator": {},
      native: {},
      effect: {},
      effection: { tasks: 30_000 },
      asyncio: { tasks: 200_000 },
    },
  },
  {
    id: "t1",
    title: "calls in a thread, one after another",
    kind: "speed",
    points: [{ threads: 1, atOnce: 1, calls: 5000 }],
    operations: count("calls"),
    peers: { "corio-async": {}, piscina: {} },
  },
  {
    id: "t100",
    title: "calls in 2 threads, 100 asked for at a time",
    kind: "speed",
    points: [{ threads: 2, atOnce: 100, calls: 10_000 }],
    operations: count("calls"),
    peers: { "corio-async": {}, piscina: {} },
  },
  {
    id: "resume",
    title: "a yield at the bottom of nested calls, by depth",
    kind: "scaling",
    pointName: "depth",
    points: steps("depth", 1, 100, 1000).map((point) => ({ ...point, yields: 100_000 })),
    operations: count("yields"),
    peers: {
      "corio-async": {},
      "corio-generator": {},
      native: {},
      effect: { yields: 20_000 },
      effection: { yields: 20_000 },
      asyncio: { yields: 10_000 },
    },
  },
  {
    id: "scale-spawn",
    title: "spawn and join, by number of tasks",
    kind: "scaling",
    pointName: "tasks",
    points: steps("tasks", 1000, 10_000, 100_000, 1_000_000),
    quickPoints: steps("tasks", 1000, 10_000, 100_000),
    operations: count("tasks"),
    peers: { "corio-async": {}, "corio-generator": {}, native: {} },
  },
  {
    id: "scale-timers",
    title: "timers, 1,000 due in each millisecond, by number of timers",
    kind: "scaling",
    pointName: "tasks",
    byCpu: true,
    points: steps("tasks", 1000, 10_000, 100_000, 1_000_000),
    quickPoints: steps("tasks", 1000, 10_000, 100_000),
    operations: count("tasks"),
    peers: { "corio-async": {}, "corio-generator": {}, native: {} },
  },
  {
    id: "scale-cancel",
    title: "cancel one waiter in the middle, by number of waiters",
    kind: "scaling",
    pointName: "waiters",
    points: [
      // Enough of them that what the collector still does about the setting up does not matter.
      { waiters: 1000, cancelled: 500 },
      { waiters: 10_000, cancelled: 5000 },
      { waiters: 100_000, cancelled: 5000 },
    ],
    operations: count("cancelled"),
    peers: { "corio-async": {}, "corio-generator": {} },
  },
];
