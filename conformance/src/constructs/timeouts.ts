/** Deadlines: around a block, moved from anywhere, and for a single wait. */
import { define } from "../construct.ts";
import type { Maker } from "../maker.ts";
import type { Block, Statement } from "../program.ts";
import type { Writer } from "../writer.ts";
import { DEADLINES } from "./slots.ts";
import type { Source } from "./source.ts";
import { makeSource, printSource, slotsOf } from "./source.ts";

interface Timeout extends Statement {
  kind: "timeout";
  /** From now; null for no deadline. */
  delay: number | null;
  /** `timeout_at` instead of `timeout`. */
  at: boolean;
  slot: string;
  body: Block;
}

interface Reschedule extends Statement {
  kind: "reschedule";
  slot: string;
  delay: number | null;
}

interface AskDeadline extends Statement {
  kind: "ask_deadline";
  slot: string;
  method: "when" | "expired";
}

interface WaitFor extends Statement {
  kind: "wait_for";
  source: Source;
  delay: number | null;
}

function makeDelay(maker: Maker): number | null {
  return maker.random.pick([null, -1, 0, 0, 0.5, 1, 1, 1, 2, 3]);
}

function fromNow(delay: number | null, writer: Writer): string {
  return delay === null ? writer.literal(null) : `loop.time() + ${writer.literal(delay)}`;
}

export const timeouts = [
  define<Timeout>({
    kind: "timeout",
    feature: "timeouts",
    weight: 3,
    make: (maker) => ({
      kind: "timeout",
      delay: makeDelay(maker),
      at: maker.random.chance(0.2),
      slot: maker.random.pick(DEADLINES),
      body: maker.block([1, 4], { canReturn: false }),
    }),
    print(node, writer) {
      const args = [node.at ? fromNow(node.delay, writer) : writer.literal(node.delay)];
      const callee = node.at ? "timeout_at" : "timeout";
      const python = `${callee}(${args.join(", ")})`;
      writer.scope({ python, callee, args, slot: node.slot }, () => writer.block(node.body));
      writer.log(node);
    },
  }),
  define<Reschedule>({
    kind: "reschedule",
    feature: "timeouts",
    isSynchronous: true,
    make: (maker) => ({ kind: "reschedule", slot: maker.random.pick(DEADLINES), delay: makeDelay(maker) }),
    print(node, writer) {
      writer.ifSet(node, [node.slot], () => {
        writer.logAttempt(
          node,
          writer.call("reschedule", [writer.slot(node.slot), fromNow(node.delay, writer)]),
        );
      });
    },
  }),
  define<AskDeadline>({
    kind: "ask_deadline",
    feature: "timeouts",
    weight: 0.5,
    isSynchronous: true,
    make: (maker) => ({
      kind: "ask_deadline",
      slot: maker.random.pick(DEADLINES),
      method: maker.random.pick(["when", "expired", "expired"]),
    }),
    print(node, writer) {
      writer.ifSet(node, [node.slot], () =>
        writer.log(node, writer.call(`${writer.slot(node.slot)}.${node.method}`)),
      );
    },
  }),
  define<WaitFor>({
    kind: "wait_for",
    feature: "timeouts",
    weight: 3,
    make: (maker) => ({ kind: "wait_for", source: makeSource(maker), delay: makeDelay(maker) }),
    print(node, writer) {
      writer.ifWaitable(node, slotsOf([node.source]), () => {
        const args = [printSource(node.source, writer), writer.literal(node.delay)];
        writer.log(node, writer.wait(writer.call("wait_for", args)));
      });
    },
  }),
];
