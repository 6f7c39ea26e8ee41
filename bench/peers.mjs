// Who is measured, in the order of the columns.

/**
 * @typedef {object} Peer
 * @property {string} id the name of its module in peers/, and as `--peers` takes it
 * @property {string} label
 * @property {string} [npm] the package whose version is shown
 * @property {"python"} [runtime] it has a runtime of its own
 */

/** @type {readonly Peer[]} */
export const PEERS = [
  { id: "corio-async", label: "corio (async)" },
  { id: "corio-generator", label: "corio (generator)" },
  { id: "native", label: "native promises" },
  { id: "effect", label: "Effect", npm: "effect" },
  { id: "effection", label: "Effection", npm: "effection" },
  { id: "p-limit", label: "p-limit", npm: "p-limit" },
  { id: "p-queue", label: "p-queue", npm: "p-queue" },
  { id: "piscina", label: "piscina", npm: "piscina" },
  { id: "asyncio", label: "asyncio", runtime: "python" },
];

/** @param {string} id */
export const isCorio = (id) => id.startsWith("corio-");

/** @param {string} id @returns {Peer} */
export function peerOf(id) {
  const peer = PEERS.find((candidate) => candidate.id === id);
  if (peer === undefined) throw new Error(`no peer ${id}`);
  return peer;
}
