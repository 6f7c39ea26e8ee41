// Loaded in threads only.
import { checkCancelled } from "corio/threads";

/** By trial division, to have something to compute. */
export function countPrimes(below: number): number {
  let count = 0;
  for (let candidate = 2; candidate < below; candidate++) {
    // Throws when nobody waits for the result any more.
    if (candidate % 1000 === 0) checkCancelled();
    if (isPrime(candidate)) count++;
  }
  return count;
}

function isPrime(candidate: number): boolean {
  for (let divisor = 2; divisor * divisor <= candidate; divisor++)
    if (candidate % divisor === 0) return false;
  return true;
}
