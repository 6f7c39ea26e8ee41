// Finds the names of CPython's tests in the titles of corio's.
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import ts from "typescript";
import { inRoot } from "../../scripts/lib/paths.mjs";

/**
 * @typedef {object} TaggedTest a test whose title says which of CPython's it restates
 * @property {string} name CPython's: `Class.test_method`
 * @property {string} file where it is: the path from `packages/` on
 * @property {string} title without the names, behind the titles of the groups that it is in
 * @property {string} [skipped] why it does not run on Node
 */

/** @typedef {{ tests: TaggedTest[], problems: string[] }} Found */

const NAME = /\[(\w+\.test\w*)\]/g;

/** Several names in one pair of brackets: they would not be read. */
const LIST = /\[[A-Z]\w*\.test_\w*,[^\]]*\]/g;

/** Reads every test file of every package. @returns {Found} */
export function findTaggedTests() {
  const packages = inRoot("packages");
  const files = readdirSync(packages)
    .flatMap((name) => testFiles(join(name, "test")))
    .map((file) => file.replaceAll("\\", "/"))
    .sort();
  const found = files.map((file) => taggedTestsOf(file, readFileSync(join(packages, file), "utf8")));
  return {
    tests: found.flatMap(({ tests }) => tests),
    problems: found.flatMap(({ problems }) => problems),
  };

  /** @param {string} directory */
  function testFiles(directory) {
    try {
      return readdirSync(join(packages, directory), { recursive: true, encoding: "utf8" })
        .filter((file) => basename(file).endsWith(".test.ts"))
        .map((file) => join(directory, file));
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
      throw error;
    }
  }
}

/** @param {string} file @param {string} text its content @returns {Found} */
export function taggedTestsOf(file, text) {
  /** @type {TaggedTest[]} */
  const tests = [];
  /** @type {string[]} */
  const problems = [];
  for (const [list] of text.matchAll(LIST))
    problems.push(`${file}: ${list} has several names; each has brackets of its own`);
  const written = namesIn(text);
  if (written.length === 0) return { tests, problems };

  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest);
  visit(source, [], undefined);

  const inTitles = new Set(tests.map(({ name }) => name));
  for (const name of new Set(written)) {
    if (!inTitles.has(name)) problems.push(`${file}: [${name}] is not in the title of a test`);
  }
  return { tests, problems };

  /** @param {ts.Node} node @param {readonly string[]} groups @param {string | undefined} skipped */
  function visit(node, groups, skipped) {
    if (ts.isCallExpression(node)) {
      const [callee = "", modifier] = node.expression.getText(source).split(".");
      const title = node.arguments.map(literalText).find((each) => each !== undefined);
      if (title !== undefined && /^(?:test|describe)/.test(callee)) {
        const reason = modifier === "skip" ? `${callee}.skip` : (skipped ?? hostsWithoutNode(node, callee));
        if (callee === "describe") {
          ts.forEachChild(node, (child) => visit(child, [...groups, withoutNames(title)], reason));
          return;
        }
        for (const name of namesIn(title)) {
          tests.push({
            name,
            file,
            title: [...groups, withoutNames(title)].join(" › "),
            ...(reason !== undefined && { skipped: reason }),
          });
        }
      }
    }
    ts.forEachChild(node, (child) => visit(child, groups, skipped));
  }

  /** `testOn(hosts, title, body)`: the hosts, written there or as a constant. @param {ts.CallExpression} call @param {string} callee */
  function hostsWithoutNode(call, callee) {
    if (callee !== "testOn") return undefined;
    const [argument] = call.arguments;
    const hosts = argument === undefined ? "" : argument.getText(source);
    const list = new RegExp(`const ${hosts}\\b[^=]*= (\\[[^\\]]*\\])`).exec(/^\w+$/.test(hosts) ? text : "");
    return (list?.[1] ?? hosts).includes('"node"') ? undefined : `testOn(${hosts})`;
  }
}

/** The text of a string; what a template computes is an ellipsis. @param {ts.Node} node @returns {string | undefined} */
function literalText(node) {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node)) {
    return node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join("");
  }
  return undefined;
}

/** @param {string} text @returns {string[]} */
function namesIn(text) {
  return [...text.matchAll(NAME)].map(([, name = ""]) => name);
}

/** @param {string} title */
function withoutNames(title) {
  return title.replaceAll(NAME, "").replaceAll(/\s+/g, " ").trim();
}
