/** Futures that the program completes by itself, and what runs when they are done. */
import { define } from "../construct.ts";
import type { Block, Statement } from "../program.ts";
import { CALLBACKS, FUTURES, PROMISES } from "./slots.ts";

interface Create extends Statement {
  kind: "create_future";
  slot: string;
}

interface SetResult extends Statement {
  kind: "set_result";
  slot: string;
  value: number;
}

interface SetException extends Statement {
  kind: "set_exception";
  slot: string;
}

interface OnDone extends Statement {
  kind: "on_done";
  slot: string;
  /** Where the callback is kept. */
  callback: string;
  name: string;
  /** Added twice, it is called twice. */
  twice: boolean;
  /** And removed at once. */
  removed: boolean;
  fails: boolean;
  body: Block;
}

interface Forget extends Statement {
  kind: "forget_callback";
  slot: string;
  callback: string;
}

export const futures = [
  define<Create>({
    kind: "create_future",
    feature: "futures",
    weight: 2,
    isSynchronous: true,
    make: (maker) => ({ kind: "create_future", slot: maker.random.pick(PROMISES) }),
    print(node, writer) {
      writer.assign(node.slot, writer.call("loop.create_future"));
    },
  }),
  define<SetResult>({
    kind: "set_result",
    feature: "futures",
    weight: 1.5,
    isSynchronous: true,
    make: (maker) => ({
      kind: "set_result",
      slot: maker.random.pick(PROMISES),
      value: maker.random.integer(1, 9),
    }),
    print(node, writer) {
      writer.ifSet(node, [node.slot], () => {
        writer.logAttempt(
          node,
          writer.call(`${writer.slot(node.slot)}.set_result`, [writer.literal(node.value)]),
        );
      });
    },
  }),
  define<SetException>({
    kind: "set_exception",
    feature: "futures",
    isSynchronous: true,
    make: (maker) => ({ kind: "set_exception", slot: maker.random.pick(PROMISES) }),
    print(node, writer) {
      writer.ifSet(node, [node.slot], () => {
        writer.logAttempt(
          node,
          writer.call(`${writer.slot(node.slot)}.set_exception`, [`boom(${writer.label(node)})`]),
        );
      });
    },
  }),
  define<OnDone>({
    kind: "on_done",
    feature: "futures",
    weight: 0.7,
    isSynchronous: true,
    make(maker) {
      if (maker.isSynchronous) return null;
      return {
        kind: "on_done",
        slot: maker.random.pick(FUTURES),
        callback: maker.random.pick(CALLBACKS),
        name: maker.callbackName(),
        twice: maker.random.chance(0.3),
        removed: maker.random.chance(0.25),
        fails: maker.random.chance(0.15),
        body: maker.block([0, 2], { isSynchronous: true }),
      };
    },
    print(node, writer) {
      writer.ifSet(node, [node.slot], () => {
        const callback = writer.callback(node.name, () => {
          writer.log(node);
          if (node.body.length > 0) writer.block(node.body);
          if (node.fails) writer.throw(`boom(${writer.label(node)})`);
        });
        writer.assign(node.callback, callback);
        const add = writer.call(`${writer.slot(node.slot)}.add_done_callback`, [callback]);
        writer.statement(add);
        if (node.twice) writer.statement(add);
        if (node.removed) {
          writer.logWith(
            node,
            "r",
            writer.call(`${writer.slot(node.slot)}.remove_done_callback`, [callback]),
          );
        }
      });
    },
  }),
  define<Forget>({
    kind: "forget_callback",
    feature: "futures",
    weight: 0.7,
    isSynchronous: true,
    make: (maker) => ({
      kind: "forget_callback",
      slot: maker.random.pick(FUTURES),
      callback: maker.random.pick(CALLBACKS),
    }),
    print(node, writer) {
      writer.ifSet(node, [node.slot, node.callback], () => {
        writer.log(
          node,
          writer.call(`${writer.slot(node.slot)}.remove_done_callback`, [writer.slot(node.callback)]),
        );
      });
    },
  }),
];
