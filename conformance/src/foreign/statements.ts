/** What the programs do: how each statement is made at random, and how it is written. */
import type { Block, Field, Statement } from "../program.ts";
import type { ForeignMaker } from "./maker.ts";
import type { ForeignWriter } from "./writer.ts";

export type Form = "native" | "generator";

/** Something to wait for: a method of the platform, or `sleep`, and its argument. */
export interface Source {
  readonly [key: string]: Field;
  readonly type: string;
  readonly argument: string | number;
}

export interface Kind<Node extends Statement = Statement> {
  readonly kind: Node["kind"];
  readonly weight: number;
  /** It awaits nothing: a plain callback may do it too. */
  readonly isSynchronous?: boolean;
  /** It has blocks. */
  readonly isDeep?: boolean;
  /**
   * Not in a branch of `Promise.all`: it has a timeout or group, which must not overlap with those of other branches, or
   * ends in code that a branch which is left behind must not have.
   */
  readonly isWhole?: boolean;
  /** Null where it is not possible. */
  make(maker: ForeignMaker): Node | null;
  print(node: Node, writer: ForeignWriter): void;
}

type Make<Fields> = Statement & Fields;

const kinds: Kind[] = [];

function define<Fields>(kind: Kind<Make<Fields>>): void {
  kinds.push(kind);
}

export const TASK_SLOTS = ["t1", "t2", "t3", "t4"] as const;
const FUTURES = ["fut1", "fut2"] as const;
const DEFERRED = ["p1", "p2"] as const;
const CONTROLLERS = ["c1", "c2"] as const;

// ── Waiting for the platform ──────────────────────────────────────────────────────────────────────────────────────

define<{ source: Source; isBare: boolean }>({
  kind: "platform",
  weight: 6,
  make: (maker) => ({
    kind: "platform",
    source: maker.source(),
    isBare: !maker.isBranch && maker.random.chance(0.6),
  }),
  print(node, writer) {
    const source = writer.source(node.source);
    // Only native functions can wait for what is not corio's.
    if (node.isBare && writer.form === "native") writer.waited(node, `await ${source}`);
    else writer.waited(node, writer.wait(`until(${source})`));
  },
});

define<{ ticks: number; end: string; ticksToEnd: number }>({
  kind: "until_signal",
  weight: 2,
  make: ({ random }) => ({
    kind: "until_signal",
    ticks: random.integer(1, 6),
    end: random.pick(["rejects", "rejects", "resolves", "fails"]),
    ticksToEnd: random.integer(0, 2),
  }),
  print(node, writer) {
    const work = `platform.abortable(signal, ${String(node.ticks)}, "${node.end}", ${String(node.ticksToEnd)})`;
    writer.braces("{", () => {
      writer.line(`const work = w.work(${String(writer.label(node))});`);
      writer.braces("try {", () => {
        writer.waited(node, writer.wait(`until((signal) => work.begin(${work}))`));
      });
      writer.braces("finally {", () => {
        writer.line("work.check();");
      });
    });
  },
});

define<{ ticks: number; end: string; ticksToEnd: number }>({
  kind: "own_signal",
  weight: 1.5,
  isWhole: true,
  make: ({ random }) => ({
    kind: "own_signal",
    ticks: random.integer(1, 6),
    end: random.pick(["rejects", "rejects", "resolves"]),
    ticksToEnd: random.integer(0, 2),
  }),
  print(node, writer) {
    const work = `platform.abortable(signal(), ${String(node.ticks)}, "${node.end}", ${String(node.ticksToEnd)})`;
    writer.natively(() => {
      writer.waited(node, `await ${work}`);
    });
  },
});

define<{ count: number; ticks: number; body: Block; leaveAt: number }>({
  kind: "items",
  weight: 1,
  isDeep: true,
  isWhole: true,
  make: (maker) => ({
    kind: "items",
    count: maker.random.integer(1, 3),
    ticks: maker.random.integer(0, 2),
    body: maker.block([0, 2], { times: 3 }),
    leaveAt: maker.random.integer(0, 4),
  }),
  print(node, writer) {
    writer.natively(() => {
      writer.braces(
        `for await (const item of platform.items(${String(node.count)}, ${String(node.ticks)})) {`,
        () => {
          writer.at(node);
          writer.line(`if (item === ${String(node.leaveAt)}) break;`);
          writer.block(node.body);
        },
      );
    });
  },
});

define<{ count: number; body: Block; leaveAt: number }>({
  kind: "numbers",
  weight: 1,
  isDeep: true,
  isWhole: true,
  make: (maker) => ({
    kind: "numbers",
    count: maker.random.integer(1, 3),
    body: maker.block([0, 2], { times: 3 }),
    leaveAt: maker.random.integer(0, 4),
  }),
  print(node, writer) {
    writer.natively(() => {
      const label = String(writer.label(node));
      writer.braces(
        `for await (const item of w.numbers(self, store, ${String(node.count)}, ${label})) {`,
        () => {
          writer.at(node);
          writer.line(`if (item === ${String(node.leaveAt)}) break;`);
          writer.block(node.body);
        },
      );
    });
  },
});

// ── Waiting for corio ─────────────────────────────────────────────────────────────────────────────────────────────

define<{ delay: number }>({
  kind: "sleep",
  weight: 4,
  make: (maker) => ({ kind: "sleep", delay: maker.delay() }),
  print(node, writer) {
    writer.waited(node, writer.wait(`sleep(${String(node.delay)})`));
  },
});

define<{ callee: string }>({
  kind: "call",
  weight: 1.5,
  isWhole: true,
  make(maker) {
    const callee = maker.callee();
    return callee === null ? null : { kind: "call", callee };
  },
  print(node, writer) {
    writer.waited(node, writer.wait(`${node.callee}(self, store)`));
  },
});

define<{ body: Block }>({
  kind: "helper",
  weight: 1.5,
  isDeep: true,
  make: (maker) => ({ kind: "helper", body: maker.block([1, 3]) }),
  print(node, writer) {
    const isNative = writer.form === "native";
    const [head, tail] = isNative
      ? ["await (async () => {", "})();"]
      : ["yield* coroutine(async () => {", "})();"];
    writer.inForm("native", () => {
      writer.braces(
        head,
        () => {
          writer.block(node.body);
        },
        tail,
      );
    });
    writer.at(node);
  },
});

define<{ slot: string; how: string; delay: number; rethrow: boolean }>({
  kind: "join",
  weight: 2.5,
  isDeep: true,
  make: (maker) => ({
    kind: "join",
    slot: maker.random.pick(TASK_SLOTS),
    how: maker.isBranch
      ? "plain"
      : maker.random.pick(["plain", "plain", "waitFor", "shield", "wait", "race", "until"]),
    delay: maker.delay(),
    rethrow: maker.random.chance(0.6),
  }),
  print(node, writer) {
    const task = `w.tasks.${node.slot}`;
    const delay = String(node.delay);
    const waits: Record<string, string> = {
      plain: writer.wait(task),
      waitFor: writer.wait(`waitFor(${task}, ${delay})`),
      shield: writer.wait(`waitFor(shield(${task}), ${delay})`),
      wait: writer.wait(`wait([${task}], { timeout: ${delay} })`),
      race: writer.form === "native" ? `await Promise.race([${task}, sleep(${delay})])` : writer.wait(task),
      until: writer.wait(`until(${task})`),
    };
    writer.braces(`if (w.waitable("${node.slot}", self)) {`, () => {
      writer.attempt(node, node.rethrow, () => {
        writer.waited(node, waits[node.how] ?? "");
      });
    });
  },
});

define<{ name: string; delay: number; rethrow: boolean }>({
  kind: "await_future",
  weight: 1.5,
  isWhole: true,
  make: (maker) => ({
    kind: "await_future",
    name: maker.random.pick(FUTURES),
    delay: maker.delay(),
    rethrow: maker.random.chance(0.5),
  }),
  print(node, writer) {
    writer.attempt(node, node.rethrow, () => {
      writer.waited(node, writer.wait(`waitFor(w.future("${node.name}"), ${String(node.delay)})`));
    });
  },
});

define<{ how: string; delay: number; rethrow: boolean }>({
  kind: "primitive",
  weight: 2,
  isWhole: true,
  make: (maker) => ({
    kind: "primitive",
    how: maker.random.pick(["w.event1.wait()", "w.queue1.get()", "w.queue1.put(1)"]),
    delay: maker.delay(),
    rethrow: maker.random.chance(0.5),
  }),
  print(node, writer) {
    writer.attempt(node, node.rethrow, () => {
      writer.waited(node, writer.wait(`waitFor(${node.how}, ${String(node.delay)})`));
    });
  },
});

define<{
  callees: readonly string[];
  sources: readonly Source[];
  returnExceptions: boolean;
  rethrow: boolean;
  how: string;
}>({
  kind: "gather",
  weight: 1.5,
  isWhole: true,
  make(maker) {
    const { random } = maker;
    const callees = Array.from({ length: random.integer(0, 2) }, () => maker.callee()).filter(
      (name) => name !== null,
    );
    const sources = Array.from({ length: random.integer(1, 2) }, () => maker.source());
    return {
      kind: "gather",
      callees,
      sources,
      returnExceptions: random.chance(0.3),
      rethrow: random.chance(0.5),
      how: random.pick(["gather", "gather", "asCompleted", "allSettled"]),
    };
  },
  print(node, writer) {
    const items = [
      ...node.callees.map((callee) => `${callee}(w.fresh(self), store)`),
      ...node.sources.map((source) => writer.source(source)),
    ];
    writer.attempt(node, node.rethrow, () => {
      if (node.how === "gather") {
        const options = node.returnExceptions ? ", { returnExceptions: true }" : "";
        writer.waited(node, writer.wait(`gather([${items.join(", ")}]${options})`));
      } else if (node.how === "asCompleted") {
        writer.natively(() => {
          writer.braces(`for await (const each of asCompleted([${items.join(", ")}])) {`, () => {
            writer.at(node);
            writer.line("await wait([each]);");
          });
        });
      } else {
        const tasks = items.map((item) => (item.startsWith("platform") ? item : `createTask(${item})`));
        writer.natively(() => {
          writer.waited(node, `await Promise.allSettled([${tasks.join(", ")}])`);
        });
      }
    });
  },
});

// ── Several at once in one task ───────────────────────────────────────────────────────────────────────────────────

define<{ how: string; sources: readonly Source[]; branches: readonly Block[]; rethrow: boolean }>({
  kind: "concurrent",
  weight: 2.5,
  isDeep: true,
  isWhole: true,
  make(maker) {
    const { random } = maker;
    const blocks = random.integer(0, 3);
    return {
      kind: "concurrent",
      how: random.pick(["all", "all", "allSettled", "race", "any"]),
      sources: Array.from({ length: random.integer(blocks === 0 ? 2 : 0, 2) }, () => maker.source(true)),
      branches: Array.from({ length: blocks }, () => maker.block([1, 3], { isBranch: true })),
      rethrow: random.chance(0.5),
    };
  },
  print(node, writer) {
    writer.attempt(node, node.rethrow, () => {
      writer.natively(() => {
        writer.braces(
          `await Promise.${node.how}([`,
          () => {
            for (const source of node.sources) writer.line(`${writer.source(source)},`);
            for (const branch of node.branches) {
              writer.braces(
                "(async () => {",
                () => {
                  writer.at(node);
                  writer.block(branch);
                },
                "})(),",
              );
            }
            // Nothing at all would never win.
            writer.line("sleep(0.5),");
          },
          "]);",
        );
        writer.at(node);
      });
    });
  },
});

// ── Errors and ends ───────────────────────────────────────────────────────────────────────────────────────────────

define<{ body: Block; handler: Block; rethrow: boolean }>({
  kind: "attempt",
  weight: 2,
  isDeep: true,
  make: (maker) => ({
    kind: "attempt",
    body: maker.block([1, 3]),
    handler: maker.block([0, 2]),
    rethrow: maker.random.chance(0.6),
  }),
  print(node, writer) {
    writer.attempt(
      node,
      node.rethrow,
      () => {
        writer.block(node.body);
      },
      node.handler,
    );
  },
});

define<{ body: Block; last: Block }>({
  kind: "finally",
  weight: 3,
  isDeep: true,
  make: (maker) => ({ kind: "finally", body: maker.block([1, 3]), last: maker.block([0, 2]) }),
  print(node, writer) {
    writer.braces("{", () => {
      writer.line(`const opened = w.open(self, ${String(writer.label(node))});`);
      writer.braces("try {", () => {
        writer.block(node.body);
      });
      writer.braces("finally {", () => {
        writer.line("w.close(opened);");
        writer.at(node);
        writer.block(node.last);
      });
    });
  },
});

define({
  kind: "throw",
  weight: 0.5,
  make: () => ({ kind: "throw" }),
  print(node, writer) {
    writer.line(`throw new Boom("${String(writer.label(node))}");`);
  },
});

define<{ times: number; body: Block }>({
  kind: "repeat",
  weight: 0.7,
  isDeep: true,
  make: (maker) => ({ kind: "repeat", times: 2, body: maker.block([1, 3], { times: 2 }) }),
  print(node, writer) {
    writer.braces(`for (let turn = 0; turn < ${String(node.times)}; turn++) {`, () => {
      writer.block(node.body);
    });
  },
});

// ── Scopes ────────────────────────────────────────────────────────────────────────────────────────────────────────

define<{ delay: number; body: Block; form: Form; rethrow: boolean }>({
  kind: "timeout",
  weight: 2,
  isDeep: true,
  isWhole: true,
  make: (maker) => ({
    kind: "timeout",
    delay: maker.delay(),
    form: maker.form(),
    body: maker.block([1, 3]),
    rethrow: maker.random.chance(0.4),
  }),
  print(node, writer) {
    writer.attempt(node, node.rethrow, () => {
      writer.scope(`timeout(${String(node.delay)}, `, node.form, "", () => {
        writer.block(node.body);
      });
      writer.at(node);
    });
  },
});

define<{ body: Block; form: Form; rethrow: boolean; children: readonly string[]; end: boolean }>({
  kind: "group",
  weight: 1.5,
  isDeep: true,
  isWhole: true,
  make(maker) {
    const { random } = maker;
    const children = Array.from({ length: random.integer(1, 2) }, () => maker.callee()).filter(
      (name) => name !== null,
    );
    return {
      kind: "group",
      form: maker.form(),
      children,
      body: maker.block([0, 2]),
      rethrow: random.chance(0.4),
      end: random.chance(0.2),
    };
  },
  print(node, writer) {
    writer.attempt(node, node.rethrow, () => {
      writer.scope("taskGroup(", node.form, "group", () => {
        for (const [index, child] of node.children.entries())
          writer.line(
            `w.spawnIn(group, "${TASK_SLOTS[index] ?? "t1"}", self, (made) => ${child}(made, store));`,
          );
        writer.block(node.body);
        if (node.end) writer.line("group.cancel();");
      });
      writer.at(node);
    });
  },
});

define<{ name: string; how: string; delay: number; body: Block; form: Form; rethrow: boolean }>({
  kind: "hold",
  weight: 3,
  isDeep: true,
  isWhole: true,
  make: (maker) => ({
    kind: "hold",
    name: maker.random.pick(["lock1", "sem1", "cond1"]),
    how: maker.random.pick(["with", "by hand"]),
    delay: maker.random.pick([1, 2, 3]),
    form: maker.form(),
    body: maker.block([1, 3]),
    rethrow: maker.random.chance(0.4),
  }),
  print(node, writer) {
    const { name } = node;
    const held = (): void => {
      writer.line(`w.hold("${name}");`);
      writer.braces("try {", () => {
        writer.at(node);
        writer.block(node.body);
      });
      writer.braces("finally {", () => {
        writer.line(`w.letGo("${name}");`);
        if (node.how === "by hand") writer.line(`w.${name}.release();`);
      });
    };
    writer.attempt(node, node.rethrow, () => {
      writer.scope(`timeout(${String(node.delay)}, `, node.form, "", () => {
        if (node.how === "with") writer.scope(`w.${name}.with(`, node.form, "", held);
        else {
          writer.line(`${writer.wait(`w.${name}.acquire()`)};`);
          held();
        }
      });
      writer.at(node);
    });
  },
});

define<{ delay: number; form: Form; rethrow: boolean }>({
  kind: "condition_wait",
  weight: 1,
  isWhole: true,
  make: (maker) => ({
    kind: "condition_wait",
    delay: maker.delay(),
    form: maker.form(),
    rethrow: maker.random.chance(0.4),
  }),
  print(node, writer) {
    writer.attempt(node, node.rethrow, () => {
      writer.scope(`timeout(${String(node.delay)}, `, node.form, "", () => {
        writer.scope("w.cond1.with(", node.form, "", () => {
          writer.waited(node, writer.wait("w.cond1.wait()"));
        });
      });
    });
  },
});

define<{ count: number; delay: number; rethrow: boolean }>({
  kind: "condition_notify",
  weight: 1,
  isWhole: true,
  make: (maker) => ({
    kind: "condition_notify",
    count: maker.random.integer(1, 2),
    delay: maker.random.pick([1, 2]),
    rethrow: maker.random.chance(0.4),
  }),
  print(node, writer) {
    writer.attempt(node, node.rethrow, () => {
      const notify = `w.cond1.with(() => { w.cond1.notify(${String(node.count)}); })`;
      writer.waited(node, writer.wait(`waitFor(${notify}, ${String(node.delay)})`));
    });
  },
});

define<{ value: string; body: Block }>({
  kind: "store",
  weight: 1.5,
  isDeep: true,
  make: (maker) => ({ kind: "store", value: maker.random.pick(["x", "y"]), body: maker.block([1, 3]) }),
  print(node, writer) {
    writer.natively(() => {
      writer.braces(
        `await w.storage.run("${node.value}", async () => {`,
        () => {
          writer.line(`const store = "${node.value}";`);
          writer.block(node.body);
        },
        "});",
      );
    });
    writer.at(node);
  },
});

// ── What awaits nothing ───────────────────────────────────────────────────────────────────────────────────────────

define<{ slot: string; callee: string; eager: boolean; controller: string | null }>({
  kind: "spawn",
  weight: 3.5,
  isSynchronous: true,
  make(maker) {
    const callee = maker.callee();
    if (callee === null) return null;
    const { random } = maker;
    return {
      kind: "spawn",
      slot: random.pick(TASK_SLOTS),
      callee,
      eager: random.chance(0.15),
      controller: random.chance(0.15) ? random.pick(CONTROLLERS) : null,
    };
  },
  print(node, writer) {
    const options = [
      ...(node.eager ? ["eagerStart: true"] : []),
      ...(node.controller === null ? [] : [`signal: platform.signal("${node.controller}")`]),
    ];
    const last = options.length === 0 ? "" : `, { ${options.join(", ")} }`;
    writer.line(
      `w.spawn("${node.slot}", self, (made) => loop.createTask(${node.callee}(made, store)${last}));`,
    );
  },
});

define<{ slot: string }>({
  kind: "cancel",
  weight: 3,
  isSynchronous: true,
  make: ({ random }) => ({ kind: "cancel", slot: random.chance(0.05) ? "main" : random.pick(TASK_SLOTS) }),
  print(node, writer) {
    writer.line(`w.cancel("${node.slot}");`);
  },
});

define<{ name: string }>({
  kind: "abort",
  weight: 0.7,
  isSynchronous: true,
  make: ({ random }) => ({ kind: "abort", name: random.pick(CONTROLLERS) }),
  print(node, writer) {
    writer.line(`platform.abort("${node.name}");`);
  },
});

define<{ name: string }>({
  kind: "resolve",
  weight: 1,
  isSynchronous: true,
  make: ({ random }) => ({ kind: "resolve", name: random.pick(DEFERRED) }),
  print(node, writer) {
    writer.line(`platform.resolve("${node.name}");`);
  },
});

define<{ name: string; how: string }>({
  kind: "settle",
  weight: 1.2,
  isSynchronous: true,
  make: ({ random }) => ({
    kind: "settle",
    name: random.pick(FUTURES),
    how: random.pick(["result", "result", "exception", "cancel"]),
  }),
  print(node, writer) {
    writer.line(`w.settle("${node.name}", "${node.how}");`);
  },
});

define<{ what: string }>({
  kind: "signal",
  weight: 1.2,
  isSynchronous: true,
  make: ({ random }) => ({
    kind: "signal",
    what: random.pick(["w.event1.set()", "w.event1.set()", "w.event1.clear()", "w.put()"]),
  }),
  print(node, writer) {
    writer.line(`${node.what};`);
  },
});

define<{ value: number }>({
  kind: "set",
  weight: 1.5,
  isSynchronous: true,
  make: ({ random }) => ({ kind: "set", value: random.integer(1, 9) }),
  print(node, writer) {
    writer.line(`w.set(self, ${String(node.value)});`);
  },
});

define<{ how: string; slot: string; delay: number; body: Block }>({
  kind: "callback",
  weight: 2.5,
  isSynchronous: true,
  isDeep: true,
  make: (maker) => ({
    kind: "callback",
    how: maker.random.pick(["soon", "later", "platform", "platform", "done"]),
    slot: maker.random.pick(TASK_SLOTS),
    delay: maker.random.pick([0, 0.5, 1, 2]),
    body: maker.block([1, 3], { isSynchronous: true }),
  }),
  print(node, writer) {
    const args = `"${node.how}", "${node.slot}", self, store, ${String(node.delay)}`;
    writer.braces(
      `w.callback(${args}, (self, store) => {`,
      () => {
        writer.block(node.body);
      },
      "});",
    );
  },
});

export const KINDS: readonly Kind[] = kinds;

const byName = new Map(kinds.map((kind) => [kind.kind, kind]));

export function kindOf(statement: Statement): Kind {
  const kind = byName.get(statement.kind);
  if (kind === undefined) throw new Error(`there is no statement ${statement.kind}`);
  return kind;
}
