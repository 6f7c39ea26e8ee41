/**
 * Lines that a user types, or that come through a pipe. For Node, Bun and Deno.
 *
 * @module corio/input
 */

export { EOFError, input, lines } from "./input/input.ts";
export type { LinesOptions } from "./input/input.ts";
export type { InputStream } from "./input/line-reader.ts";
export type { LineOptions } from "./files/line-splitter.ts";
