/** Between corio's streams, and those of the web and of Node. */
import { Readable, Writable } from "node:stream";
import type { Duplex } from "node:stream";
import { badArgument } from "../../errors.ts";
import type { Coroutine } from "../../futures/coroutine.ts";
import { getRunningLoop } from "../../futures/event-loop.ts";
import type { EventLoop } from "../../futures/event-loop.ts";
import { Future } from "../../futures/future.ts";
import { DEFAULT_LIMIT, StreamReader } from "../stream-reader.ts";
import type { StreamReaderOptions } from "../stream-reader.ts";
import { StreamReaderProtocol } from "../stream-reader-protocol.ts";
import { StreamWriter } from "../stream-writer.ts";
import type { Streams } from "./open.ts";
import { StreamTransport } from "./stream-transport.ts";

/** A coroutine's outcome as a promise, for who is not part of any task. The coroutine runs as a task of `loop`. */
function promiseOf<T>(loop: EventLoop, coroutine: Coroutine<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    loop.createTask(coroutine).addDoneCallback((task) => {
      try {
        resolve(task.result());
      } catch (error) {
        reject(error);
      }
    });
  });
}

/**
 * A reader as a `ReadableStream` of bytes, a writer as a `WritableStream`: for `fetch`, `Response`, compression and
 * whatever else takes the web's streams. Reading and writing are tasks of the loop, so they end with it. Cancelling
 * the readable stream closes the connection; closing the writable one ends the writing (`writeEof`), or, where that is
 * not possible, the connection.
 *
 * asyncio: none. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { coroutine, run, until } from "corio";
 * import { StreamReader, toWeb } from "corio/streams";
 *
 * const main = coroutine(async function main() {
 *   const reader = new StreamReader();
 *   reader.feedData(new TextEncoder().encode("Hello"));
 *   reader.feedEof();
 *   console.log(await until(new Response(toWeb(reader)).text()));
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * Hello
 * ```
 */
export function toWeb(stream: StreamReader): ReadableStream<Uint8Array>;
export function toWeb(stream: StreamWriter): WritableStream<Uint8Array>;
export function toWeb(
  stream: StreamReader | StreamWriter,
): ReadableStream<Uint8Array> | WritableStream<Uint8Array> {
  if (stream instanceof StreamReader) {
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const bytes = await promiseOf(stream.getLoop(), stream.read(DEFAULT_LIMIT));
          if (bytes.length > 0) controller.enqueue(bytes);
          else controller.close();
        },
        cancel: () => stream.transport?.close(),
      },
      // Nothing is read before somebody asks.
      { highWaterMark: 0 },
    );
  }
  if (stream instanceof StreamWriter) {
    return new WritableStream<Uint8Array>({
      write: (chunk) => writeAndDrain(stream, chunk),
      close: () => endWriting(stream),
      abort: () => stream.transport.abort(),
    });
  }
  throw badArgument("toWeb", "a StreamReader or a StreamWriter", stream);
}

/**
 * A reader as a `Readable`, a writer as a `Writable` of `node:stream`. As `toWeb` in all else.
 *
 * asyncio: none. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { text } from "node:stream/consumers";
 * import { coroutine, run, until } from "corio";
 * import { StreamReader, toNode } from "corio/streams";
 *
 * const main = coroutine(async function main() {
 *   const reader = new StreamReader();
 *   reader.feedData(new TextEncoder().encode("Hello"));
 *   reader.feedEof();
 *   console.log(await until(text(toNode(reader))));
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * Hello
 * ```
 */
export function toNode(stream: StreamReader): Readable;
export function toNode(stream: StreamWriter): Writable;
export function toNode(stream: StreamReader | StreamWriter): Readable | Writable {
  if (stream instanceof StreamReader) {
    return new Readable({
      read() {
        promiseOf(stream.getLoop(), stream.read(DEFAULT_LIMIT)).then(
          (bytes) => this.push(bytes.length > 0 ? bytes : null),
          (error: unknown) => this.destroy(error as Error),
        );
      },
      destroy: (error, done) => {
        if (error !== null || !stream.atEof()) stream.transport?.close();
        done(error);
      },
    });
  }
  if (stream instanceof StreamWriter) {
    return new Writable({
      write: (chunk: Uint8Array, _encoding, done) => {
        writeAndDrain(stream, chunk).then(() => done(), done);
      },
      final: (done) => {
        endWriting(stream);
        done();
      },
      destroy: (error, done) => {
        if (error !== null) stream.transport.abort();
        done(error);
      },
    });
  }
  throw badArgument("toNode", "a StreamReader or a StreamWriter", stream);
}

function writeAndDrain(writer: StreamWriter, chunk: Uint8Array): Promise<void> {
  writer.write(chunk);
  return promiseOf(writer.getLoop(), writer.drain());
}

function endWriting(writer: StreamWriter): void {
  if (writer.isClosing()) return;
  if (writer.canWriteEof()) writer.writeEof();
  else writer.close();
}

/**
 * A `ReadableStream` of bytes as a reader, a `WritableStream` as a writer; the other way round than `toWeb`. They
 * belong to the running loop. A stream that is too fast is made to wait, by the reader's limit.
 *
 * asyncio: none. Throws `RuntimeError` without a running loop. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { coroutine, run } from "corio";
 * import { fromWeb } from "corio/streams";
 *
 * const main = coroutine(async function main() {
 *   const { body } = new Response("one\ntwo\n");
 *   if (body === null) return;
 *   for await (const line of fromWeb(body).lines()) console.log(line);
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * one
 * two
 * ```
 */
export function fromWeb(
  stream: ReadableStream<Uint8Array>,
  options?: Pick<StreamReaderOptions, "limit">,
): StreamReader;
export function fromWeb(stream: WritableStream<Uint8Array>): StreamWriter;
export function fromWeb(
  stream: ReadableStream<Uint8Array> | WritableStream<Uint8Array>,
  options: Pick<StreamReaderOptions, "limit"> = {},
): StreamReader | StreamWriter {
  // The types of the web's streams that Node has are not quite those of the DOM.
  if (stream instanceof ReadableStream) return readFrom(Readable.fromWeb(stream as never), options);
  if (stream instanceof WritableStream) return writeTo(Writable.fromWeb(stream as never));
  throw badArgument("fromWeb", "a ReadableStream or a WritableStream", stream);
}

/**
 * A stream of `node:stream` as a reader, a writer, or (a duplex one, such as a socket) both. They belong to the
 * running loop, and close the stream when they are closed.
 *
 * asyncio: none. Throws `RuntimeError` without a running loop. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { Readable } from "node:stream";
 * import { coroutine, run } from "corio";
 * import { fromNode } from "corio/streams";
 *
 * const main = coroutine(async function main() {
 *   const reader = fromNode(Readable.from([Buffer.from("one\ntw"), Buffer.from("o\n")]));
 *   for await (const line of reader.lines()) console.log(line);
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * one
 * two
 * ```
 */
export function fromNode(stream: Duplex, options?: Pick<StreamReaderOptions, "limit">): Streams;
export function fromNode(stream: Readable, options?: Pick<StreamReaderOptions, "limit">): StreamReader;
export function fromNode(stream: Writable): StreamWriter;
export function fromNode(
  stream: Readable | Writable | Duplex,
  options: Pick<StreamReaderOptions, "limit"> = {},
): StreamReader | StreamWriter | Streams {
  if (typeof stream !== "object" || !("on" in stream))
    throw badArgument("fromNode", "a stream of node:stream", stream);
  if (!("read" in stream)) return writeTo(stream);
  if (!("write" in stream)) return readFrom(stream, options);
  const loop = getRunningLoop();
  const [transport, protocol] = adopt(loop, stream, options);
  return [protocol.reader, new StreamWriter(transport, protocol, protocol.reader, loop)];
}

function readFrom(stream: Readable, options: Pick<StreamReaderOptions, "limit">): StreamReader {
  const [, protocol] = adopt(getRunningLoop(), stream, options, "readable");
  return protocol.reader;
}

function writeTo(stream: Writable): StreamWriter {
  const loop = getRunningLoop();
  const [transport, protocol] = adopt(loop, stream, {}, "writable");
  return new StreamWriter(transport, protocol, null, loop);
}

function adopt(
  loop: EventLoop,
  stream: Readable | Writable,
  { limit }: Pick<StreamReaderOptions, "limit">,
  only?: "readable" | "writable",
): [transport: StreamTransport, protocol: StreamReaderProtocol] {
  const protocol = new StreamReaderProtocol(new StreamReader({ limit, loop }), { loop });
  const transport = new StreamTransport(loop, stream, protocol, { only });
  transport.start(new Future<void>(loop));
  return [transport, protocol];
}
