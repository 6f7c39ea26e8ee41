/** Task groups, and putting tasks into them from anywhere: inside, while they end, and too late. */
import { define } from "../construct.ts";
import type { Maker } from "../maker.ts";
import type { Block, Statement } from "../program.ts";
import { GROUPS, TASKS } from "./slots.ts";

interface Group extends Statement {
  kind: "group" | "explicit_group";
  slot: string;
  body: Block;
}

interface SpawnIn extends Statement {
  kind: "group_spawn";
  group: string;
  slot: string;
  callee: string;
  eager: boolean;
}

interface OfGroup extends Statement {
  kind: "group_cancel" | "group_join";
  group: string;
}

const spawn = define<SpawnIn>({
  kind: "group_spawn",
  feature: "groups",
  weight: 3,
  isSynchronous: true,
  make(maker) {
    const callee = maker.callee();
    if (callee === null) return null;
    const { random } = maker;
    return {
      kind: "group_spawn",
      group: random.pick(GROUPS),
      slot: random.pick(TASKS),
      callee,
      eager: maker.eager(),
    };
  },
  print(node, writer) {
    writer.ifSet(node, [node.group], () => {
      const options = node.eager ? { eager_start: writer.literal(true) } : {};
      const task = writer.call(`${writer.slot(node.group)}.create_task`, [`${node.callee}()`], {
        name: `named("${node.slot}")`,
        ...options,
      });
      writer.logAttempt(node, writer.kept(node.slot, task));
    });
  },
});

const cancel = define<OfGroup>({
  kind: "group_cancel",
  feature: "groups",
  weight: 1.2,
  isSynchronous: true,
  make: (maker) => ({ kind: "group_cancel", group: maker.random.pick(GROUPS) }),
  print(node, writer) {
    writer.ifSet(node, [node.group], () => {
      writer.logAttempt(node, writer.call(`${writer.slot(node.group)}.cancel`));
    });
  },
});

const join = define<OfGroup>({
  kind: "group_join",
  feature: "groups",
  weight: 0.3,
  make: (maker) => ({ kind: "group_join", group: maker.random.pick(GROUPS) }),
  print(node, writer) {
    writer.ifSet(node, [node.group], () => {
      writer.log(node, writer.wait(writer.call(`${writer.slot(node.group)}.join`)));
    });
  },
});

/** What is often done with a group in its block: children, and sometimes its end. */
function makeBody(maker: Maker, group: string, place: { canReturn?: boolean }): Block {
  const { random } = maker;
  const first = Array.from({ length: random.integer(0, 3) }, () => spawn.make(maker));
  const own = first.filter((each) => each !== null).map((each) => ({ ...each, group }));
  const body = maker.block([0, 3], place);
  const last = random.chance(0.15)
    ? [{ kind: "group_cancel", group } as OfGroup, ...maker.block([0, 1], place)]
    : [];
  return [...own, ...body, ...last];
}

export const groups = [
  define<Group>({
    kind: "group",
    feature: "groups",
    weight: 3,
    make(maker) {
      const slot = maker.random.pick(GROUPS);
      return { kind: "group", slot, body: makeBody(maker, slot, { canReturn: false }) };
    },
    print(node, writer) {
      writer.scope({ python: "TaskGroup()", callee: "task_group", args: [], slot: node.slot }, () => {
        writer.block(node.body);
      });
      writer.log(node);
    },
  }),
  define<Group>({
    kind: "explicit_group",
    feature: "groups",
    weight: 1.5,
    make(maker) {
      // Its end is a native function, in both forms.
      if (maker.mayBeEager) return null;
      const slot = maker.random.pick(GROUPS);
      const body = makeBody(maker, slot, {});
      // Left without a join, the block counts as failed.
      const end = maker.random.chance(0.8)
        ? [{ kind: "group_join", group: slot, sure: true } as OfGroup]
        : [];
      return { kind: "explicit_group", slot, body: [...body, ...end] };
    },
    print(node, writer) {
      const { slot } = node;
      const resource = {
        python: "ExplicitGroup()",
        typescript: "new TaskGroup()",
        slot,
        isAsynchronous: true,
      };
      writer.using(resource, () => writer.block(node.body));
      writer.log(node);
    },
  }),
  spawn,
  cancel,
  join,
];
