// A leg of npm test: docs/conformance.md is right, and what would be wrong with it would be seen.
import { readFileSync } from "node:fs";
import { inRoot } from "../../scripts/lib/paths.mjs";
import { makePage, PAGE } from "./page.mjs";
import { classify } from "./report.mjs";
import { taggedTestsOf } from "./tagged-tests.mjs";

/** @typedef {import("./report.mjs").Reason} Reason */

const listed = { "test_a.py": ["A.test_one", "A.test_two"] };

/** @param {Reason["kind"]} kind @param {readonly string[]} names @returns {Reason} */
const reason = (kind, ...names) => ({ kind, title: names.join(), why: "", tests: { "test_a.py": names } });
const open = reason("open", "A.*");
const twoIsOpen = reason("open", "A.test_two");

/** What a test file, with these reasons, is told. @type {{ source: string, reasons: readonly Reason[], expected: readonly RegExp[] }[]} */
const cases = [
  { source: 'test("a [A.test_one] [A.test_two]", f);', reasons: [], expected: [] },
  { source: "testForms(`a ${b} c [A.test_one]`, f);", reasons: [twoIsOpen], expected: [] },
  // A pattern of what is open stands for the rest.
  { source: 'test("a [A.test_one]", f);', reasons: [open], expected: [] },
  { source: "", reasons: [open, reason("no meaning", "A.test_o*")], expected: [] },
  {
    source: 'test("a [A.test_one] [A.test_three]", f);',
    reasons: [twoIsOpen],
    expected: [/CPython has no test A\.test_three/],
  },
  { source: "", reasons: [twoIsOpen], expected: [/A\.test_one: has neither a test nor a reason/] },
  {
    source: 'test("a [A.test_one] [A.test_two]", f);',
    reasons: [twoIsOpen],
    expected: [/A\.test_two: has a test, "a", and a reason/],
  },
  {
    source: 'test("a [A.test_one]", f);',
    reasons: [reason("no meaning", "A.*")],
    expected: [/A\.test_one: has a test, "a", and a reason/],
  },
  {
    source: "",
    reasons: [open, reason("no meaning", "A.*")],
    expected: [/A\.test_one: has two reasons/, /A\.test_two: has two reasons/, /A\.\* stands for no test/],
  },
  {
    source: "",
    reasons: [open, reason("no meaning", "B.*")],
    expected: [/B\.\* stands for no test, or for none that is left/],
  },
  {
    source: 'test.skip("a [A.test_one]", f);',
    reasons: [twoIsOpen],
    expected: [/does not run on Node \(test\.skip\)/],
  },
  {
    source: 'describe.skip("a", () => { test("b [A.test_one]", f); });',
    reasons: [twoIsOpen],
    expected: [/"a › b": does not run on Node \(describe\.skip\)/],
  },
  {
    source: 'testOn(["bun"], "a [A.test_one]", f);',
    reasons: [twoIsOpen],
    expected: [/does not run on Node \(testOn\(\["bun"\]\)\)/],
  },
  { source: 'testOn(["node", "bun"], "a [A.test_one]", f);', reasons: [twoIsOpen], expected: [] },
  {
    source: 'const hosts = ["node"]; testOn(hosts, "a [A.test_one]", f);',
    reasons: [twoIsOpen],
    expected: [],
  },
  {
    source: 'test("a [A.test_one, A.test_two]", f);',
    reasons: [open],
    expected: [/\[A\.test_one, A\.test_two\] has several names/],
  },
  { source: "// [A.test_one]", reasons: [open], expected: [/\[A\.test_one\] is not in the title of a test/] },
];

let failed = 0;
for (const { source, reasons, expected } of cases) {
  const found = taggedTestsOf("a.test.ts", source);
  const problems = [...found.problems, ...classify(listed, found.tests, reasons).problems];
  const isAsExpected =
    problems.length === expected.length && expected.every((each, index) => each.test(problems[index] ?? ""));
  if (isAsExpected) continue;
  failed++;
  console.log(
    `FAILED ${source}: expected ${expected.join(", ") || "no problem"}, got:\n${problems.join("\n")}`,
  );
}

const { text, problems, summary } = makePage();
if (readFileSync(inRoot(PAGE), "utf8") !== text) {
  problems.push(`${PAGE} is not what \`npm run conformance:names\` makes now`);
}
if (problems.length > 0) {
  failed++;
  console.log(`FAILED ${PAGE}:\n${problems.join("\n")}`);
}
console.log(summary);
console.log(`${cases.length + 1 - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
