/** Cancelling: at once, before the first step, oneself, twice, and taking it back. */
import { define } from "../construct.ts";
import type { Statement } from "../program.ts";
import { FUTURES, TASKS } from "./slots.ts";
import type { Source } from "./source.ts";
import { makeSource, printSource, slotsOf } from "./source.ts";

interface Cancel extends Statement {
  kind: "cancel";
  /** Null for the running task. */
  slot: string | null;
  message: string | null;
}

/** A task that cancels itself meets the cancel at whatever it waits for next, which may refuse it. */
interface CancelAndAwait extends Statement {
  kind: "cancel_and_await";
  source: Source;
}

interface Counter extends Statement {
  kind: "cancelling" | "uncancel";
  slot: string | null;
}

const counter = (kind: Counter["kind"]): ReturnType<typeof define> =>
  define<Counter>({
    kind,
    feature: "cancellation",
    weight: 0.6,
    make: (maker) => ({ kind, slot: maker.random.chance(0.8) ? null : maker.random.pick(TASKS) }),
    print(node, writer) {
      if (node.slot === null) writer.log(node, writer.call(`current_task().${node.kind}`));
      else {
        const slot = node.slot;
        writer.ifSet(node, [slot], () => writer.log(node, writer.call(`${writer.slot(slot)}.${node.kind}`)));
      }
    },
  });

export const cancellation = [
  define<Cancel>({
    kind: "cancel",
    feature: "cancellation",
    weight: 3,
    isSynchronous: true,
    make: (maker) => ({
      kind: "cancel",
      slot: !maker.isSynchronous && maker.random.chance(0.25) ? null : maker.random.pick(FUTURES),
      message: maker.random.chance(0.5) ? maker.random.pick(["m1", "m2"]) : null,
    }),
    print(node, writer) {
      const args = node.message === null ? [] : [writer.literal(node.message)];
      if (node.slot === null) writer.log(node, writer.call("current_task().cancel", args));
      else {
        const slot = node.slot;
        writer.ifSet(node, [slot], () => writer.log(node, writer.call(`${writer.slot(slot)}.cancel`, args)));
      }
    },
  }),
  define<CancelAndAwait>({
    kind: "cancel_and_await",
    feature: "cancellation",
    weight: 0.7,
    make: (maker) => ({ kind: "cancel_and_await", source: makeSource(maker) }),
    print(node, writer) {
      writer.ifWaitable(node, slotsOf([node.source]), () => {
        writer.logWith(node, "c", writer.call("current_task().cancel"));
        writer.log(node, writer.wait(printSource(node.source, writer)));
      });
    },
  }),
  counter("cancelling"),
  counter("uncancel"),
];
