// Finds the ```ts blocks of a document, or of the @example blocks of a source.

/**
 * @typedef {object} Snippet
 * @property {string} path the document
 * @property {number} line where its code begins
 * @property {string} file a name for it
 * @property {string} code
 * @property {string} [output] what it must print
 * @property {string} [typeOnly] why it is not run
 * @property {boolean} [isImported] it is a file for other examples, which load it by its name
 */

/**
 * @param {string} path
 * @param {string} text
 * @returns {{ snippets: Snippet[], problems: string[] }}
 */
export function extractSnippets(path, text) {
  /** @type {Snippet[]} */
  const snippets = [];
  /** @type {string[]} */
  const problems = [];
  const source = path.endsWith(".ts");
  const lines = source ? exampleLines(text) : text.split("\n");

  /** @type {Snippet | undefined} */
  let latest;
  for (let index = 0; index < lines.length; index++) {
    const [, margin = "", fence = "", info = ""] = /^(\s*)(`{3,})(.*)$/.exec(lines[index] ?? "") ?? [];
    if (fence === "") continue;
    const begin = index + 1;
    index++;
    while (index < lines.length && lines[index]?.trim() !== fence) index++;
    const code = `${lines
      .slice(begin, index)
      .map((line) => (line.startsWith(margin) ? line.slice(margin.length) : line))
      .join("\n")}\n`;
    const where = `${path}:${begin}`;

    if (info === "text output") {
      if (latest === undefined) problems.push(`${where}: output of no example`);
      else if (latest.output !== undefined)
        problems.push(`${where}: a second output of ${latest.path}:${latest.line}`);
      else latest.output = code;
      continue;
    }
    if (!/^(ts|typescript)\b/.test(info)) {
      // Text between an example and its output may have other blocks, of other languages.
      continue;
    }
    latest = undefined;
    const [, reason] = /^ts type-only: *(\S.*)$/.exec(info) ?? [];
    const [, name] = /^ts file: *(\w[\w-]*\.ts)$/.exec(info) ?? [];
    if (info !== "ts" && reason === undefined && name === undefined) {
      problems.push(
        `${where}: "${info}": say "ts", "ts file: NAME.ts" for what others load, or "ts type-only: REASON" for what cannot run`,
      );
      continue;
    }
    latest = {
      path,
      line: begin + 1,
      file: name ?? `${path.replaceAll(/[^a-zA-Z0-9]+/g, "-")}-${begin + 1}.ts`,
      code,
      ...(name !== undefined && { isImported: true }),
      ...(reason !== undefined && { typeOnly: reason }),
    };
    snippets.push(latest);
  }
  return { snippets, problems };
}

/** The lines of a source with everything but its examples made empty. @param {string} text */
function exampleLines(text) {
  let comment = false;
  let example = false;
  let fenced = false;
  return text.split("\n").map((line) => {
    const trimmed = line.trim();
    if (trimmed.startsWith("/**")) comment = true;
    const content = line.replace(/^\s*(\/\*\*|\*(?!\/)) ?/, "");
    const fence = content.trim().startsWith("```");
    if (comment && !fenced && /^@\w+/.test(content)) example = content.startsWith("@example");
    if (fence) fenced = !fenced;
    const result = comment && example ? content : "";
    if (trimmed.endsWith("*/")) comment = example = fenced = false;
    return result;
  });
}
