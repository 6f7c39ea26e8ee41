import process from "node:process";

/**
 * Runs `work`, and tells how long it took: on the clock, and of this process's processor time.
 *
 * @template T
 * @param {() => T | PromiseLike<T>} work
 */
export async function timed(work) {
  const cpu = process.cpuUsage();
  const begin = performance.now();
  const value = await work();
  const seconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { value, seconds, cpuSeconds: (user + system) / 1e6 };
}
