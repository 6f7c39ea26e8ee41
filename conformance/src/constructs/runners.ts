/** Loops inside and after each other. What is left of one that is closed can be asked, but not waited for. */
import { define } from "../construct.ts";
import type { Statement } from "../program.ts";
import { FUTURES, PROMISES } from "./slots.ts";

interface Stale extends Statement {
  kind: "stale";
  slot: string;
  /** Null: it is awaited. */
  method: "done" | "cancelled" | "result" | "exception" | null;
}

interface NestedRun extends Statement {
  kind: "nested_run";
  callee: string;
}

export const runners = [
  define<NestedRun>({
    kind: "nested_run",
    feature: "runners",
    weight: 0.3,
    make(maker) {
      const callee = maker.callee();
      return callee === null ? null : { kind: "nested_run", callee };
    },
    print(node, writer) {
      writer.logAttempt(node, writer.call("run", [`${node.callee}()`]));
    },
  }),
  define<Stale>({
    kind: "stale",
    feature: "runners",
    weight: 3,
    make({ random, hasSeveralLoops }) {
      if (!hasSeveralLoops) return null;
      const method = random.pick([null, null, "done", "cancelled", "result", "exception"] as const);
      return { kind: "stale", slot: random.pick([...FUTURES, ...PROMISES, ...PROMISES]), method };
    },
    print(node, writer) {
      const { slot, method } = node;
      writer.ifStale(node, slot, () => {
        if (method === null) writer.log(node, writer.wait(writer.slot(slot)));
        else writer.logAttempt(node, writer.call(`${writer.slot(slot)}.${method}`));
      });
    },
  }),
];
