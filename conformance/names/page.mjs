// Makes docs/conformance.md.
import { readFileSync } from "node:fs";
import { inRoot } from "../../scripts/lib/paths.mjs";
import { REASONS } from "./reasons.mjs";
import { classify, counts, toMarkdown } from "./report.mjs";
import { findTaggedTests } from "./tagged-tests.mjs";

export const PAGE = "docs/conformance.md";

const INTRODUCTION = `# Conformance

<!-- Written by \`npm run conformance:names\`. -->

corio is to behave as CPython 3.14's asyncio does, but for what [Differences](differences.md) lists. That is looked at in
three ways:

- **Random programs.** \`npm run conformance\` makes concurrent programs at random, runs each on CPython and on corio (with
  native and with generator coroutines), both under a virtual clock, and compares every event: its time, its task, its
  place, its value. A part of \`npm test\` does so for the same programs every time.
- **Planted bugs.** \`npm run mutate\` changes corio's sources in known ways, one at a time, and looks whether the random
  programs find each of them. What they cannot find they do not measure.
- **Names.** CPython's own tests of asyncio, name by name: the rest of this page. corio's tests do not run Python; each
  says the same in its own words, and has the name of the test it restates in its title. \`npm test\` fails when a name
  has no place on this page, or two.

\`conformance/README.md\` explains the programs, how a difference is reduced to the smallest program that shows it, and
what is allowed to differ.

## CPython's tests`;

/** The page as it should be, what is wrong with it, and its figures in a line. */
export function makePage() {
  /** @type {Record<string, string[]>} */
  const listed = JSON.parse(readFileSync(inRoot("conformance/names/cpython-3.14.json"), "utf8"));
  const found = findTaggedTests();
  const { files, problems } = classify(listed, found.tests, REASONS);
  const { all, shown, open, noMeaning } = counts(files, REASONS).total;
  return {
    text: toMarkdown(files, REASONS, INTRODUCTION),
    problems: [...found.problems, ...problems],
    summary: `${all} names: ${shown} shown, ${open} open, ${noMeaning} without meaning`,
  };
}
