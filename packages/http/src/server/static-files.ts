import { constants, open, realpath } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { extname, join, resolve, sep } from "node:path";
import { coroutine, until } from "corio";
import type { Coroutine } from "corio";
import { HttpException } from "../errors.ts";
import { Reply } from "./reply.ts";
import type { ServerRequest } from "./server-request.ts";

/** Options of `staticFiles`. */
export interface StaticFilesOptions {
  /** What is sent for a folder. Default `index.html`; null: nothing. */
  readonly index?: string | null | undefined;
  /** For how long clients may use a file without asking again, in seconds. Default 0: they always ask. */
  readonly maxAge?: number | undefined;
  /** Headers of each reply. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Sends one of the files: that of the request's path, or of the path that is given, percent-encoded or not. */
export type FileHandler = (request: ServerRequest, path?: string) => Coroutine<Reply>;

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".csv": "text/csv; charset=utf-8",
  ".gif": "image/gif",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".md": "text/markdown; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".mp4": "video/mp4",
  ".pdf": "application/pdf",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
  ".xml": "application/xml",
};

const CHUNK = 65_536;
/** Windows has none. */
const NON_BLOCKING = (constants as { readonly O_NONBLOCK?: number }).O_NONBLOCK ?? 0;

/**
 * Serves the files of a folder: with entity tags, so that a client which has a file is told so (304), and single ranges.
 * What is outside of the folder, by `..` or by a symbolic link, and what has a name that begins with a dot, is not found.
 *
 * aiohttp: `web.static`, `web.FileResponse`.
 */
export function staticFiles(folder: string, options: StaticFilesOptions = {}): FileHandler {
  const root = resolve(folder);
  return (request, path) => sendFile(root, options, request, path ?? decodePath(request.path));
}

const sendFile = coroutine(async function sendFile(
  root: string,
  options: StaticFilesOptions,
  request: ServerRequest,
  path: string,
): Promise<Reply> {
  if (request.method !== "GET" && request.method !== "HEAD")
    throw new HttpException(405, undefined, { headers: { allow: "GET, HEAD" } });
  const segments = path.split("/").filter((segment) => segment !== "");
  if (segments.some((segment) => segment.startsWith(".") || /[\\\0]/.test(segment)))
    throw new HttpException(404);
  const file = await openBelow(
    root,
    join(root, ...segments),
    options.index === undefined ? "index.html" : options.index,
  );
  let isSent = false;
  try {
    const { mtimeMs, size } = file;
    const etag = `"${size.toString(36)}-${Math.floor(mtimeMs).toString(36)}"`;
    const headers: Record<string, string | number> = {
      "accept-ranges": "bytes",
      "cache-control": options.maxAge === undefined ? "no-cache" : `max-age=${options.maxAge}`,
      etag,
      "last-modified": new Date(mtimeMs).toUTCString(),
      "x-content-type-options": "nosniff",
      ...options.headers,
    };
    if (isAnother(request, etag, mtimeMs)) throw new HttpException(412);
    if (isKnown(request, etag, mtimeMs)) return new Reply(null, { status: 304, headers });
    headers["content-type"] = TYPES[extname(file.path).toLowerCase()] ?? "application/octet-stream";
    const range = rangeOf(request, etag, mtimeMs, size);
    if (range === "unsatisfiable")
      throw new HttpException(416, undefined, { headers: { "content-range": `bytes */${size}` } });
    const [first, last] = range ?? [0, size - 1];
    headers["content-length"] = last - first + 1;
    if (range !== null) headers["content-range"] = `bytes ${first}-${last}/${size}`;
    const status = range === null ? 200 : 206;
    if (request.method === "HEAD") return new Reply("", { status, headers });
    isSent = true;
    return new Reply(new FileBody(file.handle, first, last), { status, headers });
  } finally {
    if (!isSent) await until(file.handle.close());
  }
});

interface OpenFile {
  readonly handle: FileHandle;
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
}

async function openBelow(root: string, path: string, index: string | null): Promise<OpenFile> {
  // Whatever is open when the cancel comes is closed.
  const file = await until(async () => {
    for (const candidate of index === null ? [path] : [path, join(path, index)]) {
      const real = await realpath(candidate).catch(() => null);
      // The root of a file system ends with the separator by itself.
      if (real?.startsWith(join(await realpath(root), sep)) !== true) continue;
      // Not blocking: to open a named pipe would wait until somebody writes.
      const handle = await open(real, constants.O_RDONLY | NON_BLOCKING).catch(() => null);
      if (handle === null) continue;
      const stats = await handle.stat();
      if (stats.isFile()) return { handle, path: real, size: stats.size, mtimeMs: stats.mtimeMs };
      await handle.close();
    }
    return null;
  });
  if (file === null) throw new HttpException(404);
  return file;
}

/** A part of a file, which is closed at its end, and when nobody wants it. */
class FileBody implements AsyncIterable<Uint8Array> {
  readonly #handle: FileHandle;
  readonly #first: number;
  readonly #last: number;

  constructor(handle: FileHandle, first: number, last: number) {
    this.#handle = handle;
    this.#first = first;
    this.#last = last;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    try {
      for (let position = this.#first; position <= this.#last;) {
        const length = Math.min(CHUNK, this.#last - position + 1);
        // A new buffer each time: the one before may still be on its way.
        const { buffer, bytesRead } = await until(() =>
          this.#handle.read(new Uint8Array(length), 0, length, position),
        );
        if (bytesRead === 0) throw new Error("the file became shorter while it was sent");
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await until(this.#handle.close());
    }
  }

  /** Instead of iterating over it. */
  destroy(): void {
    void this.#handle.close().catch(() => undefined);
  }
}

/** Whether the client wants this file only as it was. */
function isAnother(request: ServerRequest, etag: string, mtimeMs: number): boolean {
  const { "if-match": tags, "if-unmodified-since": since } = request.incoming.headers;
  if (tags !== undefined) return tags.trim() !== "*" && !tags.split(",").some((tag) => tag.trim() === etag);
  return since !== undefined && Math.floor(mtimeMs / 1000) > Math.floor(Date.parse(since) / 1000);
}

function isKnown(request: ServerRequest, etag: string, mtimeMs: number): boolean {
  const { "if-modified-since": since, "if-none-match": tags } = request.incoming.headers;
  if (tags !== undefined)
    return tags.trim() === "*" || tags.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
  return since !== undefined && Math.floor(mtimeMs / 1000) <= Math.floor(Date.parse(since) / 1000);
}

/** Null: the whole file. Several ranges at once are not served; the client gets the whole. */
function rangeOf(
  request: ServerRequest,
  etag: string,
  mtimeMs: number,
  size: number,
): readonly [number, number] | "unsatisfiable" | null {
  const { range } = request.incoming.headers;
  // It is defined for GET only.
  if (request.method !== "GET") return null;
  const condition = request.headers.get("if-range");
  if (
    condition !== null &&
    condition !== etag &&
    Math.floor(mtimeMs / 1000) !== Math.floor(Date.parse(condition) / 1000)
  )
    return null;
  const found = /^bytes=(\d*)-(\d*)$/i.exec(range ?? "");
  if (found === null || (found[1] === "" && found[2] === "")) return null;
  const [, from = "", to = ""] = found;
  const first = from === "" ? Math.max(0, size - Number(to)) : Number(from);
  const last = from === "" || to === "" ? size - 1 : Math.min(Number(to), size - 1);
  if (from !== "" && to !== "" && Number(to) < first) return null;
  return first >= size || last < first ? "unsatisfiable" : [first, last];
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    throw new HttpException(400, "the address has a broken escape sequence", { cause: error });
  }
}
