// npm run conformance:names: writes docs/conformance.md.
import { writeFileSync } from "node:fs";
import { inRoot } from "../../scripts/lib/paths.mjs";
import { makePage, PAGE } from "./page.mjs";

const { text, problems, summary } = makePage();
writeFileSync(inRoot(PAGE), text);
console.log([summary, ...problems].join("\n"));
process.exitCode = problems.length > 0 ? 1 : 0;
