import type { Difference } from "./compare.ts";
import { toPython } from "./python.ts";
import { toToken } from "./token.ts";
import type { Trace } from "./trace.ts";
import { firstDifference } from "./trace.ts";
import { toTypeScript } from "./typescript.ts";

const CONTEXT = 12;

/** The program in both languages side by side, both traces, and how to run it again. */
export function describe({ program, form, expected, actual }: Difference): string {
  const first = firstDifference(expected, actual) ?? 0;
  const from = Math.max(0, first - CONTEXT);
  const to = first + CONTEXT;
  return [
    ...sideBySide(toPython(program).split("\n"), toTypeScript(program, form).split("\n")),
    ...(from > 0 ? [`… ${String(from)} equal events`] : []),
    ...sideBySide(
      ["  CPython", ...marked(expected, first).slice(from, to)],
      [`  corio, ${form}`, ...marked(actual, first).slice(from, to)],
    ),
    "",
    `npm run conformance -- --replay ${toToken(program)}`,
  ].join("\n");
}

/** The events, with an arrow at the one that is the first to differ. */
function marked(trace: Trace, first: number): string[] {
  return trace.map((event, index) => `${index === first ? "→" : " "} ${event}`);
}

function sideBySide(left: readonly string[], right: readonly string[]): string[] {
  const width = Math.max(...left.map((line) => line.length)) + 4;
  return Array.from({ length: Math.max(left.length, right.length) }, (_, index) =>
    `${(left[index] ?? "").padEnd(width)}${right[index] ?? ""}`.trimEnd(),
  );
}
