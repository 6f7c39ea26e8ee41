// The tables of docs/performance.md.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { inRoot } from "../../scripts/lib/paths.mjs";
import { PEERS, isCorio, peerOf } from "../peers.mjs";
import { WORKLOADS } from "../workloads.mjs";
import { quantityFor } from "./comparisons.mjs";
import { formatBytes, formatCost, formatCount, formatRate, formatRatio } from "./format.mjs";

/** @typedef {import("../workloads.mjs").Workload} Workload */
/** @typedef {import("./results.mjs").Results} Results */

const PAGE = inRoot("docs/performance.md");
const BEGIN = "<!-- bench:begin -->";
const END = "<!-- bench:end -->";

/** Replaces what is between the marks. @param {string} tables */
export function writePage(tables) {
  const page = existsSync(PAGE) ? readFileSync(PAGE, "utf8") : `# Performance\n\n${BEGIN}\n${END}\n`;
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin === -1 || end < begin) throw new Error(`${PAGE} has no ${BEGIN} … ${END}`);
  writeFileSync(PAGE, `${page.slice(0, begin + BEGIN.length)}\n\n${tables}\n${page.slice(end)}`);
}

/** @param {Results} results */
export function toMarkdown(results) {
  const sections = results.data.runtimes.map((runtime) => section(results, runtime));
  return `${[describeRun(results), ...sections].join("\n\n")}\n`;
}

/** @param {Results} results */
function describeRun({ data }) {
  const versions = Object.entries(data.versions).map(([id, version]) => `${labelOf(id)} ${version}`);
  const quality = data.quick ? " A quick run: the numbers are rough." : "";
  return `${data.date}, ${data.machine}: medians over interleaved rounds (${data.rounds}). ${versions.join(", ")}.${quality}`;
}

/** @type {ReadonlyMap<string, string>} */
const RUNTIME_LABELS = new Map([
  ["node", "Node"],
  ["node24", "Node"],
  ["node26", "Node"],
  ["bun", "Bun"],
  ["deno", "Deno"],
  ["python", "CPython"],
]);

/** @param {string} id of a runtime or a peer */
const labelOf = (id) => RUNTIME_LABELS.get(id) ?? peerOf(id).label;

/** @param {Results} results @param {string} runtime */
function section(results, runtime) {
  const title = `${labelOf(runtime)} ${results.data.versions[runtime] ?? ""}`;
  const speed = table(results, runtime, "speed", speedCell);
  const memory = table(results, runtime, "memory", memoryCell);
  const scaling = WORKLOADS.filter(({ kind }) => kind === "scaling").map((workload) =>
    scalingTable(results, runtime, workload),
  );
  return [
    `### ${title}`,
    speed &&
      `Operations a second; in brackets how many times as fast as the peer corio (async) is.\n\n${speed}`,
    memory && `Bytes of heap for each parked task (asyncio: of resident memory).\n\n${memory}`,
    ...scaling,
  ]
    .filter((text) => text !== "")
    .join("\n\n");
}

/**
 * @param {Results} results
 * @param {string} runtime
 * @param {Workload["kind"]} kind
 * @param {(results: Results, runtime: string, workload: Workload, peer: string) => string} cell
 */
function table(results, runtime, kind, cell) {
  const peers = PEERS.filter(({ id }) => results.data.peers.includes(id));
  const rows = WORKLOADS.filter((workload) => workload.kind === kind)
    .map((workload) => [
      `${workload.id}: ${workload.title}`,
      ...peers.map(({ id }) => cell(results, runtime, workload, id)),
    ])
    .filter(([, ...cells]) => cells.some((text) => text !== ""));
  return rows.length === 0 ? "" : render(["", ...peers.map(({ label }) => label)], rows);
}

/** @param {Results} results @param {string} runtime @param {Workload} workload @param {string} peer */
function speedCell(results, runtime, workload, peer) {
  const cost = results.value(workload.id, peer, runtime);
  if (cost === undefined) return "";
  const mine = workload.peers["corio-async"] === undefined ? (workload.variantOf ?? "") : workload.id;
  const ratio = isCorio(peer)
    ? undefined
    : results.speedup({ workload: mine, peer: "corio-async" }, { workload: workload.id, peer }, runtime);
  return formatRate(cost) + (ratio === undefined ? "" : ` (${formatRatio(ratio)})`);
}

/** @param {Results} results @param {string} runtime @param {Workload} workload @param {string} peer */
function memoryCell(results, runtime, workload, peer) {
  const bytes = results.value(workload.id, peer, runtime, { quantity: quantityFor(peer) });
  return bytes === undefined ? "" : formatBytes(bytes);
}

/** @param {Results} results @param {string} runtime @param {Workload} workload */
function scalingTable(results, runtime, workload) {
  const quantity = workload.byCpu === true ? "cpu" : "wall";
  const peers = PEERS.filter(({ id }) => results.points(workload.id, id, runtime).length > 0);
  const points = [...new Set(peers.flatMap(({ id }) => results.points(workload.id, id, runtime)))];
  if (points.length === 0) return "";
  const rows = points.map((point) => [
    formatCount(point),
    ...peers.map(({ id }) => {
      const cost = results.value(workload.id, id, runtime, { quantity, point });
      return cost === undefined ? "" : formatCost(cost);
    }),
  ]);
  const what = quantity === "cpu" ? "CPU time" : "Time";
  return `${what} of ${workload.title}.\n\n${render([workload.pointName ?? "", ...peers.map(({ label }) => label)], rows)}`;
}

/** @param {readonly string[]} head @param {readonly (readonly string[])[]} rows */
function render(head, rows) {
  const line = (/** @type {readonly string[]} */ cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? "---" : "--:"))), ...rows.map(line)].join(
    "\n",
  );
}
