// Gives every test of CPython's test_asyncio its place: shown by corio's tests, open, or without meaning here.

/** @typedef {import("./tagged-tests.mjs").TaggedTest} TaggedTest */

/**
 * @typedef {object} Reason why no test of corio restates some of CPython's
 * @property {"open" | "no meaning"} kind open: corio has not got it yet
 * @property {string} title
 * @property {string} why
 * @property {Record<string, readonly string[]>} tests names, by CPython's file. `*` stands for any letters; the longest pattern decides.
 */

/** @typedef {{ name: string, shownBy: TaggedTest[], reason: Reason | undefined }} Entry */
/** @typedef {{ file: string, entries: Entry[] }} FileReport */

/**
 * @param {Record<string, readonly string[]>} listed CPython's test names by file
 * @param {readonly TaggedTest[]} tests
 * @param {readonly Reason[]} reasons
 * @returns {{ files: FileReport[], problems: string[] }}
 */
export function classify(listed, tests, reasons) {
  /** @type {string[]} */
  const problems = [];
  const known = new Set(Object.values(listed).flat());
  /** @type {Map<string, TaggedTest[]>} */
  const testsByName = new Map();
  for (const { name, file, title, skipped } of tests) {
    const where = `${file}, "${title}"`;
    testsByName.set(name, [...(testsByName.get(name) ?? []), { name, file, title }]);
    if (!known.has(name)) problems.push(`${where}: CPython has no test ${name}`);
    if (skipped !== undefined)
      problems.push(`${where}: does not run on Node (${skipped}), so ${name} is not shown`);
  }

  const patterns = reasons.flatMap((reason) =>
    Object.entries(reason.tests).flatMap(([file, texts]) =>
      texts.map((text) => ({
        reason,
        file,
        text,
        isExact: !text.includes("*"),
        matches: matcher(text),
        used: false,
      })),
    ),
  );
  const files = Object.entries(listed).map(([file, names]) => ({
    file,
    entries: names.map((name) => entryOf(file, name)),
  }));
  for (const { reason, file, text, used } of patterns) {
    if (!used)
      problems.push(
        `reason "${reason.title}": ${file}, ${text} stands for no test, or for none that is left`,
      );
  }
  return { files, problems };

  /** @param {string} file @param {string} name @returns {Entry} */
  function entryOf(file, name) {
    const shownBy = testsByName.get(name) ?? [];
    const [first, second] = patterns
      .filter((pattern) => pattern.file === file && pattern.matches(name))
      .sort((a, b) => b.text.length - a.text.length);
    if (first !== undefined && second?.text === first.text) {
      problems.push(
        `${file}, ${name}: has two reasons, "${first.reason.title}" and "${second.reason.title}"`,
      );
    }
    if (shownBy.length > 0) {
      // An open pattern stands for what is left of it: what is built gets tests, and needs no more care here.
      if (first !== undefined && (first.isExact || first.reason.kind === "no meaning")) {
        problems.push(
          `${file}, ${name}: has a test, "${shownBy[0]?.title ?? ""}", and a reason, "${first.reason.title}"`,
        );
        first.used = true;
      }
      return { name, shownBy, reason: undefined };
    }
    if (first === undefined) problems.push(`${file}, ${name}: has neither a test nor a reason`);
    else first.used = true;
    return { name, shownBy, reason: first?.reason };
  }
}

/** @param {string} pattern @returns {(name: string) => boolean} */
function matcher(pattern) {
  const regExp = new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", ".*")}$`);
  return (name) => regExp.test(name);
}

/** @param {readonly FileReport[]} files @param {readonly Reason[]} reasons */
export function counts(files, reasons) {
  const of = (/** @type {readonly Entry[]} */ entries) => ({
    all: entries.length,
    shown: entries.filter(({ shownBy }) => shownBy.length > 0).length,
    open: entries.filter(({ reason }) => reason?.kind === "open").length,
    noMeaning: entries.filter(({ reason }) => reason?.kind === "no meaning").length,
  });
  const entries = files.flatMap((file) => file.entries);
  return {
    total: of(entries),
    files: files.map((file) => ({ file: file.file, ...of(file.entries) })),
    reasons: reasons.map((reason) => ({
      reason,
      count: entries.filter((entry) => entry.reason === reason).length,
    })),
  };
}

/** @param {readonly FileReport[]} files @param {readonly Reason[]} reasons @param {string} introduction */
export function toMarkdown(files, reasons, introduction) {
  const count = counts(files, reasons);
  const { total } = count;
  const reasonTable = (/** @type {Reason["kind"]} */ kind, /** @type {string} */ heading) =>
    table(
      [heading, "tests", ""],
      count.reasons
        .filter(({ reason }) => reason.kind === kind)
        .map(({ reason, count }) => [reason.title, count, reason.why]),
    );
  const sections = [
    introduction,
    `Of ${total.all} tests, **${total.shown} are shown** by tests of corio, **${total.open} are open**, and **${total.noMeaning} have no meaning** in TypeScript.`,
    table(
      ["CPython's file", "tests", "shown", "open", "no meaning"],
      count.files.map(({ file, all, shown, open, noMeaning }) => [
        `[${file}](#${anchor(file)})`,
        all,
        shown,
        open,
        noMeaning,
      ]),
    ),
    "### Open",
    "What these wait for is not in corio yet:",
    reasonTable("open", "waits for"),
    "### Without meaning",
    reasonTable("no meaning", "reason"),
    "## Every test",
    "Files of tests without a folder are in `packages/corio/test/`.",
    ...files.flatMap((file, index) => fileSections(file, count.files[index])),
  ];
  return `${sections.join("\n\n")}\n`;
}

/** @param {FileReport} report @param {ReturnType<typeof counts>["files"][number] | undefined} count */
function fileSections({ file, entries }, count) {
  const shown = entries.filter(({ shownBy }) => shownBy.length > 0);
  const reasons = [...new Set(entries.flatMap(({ reason }) => reason ?? []))];
  return [
    `### ${file}`,
    `${count?.shown ?? 0} shown, ${count?.open ?? 0} open, ${count?.noMeaning ?? 0} without meaning.`,
    ...(shown.length === 0
      ? []
      : [
          table(
            ["CPython", "corio"],
            shown.map(({ name, shownBy }) => [`\`${name}\``, shownBy.map(describeTest).join("<br>")]),
          ),
        ]),
    ...["open", "no meaning"].flatMap((kind) =>
      reasons
        .filter((reason) => reason.kind === kind)
        .flatMap((reason) => [
          `${kind === "open" ? "Open" : "No meaning"}: **${reason.title}**`,
          byClass(entries.filter((entry) => entry.reason === reason).map(({ name }) => name)),
        ]),
    ),
  ];
}

/** @param {TaggedTest} test */
function describeTest({ title, file }) {
  return `${escaped(title)} (\`${file.replace(/^corio\/test\//, "")}\`)`;
}

/** A list with an item for each class. @param {readonly string[]} names */
function byClass(names) {
  /** @type {Map<string, string[]>} */
  const classes = new Map();
  for (const name of names) {
    const [className = "", method = ""] = name.split(".");
    classes.set(className, [...(classes.get(className) ?? []), `\`${method}\``]);
  }
  return [...classes]
    .map(([className, methods]) => wrapped(`- \`${className}\`: ${methods.join(", ")}`, "  "))
    .join("\n");
}

/** @param {string} text @param {string} indent of all lines but the first */
function wrapped(text, indent) {
  let line = "";
  const lines = [];
  for (const word of text.split(" ")) {
    if (line.length + word.length >= 120) {
      lines.push(line.trimEnd());
      line = indent;
    }
    line += `${word} `;
  }
  return [...lines, line.trimEnd()].join("\n");
}

/** @param {readonly string[]} head @param {readonly (readonly (string | number)[])[]} rows */
function table(head, rows) {
  const line = (/** @type {readonly (string | number)[]} */ cells) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}

/** @param {string} text */
function escaped(text) {
  return text.replaceAll(/[\\|<*]/g, "\\$&");
}

/** GitHub's, and typedoc's. @param {string} heading */
function anchor(heading) {
  return heading.toLowerCase().replaceAll(/[^\w-]/g, "");
}
