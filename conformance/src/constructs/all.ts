import type { Construct } from "../construct.ts";
import type { Statement } from "../program.ts";
import { callbacks } from "./callbacks.ts";
import { cancellation } from "./cancellation.ts";
import { combinators } from "./combinators.ts";
import { context } from "./context.ts";
import { exceptionGroups } from "./exception-groups.ts";
import { flow } from "./flow.ts";
import { futures } from "./futures.ts";
import { groups } from "./groups.ts";
import { primitives } from "./primitives.ts";
import { races } from "./races.ts";
import { runners } from "./runners.ts";
import { tasks } from "./tasks.ts";
import { timeouts } from "./timeouts.ts";

export const CONSTRUCTS: readonly Construct[] = [
  ...flow,
  ...tasks,
  ...cancellation,
  ...futures,
  ...callbacks,
  ...combinators,
  ...timeouts,
  ...groups,
  ...exceptionGroups,
  ...primitives,
  ...context,
  ...races,
  ...runners,
];

const byKind = new Map(CONSTRUCTS.map((construct) => [construct.kind, construct]));

export function constructOf(statement: Statement): Construct {
  const construct = byKind.get(statement.kind);
  if (construct === undefined) throw new Error(`there is no statement '${statement.kind}'`);
  return construct;
}
