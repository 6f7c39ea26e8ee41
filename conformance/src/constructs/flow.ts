/** Control flow: what runs when, and how exceptions travel. */
import { define } from "../construct.ts";
import type { Block, Statement } from "../program.ts";

interface Log extends Statement {
  kind: "log";
}

interface Sleep extends Statement {
  kind: "sleep";
  delay: number;
}

interface Try extends Statement {
  kind: "try";
  body: Block;
  handlers: readonly { readonly type: string; readonly body: Block; readonly reraise: boolean }[];
  last: Block | null;
}

interface Raise extends Statement {
  kind: "raise";
  what: "boom" | "cancelled" | "group";
}

interface Return extends Statement {
  kind: "return";
  value: number;
}

interface Repeat extends Statement {
  kind: "repeat";
  times: number;
  body: Block;
}

interface Call extends Statement {
  kind: "call";
  callee: string;
}

const CAUGHT = [
  "CancelledError",
  "CancelledError",
  "Boom",
  "Exception",
  "BaseException",
  "TimeoutError",
  "BaseExceptionGroup",
];

export const flow = [
  define<Log>({
    kind: "log",
    feature: "flow",
    weight: 0.5,
    isSynchronous: true,
    make: () => ({ kind: "log" }),
    print: (node, writer) => writer.log(node),
  }),
  define<Sleep>({
    kind: "sleep",
    feature: "flow",
    weight: 2,
    make: (maker) => ({ kind: "sleep", delay: maker.delay() }),
    print: (node, writer) =>
      writer.log(node, writer.wait(writer.call("sleep", [writer.literal(node.delay)]))),
  }),
  define<Try>({
    kind: "try",
    feature: "flow",
    weight: 1.5,
    make(maker) {
      const { random } = maker;
      const body = maker.block([1, 4]);
      const handlers = Array.from({ length: random.pick([0, 1, 1, 1, 2]) }, () => ({
        type: random.pick(CAUGHT),
        body: maker.block([0, 2]),
        reraise: random.chance(0.4),
      }));
      const last = handlers.length === 0 || random.chance(0.4) ? maker.block([0, 3]) : null;
      return { kind: "try", body, handlers, last };
    },
    print(node, writer) {
      writer.tryCatch({
        body: () => writer.block(node.body),
        handlers: node.handlers.map((handler, index) => ({
          ...handler,
          body: () => {
            writer.logWith(node, `e${String(index)}`, "e");
            if (handler.body.length > 0) writer.block(handler.body);
          },
        })),
        finally:
          node.last === null && node.handlers.length > 0
            ? undefined
            : () => {
                writer.logWith(node, "f");
                if (node.last !== null && node.last.length > 0) writer.block(node.last);
              },
      });
    },
  }),
  define<Raise>({
    kind: "raise",
    feature: "flow",
    weight: 0.35,
    make: (maker) => ({
      kind: "raise",
      what: maker.random.pick(["boom", "boom", "boom", "cancelled", "group"]),
    }),
    print(node, writer) {
      const label = writer.label(node);
      if (node.what === "boom") writer.throw(`boom(${label})`);
      else if (node.what === "cancelled") writer.throw(`cancelled(${label})`);
      else writer.throw(`group(${label})`);
    },
  }),
  define<Return>({
    kind: "return",
    feature: "flow",
    weight: 0.15,
    make: (maker) => (maker.canReturn ? { kind: "return", value: maker.random.integer(1, 9) } : null),
    print: (node, writer) => writer.statement(`return ${writer.literal(node.value)}`),
  }),
  define<Repeat>({
    kind: "repeat",
    feature: "flow",
    weight: 0.3,
    make(maker) {
      const times = maker.random.integer(2, 3);
      return { kind: "repeat", times, body: maker.block([1, 3], { times }) };
    },
    print: (node, writer) => writer.repeat(node.times, () => writer.block(node.body)),
  }),
  define<Call>({
    kind: "call",
    feature: "flow",
    make(maker) {
      const callee = maker.callee();
      return callee === null ? null : { kind: "call", callee };
    },
    print: (node, writer) => writer.log(node, writer.wait(`${node.callee}()`)),
  }),
];
