import { parseArgs } from "node:util";
import { PEERS } from "../peers.mjs";
import { WORKLOADS } from "../workloads.mjs";
import { RUNTIMES } from "./runtimes.mjs";

const USAGE = `npm run bench -- [options]

  --quick              one round, short repetitions, fewer parked tasks: shows that everything works
  --rounds N           default 5
  --only a,b           these workloads: ${WORKLOADS.map(({ id }) => id).join(", ")}
  --peers native,...   these peers beside corio: ${PEERS.map(({ id }) => id).join(", ")}
  --runtimes node24,.. default node24,node26; of ${RUNTIMES.map(({ id }) => id).join(", ")}
  --write              write docs/performance.md even when the run is not a complete one
  --report             no measurements: tables and summary of the last run, from .cache/bench/results.json`;

/**
 * @typedef {object} Options
 * @property {boolean} quick
 * @property {number} rounds
 * @property {readonly string[]} workloads
 * @property {readonly string[]} peers
 * @property {readonly string[]} runtimes
 * @property {boolean} write
 * @property {boolean} reportOnly
 * @property {boolean} all whether what has programs of its own is measured, too: connections, clients of databases, HTTP
 */

/** Ends the process when they are wrong. @returns {Options} */
export function readOptions() {
  try {
    return parse();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

/** @returns {Options} */
function parse() {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      only: { type: "string" },
      peers: { type: "string" },
      runtimes: { type: "string", default: "node24,node26" },
      write: { type: "boolean", default: false },
      report: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new Error(`--rounds takes a positive whole number, got ${String(values.rounds)}`);
  }
  const peers = select("--peers", values.peers, PEERS);
  const corio = PEERS.filter(({ id }) => id.startsWith("corio-")).map(({ id }) => id);
  const partial = values.quick || rounds < 5 || values.only !== undefined || values.peers !== undefined;
  return {
    quick: values.quick,
    rounds,
    workloads: select("--only", values.only, WORKLOADS),
    peers: values.peers === undefined ? peers : [...new Set([...corio, ...peers])],
    runtimes: select("--runtimes", values.runtimes, RUNTIMES),
    write: values.write || !partial,
    reportOnly: values.report,
    all: !values.report && values.only === undefined && values.peers === undefined,
  };
}

/** @param {string} option @param {string | undefined} list @param {readonly { id: string }[]} known */
function select(option, list, known) {
  const ids = known.map(({ id }) => id);
  if (list === undefined) return ids;
  const wanted = list.split(",").map((id) => id.trim());
  const unknown = wanted.filter((id) => !ids.includes(id));
  if (unknown.length > 0)
    throw new Error(`${option}: unknown ${unknown.join(", ")}; there are ${ids.join(", ")}`);
  return ids.filter((id) => wanted.includes(id));
}
