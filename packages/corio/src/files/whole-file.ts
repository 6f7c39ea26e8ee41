import { readFile as read, writeFile as write } from "node:fs/promises";
import type { Coroutine } from "../futures/coroutine.ts";
import { until } from "../library/until.ts";

/** What names a file: a path, or a `file:` URL. */
export type FilePath = string | URL;

/** What can be written: text, as UTF-8, or bytes. */
export type FileData = string | Uint8Array;

/**
 * Reads a whole file: as bytes, or as text when an encoding is given.
 *
 * Cancel safety: nothing is lost; reading stops, and the file is closed.
 *
 * Python: `Path.read_bytes`, `Path.read_text`. Throws what Node's `readFile` throws.
 */
export function readFile(path: FilePath): Coroutine<Uint8Array>;
export function readFile(path: FilePath, encoding: BufferEncoding): Coroutine<string>;
export function readFile(path: FilePath, encoding?: BufferEncoding): Coroutine<Uint8Array | string> {
  return until<Uint8Array | string>((signal) => read(path, { encoding: encoding ?? null, signal }));
}

/**
 * Writes a whole file, in place: who reads it meanwhile sees a part of it, and so does everybody after a cancel or a
 * crash. See `atomicWriteFile`.
 *
 * Cancel safety: the file is closed; it may have been written in part.
 *
 * Python: `Path.write_bytes`, `Path.write_text`. Throws what Node's `writeFile` throws.
 */
export function writeFile(path: FilePath, data: FileData): Coroutine<void> {
  return until((signal) => write(path, data, { signal }));
}
