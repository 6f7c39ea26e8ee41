/** Locks, semaphores, events, conditions, barriers and queues: all their operations, at any time, by anyone. */
import type { Feature } from "../construct.ts";
import { define } from "../construct.ts";
import type { Maker } from "../maker.ts";
import type { Block, Statement } from "../program.ts";
import type { Writer } from "../writer.ts";
import { GUARDS } from "./slots.ts";

interface Operate extends Statement {
  kind: string;
  object: string;
  method: string;
  args: readonly (number | boolean)[];
  waits: boolean;
}

/** A method: how often it is called, whether it is awaited, and with what. */
interface Method {
  readonly name: string;
  readonly weight: number;
  readonly waits?: boolean;
  readonly args?: (maker: Maker) => (number | boolean)[];
}

const anyItem = (maker: Maker): number[] => [maker.random.integer(1, 9)];

const ACQUIRABLE: readonly Method[] = [
  { name: "acquire", weight: 2, waits: true },
  { name: "release", weight: 2 },
  { name: "locked", weight: 0.7 },
];

const METHODS: Readonly<Record<string, readonly Method[]>> = {
  Lock: ACQUIRABLE,
  Semaphore: ACQUIRABLE,
  BoundedSemaphore: ACQUIRABLE,
  Event: [
    { name: "wait", weight: 2, waits: true },
    { name: "set", weight: 1.2 },
    { name: "clear", weight: 0.7 },
    { name: "is_set", weight: 0.3 },
  ],
  Condition: [
    { name: "wait", weight: 2.5, waits: true },
    { name: "notify", weight: 1.5, args: (maker) => [maker.random.integer(1, 3)] },
    { name: "notify_all", weight: 0.7 },
    { name: "acquire", weight: 0.7, waits: true },
    { name: "release", weight: 0.7 },
  ],
  Barrier: [
    { name: "wait", weight: 4, waits: true },
    { name: "reset", weight: 0.7, waits: true },
    { name: "abort", weight: 0.3, waits: true },
  ],
  Queue: [
    { name: "get", weight: 2.5, waits: true },
    { name: "put", weight: 3, waits: true, args: anyItem },
    { name: "get_nowait", weight: 0.7 },
    { name: "put_nowait", weight: 0.7, args: anyItem },
    { name: "task_done", weight: 0.7 },
    { name: "join", weight: 0.4, waits: true },
    { name: "shutdown", weight: 0.25, args: (maker) => [maker.random.chance(0.5)] },
    { name: "qsize", weight: 0.2 },
    { name: "empty", weight: 0.1 },
    { name: "full", weight: 0.2 },
  ],
};

/** What a barrier tells about itself without being called. */
const QUEUES = ["Queue", "PriorityQueue", "LifoQueue"];

const BARRIER_PROPERTIES = ["parties", "n_waiting", "broken"];

function operate(kind: string, feature: Feature, types: readonly string[]): ReturnType<typeof define> {
  return define<Operate>({
    kind,
    feature,
    weight: 3,
    isSynchronous: true,
    make(maker) {
      const object = maker.objectOf(...types);
      const type = maker.objects.find(({ name }) => name === object)?.type;
      if (object === null || type === undefined) return null;
      return makeOperation(maker, kind, object, type);
    },
    print(node, writer) {
      const call = writer.call(
        `${node.object}.${node.method}`,
        node.args.map((arg) => writer.literal(arg)),
      );
      if (node.waits) writer.log(node, writer.wait(call));
      else writer.logAttempt(node, call);
    },
  });
}

/** `prefix`: only methods whose names begin so. */
function makeOperation(
  maker: Maker,
  kind: string,
  object: string,
  type: string,
  prefix = "",
): Operate | null {
  const methods = (METHODS[type.endsWith("Queue") ? "Queue" : type] ?? []).filter(
    ({ name, waits }) => name.startsWith(prefix) && (!maker.isSynchronous || waits !== true),
  );
  const method = maker.random.pickWeighted(methods, ({ weight }) => weight);
  if (method === undefined) return null;
  return {
    kind,
    object,
    method: method.name,
    args: method.args?.(maker) ?? [],
    waits: method.waits ?? false,
  };
}

interface Inspect extends Statement {
  kind: "barrier_state";
  object: string;
  property: string;
}

interface With extends Statement {
  kind: "with_lock" | "with_condition" | "with_barrier";
  object: string;
  body: Block;
}

function within(kind: With["kind"], feature: Feature, types: readonly string[]): ReturnType<typeof define> {
  return define<With>({
    kind,
    feature,
    weight: 2,
    make(maker) {
      const object = maker.objectOf(...types);
      if (object === null) return null;
      const body = maker.block([1, 3], { canReturn: false });
      if (kind !== "with_condition") return { kind, object, body };
      // What needs the lock, where it is held; some only wait and some only wake up, or none would meet the other.
      const role = maker.random.pick(["wait", "notify"]);
      const operations = Array.from({ length: maker.random.integer(1, 2) }, () =>
        role === "wait" && maker.random.chance(0.2)
          ? makeWaitFor(maker)
          : makeOperation(maker, "condition", object, "Condition", role),
      );
      return { kind, object, body: [...body, ...operations.filter((each) => each !== null)] };
    },
    print(node, writer) {
      printWith(node, writer);
    },
  });
}

interface Hold extends Statement {
  kind: "hold_lock" | "hold_condition";
  object: string;
  slot: string;
  body: Block;
}

interface ReleaseGuard extends Statement {
  kind: "release_guard";
  slot: string;
}

/** A guard, which may be given back before the end of its block, by anybody. */
function hold(kind: Hold["kind"], feature: Feature, types: readonly string[]): ReturnType<typeof define> {
  return define<Hold>({
    kind,
    feature,
    weight: 1.5,
    make(maker) {
      const { random } = maker;
      const object = maker.objectOf(...types);
      if (object === null) return null;
      const slot = random.pick(GUARDS);
      const body = maker.block([1, 3]);
      const early = random.chance(0.3)
        ? [{ kind: "release_guard", slot } as ReleaseGuard, ...maker.block([0, 2])]
        : [];
      return { kind, object, slot, body: [...body, ...early] };
    },
    print(node, writer) {
      const typescript = writer.wait(`${node.object}.hold()`);
      const resource = { python: `hold(${node.object})`, typescript, slot: node.slot, isAsynchronous: false };
      writer.using(resource, () => {
        writer.log(node);
        if (node.body.length > 0) writer.block(node.body);
      });
      writer.logWith(node, "end");
    },
  });
}

const releaseGuard = define<ReleaseGuard>({
  kind: "release_guard",
  feature: "locks",
  weight: 0.7,
  isSynchronous: true,
  make: (maker) => ({ kind: "release_guard", slot: maker.random.pick(GUARDS) }),
  print(node, writer) {
    writer.ifSet(node, [node.slot], () => {
      writer.logAttempt(node, writer.call(`${writer.slot(node.slot)}.release`));
    });
  },
});

interface Drain extends Statement {
  kind: "drain";
  object: string;
  /** What is put in before, if it fits. */
  items: readonly number[];
  /** When the queue is shut down; null: somebody else may do that. */
  end: number | null;
  /** How many items are taken at most. */
  most: number;
  /** `task_done` for each. */
  done: boolean;
  body: Block;
}

function printWith(node: With, writer: Writer): void {
  writer.scope({ python: node.object, callee: `${node.object}.with`, args: [], slot: null }, () => {
    writer.log(node);
    if (node.body.length > 0) writer.block(node.body);
  });
}

interface WaitForCount extends Statement {
  kind: "condition_wait_for";
  object: string;
  count: number;
}

interface Bump extends Statement {
  kind: "bump";
}

function makeWaitFor(maker: Maker): WaitForCount | null {
  const object = maker.objectOf("Condition");
  return object === null ? null : { kind: "condition_wait_for", object, count: maker.random.integer(1, 2) };
}

export const primitives = [
  operate("lock", "locks", ["Lock", "Semaphore", "BoundedSemaphore"]),
  within("with_lock", "locks", ["Lock", "Semaphore", "BoundedSemaphore"]),
  hold("hold_lock", "locks", ["Lock", "Semaphore", "BoundedSemaphore"]),
  releaseGuard,
  operate("event", "events", ["Event"]),
  operate("condition", "conditions", ["Condition"]),
  within("with_condition", "conditions", ["Condition"]),
  hold("hold_condition", "conditions", ["Condition"]),
  define<WaitForCount>({
    kind: "condition_wait_for",
    feature: "conditions",
    weight: 0.6,
    make: makeWaitFor,
    print: (node, writer) =>
      writer.log(
        node,
        writer.wait(
          writer.call(`${node.object}.wait_for`, [writer.call("reached", [writer.literal(node.count)])]),
        ),
      ),
  }),
  define<Bump>({
    kind: "bump",
    feature: "conditions",
    isSynchronous: true,
    make: () => ({ kind: "bump" }),
    print: (node, writer) => writer.log(node, writer.call("bump")),
  }),
  operate("barrier", "barriers", ["Barrier"]),
  within("with_barrier", "barriers", ["Barrier"]),
  define<Inspect>({
    kind: "barrier_state",
    feature: "barriers",
    isSynchronous: true,
    make(maker) {
      const object = maker.objectOf("Barrier");
      return object === null
        ? null
        : { kind: "barrier_state", object, property: maker.random.pick(BARRIER_PROPERTIES) };
    },
    print: (node, writer) => writer.log(node, writer.name(`${node.object}.${node.property}`)),
  }),
  operate("queue", "queues", QUEUES),
  define<Drain>({
    kind: "drain",
    feature: "queues",
    weight: 1.5,
    make(maker) {
      const object = maker.objectOf(...QUEUES);
      if (object === null) return null;
      const most = maker.random.integer(2, 5);
      const done = maker.random.chance(0.5);
      const items = Array.from({ length: maker.random.integer(0, 3) }, () => maker.random.integer(1, 9));
      const end = maker.random.pick([null, 0, 1, 1, 2]);
      return { kind: "drain", object, items, end, most, done, body: maker.block([0, 1], { times: most }) };
    },
    print(node, writer) {
      for (const item of node.items) {
        writer.logAttempt(node, writer.call(`${node.object}.put_nowait`, [writer.literal(item)]));
      }
      if (node.end !== null) {
        const args = [writer.literal(node.end), writer.thunk(writer.call(`${node.object}.shutdown`))];
        writer.statement(writer.call("loop.call_later", args));
      }
      writer.forAwait(writer.items(node.object), (each) => {
        writer.log(node, each);
        if (node.done) writer.logAttempt(node, writer.call(`${node.object}.task_done`));
        if (node.body.length > 0) writer.block(node.body);
        // Not every queue is shut down.
        writer.if(writer.call("enough", [writer.label(node), writer.literal(node.most)]), () => {
          writer.statement("break");
        });
      });
      writer.logWith(node, "end");
    },
  }),
];
