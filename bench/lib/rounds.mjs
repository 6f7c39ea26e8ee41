// Measurements inside one process, side by side: for programs that need a server or sockets.
import { median } from "./median.mjs";

/**
 * Runs all contestants once, to warm up, and then round by round, one after the other, so that the machine's moods
 * meet all alike. Gives the samples of each, in the order of the rounds.
 *
 * @template Sample
 * @template {string} Name
 * @param {number} rounds
 * @param {Readonly<Record<Name, () => PromiseLike<Sample>>>} contestants by name; they take turns in this order
 * @returns {Promise<Record<Name, Sample[]>>}
 */
export async function interleave(rounds, contestants) {
  const entries = /** @type {[Name, () => PromiseLike<Sample>][]} */ (Object.entries(contestants));
  for (const [, measure] of entries) await measure();
  /** @type {[Name, Sample[]][]} */
  const samples = entries.map(([name]) => [name, []]);
  for (let round = 0; round < rounds; round++) {
    for (const [index, [, measure]] of entries.entries()) samples[index]?.[1].push(await measure());
  }
  return /** @type {Record<Name, Sample[]>} */ (Object.fromEntries(samples));
}

/** The median over the rounds. @template Sample @param {readonly Sample[]} samples @param {(sample: Sample) => number} quantity */
export function medianOf(samples, quantity) {
  return median(samples.map(quantity));
}

/**
 * How many times as large a quantity is: the median of what the rounds say, since in a round both were measured within
 * seconds.
 *
 * @template Sample
 * @param {readonly Sample[]} subjects
 * @param {readonly Sample[]} peers
 * @param {(sample: Sample) => number} quantity
 */
export function ratioOf(subjects, peers, quantity) {
  return median(
    subjects.flatMap((subject, round) => {
      const peer = peers[round];
      return peer === undefined ? [] : [quantity(subject) / quantity(peer)];
    }),
  );
}

/** Prints rows under a title; the first column to the left, the others to the right. @param {string} title @param {readonly (readonly string[])[]} rows */
export function printTable(title, rows) {
  const widthOf = (/** @type {number} */ column) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  console.log(`\n${title}`);
  for (const row of rows) {
    const cells = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widthOf(column)) : cell.padStart(widthOf(column)),
    );
    console.log(`  ${cells.join("  ")}`);
  }
}
