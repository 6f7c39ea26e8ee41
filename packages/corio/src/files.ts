/**
 * Files with asyncio's cancellation: what `node:fs/promises` does not have. For Node, Bun and Deno.
 *
 * @module corio/files
 */

export { readFile, writeFile } from "./files/whole-file.ts";
export type { FileData, FilePath } from "./files/whole-file.ts";
export { File, openFile, readLines } from "./files/open-file.ts";
export type { LineOptions } from "./files/line-splitter.ts";
export { atomicWriteFile } from "./files/atomic-write-file.ts";
export type { AtomicWriteOptions } from "./files/atomic-write-file.ts";
export { TemporaryDirectory, temporaryDirectory } from "./files/temporary.ts";
export { walk } from "./files/walk.ts";
export type { WalkEntry, WalkOptions } from "./files/walk.ts";
export { watch } from "./files/watch.ts";
export type { FileChange, WatchOptions } from "./files/watch.ts";
