/** Making tasks, waiting for them, asking them. */
import { define } from "../construct.ts";
import type { Statement } from "../program.ts";
import { FUTURES, TASKS } from "./slots.ts";
import type { Source } from "./source.ts";
import { makeSource, printSource, slotsOf } from "./source.ts";

interface Spawn extends Statement {
  kind: "spawn";
  slot: string;
  callee: string;
  eager: boolean;
}

/** Several tasks that do the same: they compete for locks, places and items. */
interface Crowd extends Statement {
  kind: "crowd";
  slots: readonly string[];
  callee: string;
}

interface Await extends Statement {
  kind: "await";
  source: Source;
}

interface Ask extends Statement {
  kind: "ask";
  slot: string;
  method: "done" | "cancelled" | "result" | "exception";
}

interface CountTasks extends Statement {
  kind: "count_tasks";
}

export const tasks = [
  define<Spawn>({
    kind: "spawn",
    feature: "tasks",
    weight: 3,
    isSynchronous: true,
    make(maker) {
      const callee = maker.callee();
      if (callee === null) return null;
      return { kind: "spawn", slot: maker.random.pick(TASKS), callee, eager: maker.eager() };
    },
    print(node, writer) {
      const options = node.eager ? { eager_start: writer.literal(true) } : {};
      writer.keep(
        node.slot,
        writer.call("create_task", [`${node.callee}()`], { name: `named("${node.slot}")`, ...options }),
      );
    },
  }),
  define<Crowd>({
    kind: "crowd",
    feature: "tasks",
    isSynchronous: true,
    make(maker) {
      const wanted = maker.random.integer(2, 5);
      const callee = maker.callee(wanted);
      if (callee === null) return null;
      return { kind: "crowd", slots: TASKS.slice(0, wanted), callee };
    },
    print(node, writer) {
      for (const slot of node.slots) {
        writer.keep(slot, writer.call("create_task", [`${node.callee}()`], { name: `named("${slot}")` }));
      }
      // Python wants a statement, even if the shrinker has left no slot.
      if (node.slots.length === 0) writer.log(node);
    },
  }),
  define<Await>({
    kind: "await",
    feature: "tasks",
    weight: 2,
    make: (maker) => ({ kind: "await", source: makeSource(maker) }),
    print(node, writer) {
      writer.ifWaitable(node, slotsOf([node.source]), () =>
        writer.log(node, writer.wait(printSource(node.source, writer))),
      );
    },
  }),
  define<Ask>({
    kind: "ask",
    feature: "tasks",
    weight: 0.5,
    isSynchronous: true,
    make: (maker) => ({
      kind: "ask",
      slot: maker.random.pick(FUTURES),
      method: maker.random.pick(["done", "cancelled", "result", "exception"]),
    }),
    print(node, writer) {
      writer.ifSet(node, [node.slot], () => {
        writer.logAttempt(node, writer.call(`${writer.slot(node.slot)}.${node.method}`));
      });
    },
  }),
  define<CountTasks>({
    kind: "count_tasks",
    feature: "tasks",
    weight: 0.1,
    make: () => ({ kind: "count_tasks" }),
    print: (node, writer) => writer.log(node, `size(${writer.call("all_tasks")})`),
  }),
];
