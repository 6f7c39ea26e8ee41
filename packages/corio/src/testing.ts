/** `corio/testing`: virtual time and help for test runners. */
export { VirtualClock } from "./testing/virtual-clock.ts";
export type { VirtualClockOptions } from "./testing/virtual-clock.ts";
