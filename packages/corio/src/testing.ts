/**
 * Virtual time, and help for test runners.
 *
 * @module corio/testing
 */

export { VirtualClock } from "./testing/virtual-clock.ts";
export type { VirtualClockOptions } from "./testing/virtual-clock.ts";
export { isolated } from "./testing/isolated.ts";
export type { Fixture, IsolatedOptions } from "./testing/isolated.ts";
