// Why corio is not smaller: what would be left without this and that, and what a library of its kind takes.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import ts from "typescript";
import { bundle, kilobytes, sizeOf } from "./bundle-size.mjs";
import { inRoot } from "./paths.mjs";

/** @param {readonly { name: string, contents: string }[]} parts */
export async function printSizeReasons(parts) {
  const internal = internalNames();
  for (const { name, contents } of parts) {
    const { code, files } = await bundle(contents);
    const mangled = await bundle(contents, mangling(internal));
    console.log(`${name}: ${shares(files)}`);
    print(`${name}, without any text`, withoutText(code));
    print(`${name}, internal names of a letter`, mangled.code);
    print(`${name}, without both`, withoutText(mangled.code));
    const { code: fewerRules } = await bundle(contents, { ...mangling(internal), plugins: [leavingOut] });
    print(`${name}, and without ${WHOLE_RULES}`, withoutText(fewerRules));
  }
  const effect = inRoot("bench/node_modules/effect");
  if (!existsSync(effect)) {
    console.log("Effect is not measured: npm ci --prefix bench");
    return;
  }
  const core = "runPromise, sleep, forkChild, timeout, gen, scoped, all";
  const fromEffect = `export { ${core} } from "effect/Effect";`;
  const options = { nodePaths: [inRoot("bench/node_modules")] };
  print("Effect: tasks", (await bundle(fromEffect, options)).code);
  const primitives = `export { bounded, offer, take, shutdown } from "effect/Queue"; export { make } from "effect/Semaphore";`;
  print("Effect: tasks, semaphore, queue", (await bundle(fromEffect + primitives, options)).code);
}

/** How much each layer has of a bundle; the event loop by itself. @param {readonly { file: string, bytes: number }[]} files */
function shares(files) {
  /** @type {Map<string, number>} */
  const layers = new Map();
  let total = 0;
  for (const { file, bytes } of files) {
    const [, folder = "the rest", name = ""] = /dist\/(\w+)\/([\w-]+)/.exec(file) ?? [];
    const layer = name === "event-loop" ? name : folder;
    layers.set(layer, (layers.get(layer) ?? 0) + bytes);
    total += bytes;
  }
  const largestFirst = [...layers].sort(([, one], [, other]) => other - one);
  return largestFirst.map(([layer, bytes]) => `${layer} ${((100 * bytes) / total).toFixed(0)} %`).join(", ");
}

/** @param {string} name @param {string} code */
function print(name, code) {
  const { minified, gzipped } = sizeOf(code);
  console.log(`${name.padEnd(72)} ${kilobytes(gzipped)} gzipped, ${kilobytes(minified)} minified`);
}

/** @param {readonly string[]} names @returns {import("esbuild").BuildOptions} */
const mangling = (names) => ({ mangleProps: new RegExp(`^(?:${names.join("|")})$`) });

/** What has files of its own, which can be emptied: nobody would want to be without, but how small would it be? */
const WHOLE_RULES = "generators, debug, reports, contexts, signals";
const RULE_FILES =
  /futures[/](?:generator-strand|debug|reports|never-awaited|context|abort-followers|promise-future)[.]js$/;

/** Puts nothing in the place of these files, under the names that they export. @type {import("esbuild").Plugin} */
const leavingOut = {
  name: "leaving-out",
  setup(build) {
    build.onLoad({ filter: RULE_FILES }, async ({ path: file }) => {
      const text = await readFile(file, "utf8");
      const names = [...text.matchAll(/^export (?:abstract )?(?:const|let|function|class) (\w+)/gm)].map(
        ([, name = ""]) => name,
      );
      return { contents: names.map((name) => `export class ${name} {}`).join("\n") };
    });
  },
};

/** Text is what has a blank in it: messages of errors, reports. @param {string} code */
function withoutText(code) {
  const source = ts.createSourceFile("bundle.js", code, ts.ScriptTarget.Latest, false, ts.ScriptKind.JS);
  /** @type {[from: number, to: number][]} */
  const texts = [];
  /** @param {ts.Node} node */
  const visit = (node) => {
    const isText =
      ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node) || ts.isTemplateHead(node);
    const isTemplatePart = ts.isTemplateMiddle(node) || ts.isTemplateTail(node);
    if ((isText || isTemplatePart) && node.text.includes(" ")) {
      const closing = ts.isTemplateHead(node) || ts.isTemplateMiddle(node) ? 2 : 1;
      texts.push([node.getStart(source) + 1, node.end - closing]);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  let left = "";
  let end = 0;
  for (const [from, to] of texts) {
    left += code.slice(end, from);
    end = to;
  }
  return left + code.slice(end);
}

/** The names of members that no program can see, unless they are also those of something else. */
function internalNames() {
  const root = inRoot("packages/corio/src");
  /** @type {Set<string>} */
  const hidden = new Set();
  const visible = new Set([
    "then",
    "catch",
    "finally",
    "constructor",
    "next",
    "throw",
    "return",
    "value",
    "done",
  ]);
  for (const file of readdirSync(root, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".ts")) continue;
    const text = readFileSync(path.join(root, file), "utf8");
    /** @param {ts.Node} node */
    const visit = (node) => {
      if (
        (ts.isClassElement(node) || ts.isTypeElement(node)) &&
        node.name !== undefined &&
        ts.isIdentifier(node.name)
      ) {
        const modifiers = ts.getCombinedModifierFlags(/** @type {ts.Declaration} */ (node));
        const isHidden =
          (modifiers & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) !== 0 ||
          ts.getJSDocTags(node).some((tag) => tag.tagName.text === "internal");
        (isHidden ? hidden : visible).add(node.name.text);
      }
      ts.forEachChild(node, visit);
    };
    visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  }
  return [...hidden].filter((name) => !visible.has(name));
}
