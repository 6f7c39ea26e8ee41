/** Callbacks of the loop, with and without a time, and taking them back. */
import { define } from "../construct.ts";
import type { Block, Statement } from "../program.ts";
import { HANDLES } from "./slots.ts";

interface Schedule extends Statement {
  kind: "call_soon" | "call_later";
  slot: string;
  delay: number;
  /** `call_at` with a time from now instead of `call_later`. */
  at: boolean;
  name: string;
  fails: boolean;
  body: Block;
}

interface CancelHandle extends Statement {
  kind: "cancel_handle";
  slot: string;
}

const schedule = (kind: Schedule["kind"]): ReturnType<typeof define> =>
  define<Schedule>({
    kind,
    feature: "callbacks",
    weight: 2,
    isSynchronous: true,
    make: (maker) => ({
      kind,
      slot: maker.random.pick(HANDLES),
      delay: maker.random.pick([-1, 0, 0.5, 1, 1, 2, 3]),
      at: maker.random.chance(0.3),
      name: maker.callbackName(),
      fails: maker.random.chance(0.1),
      body: maker.block([1, 2], { isSynchronous: true }),
    }),
    print(node, writer) {
      const callback = writer.callback(node.name, () => {
        writer.log(node);
        if (node.body.length > 0) writer.block(node.body);
        if (node.fails) writer.throw(`boom(${writer.label(node)})`);
      });
      const delay = writer.literal(node.delay);
      const handle =
        node.kind === "call_soon"
          ? writer.call("loop.call_soon", [callback])
          : node.at
            ? writer.call("loop.call_at", [`loop.time() + ${delay}`, callback])
            : writer.call("loop.call_later", [delay, callback]);
      writer.assign(node.slot, handle);
    },
  });

export const callbacks = [
  schedule("call_soon"),
  schedule("call_later"),
  define<CancelHandle>({
    kind: "cancel_handle",
    feature: "callbacks",
    isSynchronous: true,
    make: (maker) => ({ kind: "cancel_handle", slot: maker.random.pick(HANDLES) }),
    print(node, writer) {
      writer.ifSet(node, [node.slot], () => {
        writer.statement(writer.call(`${writer.slot(node.slot)}.cancel`));
        writer.log(node, writer.call(`${writer.slot(node.slot)}.cancelled`));
      });
    },
  }),
];
