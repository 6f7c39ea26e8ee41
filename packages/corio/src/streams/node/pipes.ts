import { fstatSync } from "node:fs";
import { Socket } from "node:net";
import { Readable, Writable } from "node:stream";
import { isatty, ReadStream, WriteStream } from "node:tty";
import { badArgument, ValueError } from "../../errors.ts";
import type { Steps } from "../../futures/awaitable.ts";
import type { Coroutine } from "../../futures/coroutine.ts";
import type { EventLoop } from "../../futures/event-loop.ts";
import { Future } from "../../futures/future.ts";
import { call } from "../../library/call.ts";
import type { BaseTransport, ReadTransport, WriteTransport } from "../transports.ts";
import { requireFactory } from "./connect.ts";
import { StreamTransport } from "./stream-transport.ts";
import type { StreamProtocol } from "./stream-transport.ts";

/**
 * Reads from one end of a pipe: a readable stream of the host's, such as `process.stdin`, or the number of a file
 * descriptor that is a pipe, a socket or a terminal. The transport closes it.
 *
 * Cancel safety: cancelling closes the pipe.
 *
 * Throws `ValueError` for the descriptor of a file; what the host throws for one that is not open.
 *
 * asyncio: `loop.connect_read_pipe`. Runs on Node, Bun and Deno; descriptors on Node only.
 *
 * @example
 * ```ts
 * import { PassThrough } from "node:stream";
 * import { coroutine, run } from "corio";
 * import { connectReadPipe, StreamReader, StreamReaderProtocol } from "corio/streams";
 *
 * const main = coroutine(async function main() {
 *   const pipe = new PassThrough();
 *   pipe.end("one\ntwo\n");
 *   const reader = new StreamReader();
 *   await connectReadPipe(() => new StreamReaderProtocol(reader), pipe);
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
export function connectReadPipe<P extends StreamProtocol<ReadTransport>>(
  protocolFactory: () => P,
  pipe: Readable | number,
): Coroutine<[transport: ReadTransport, protocol: P]> {
  const where = "connectReadPipe";
  requireFactory(where, protocolFactory);
  const isDescriptor = requirePipe(where, pipe, Readable);
  return call(where, ({ loop }) => {
    const stream = isDescriptor ? openToRead(pipe as number) : (pipe as Readable);
    return connectPipe(loop, stream, protocolFactory, "readable", pipe);
  });
}

/**
 * Writes to one end of a pipe: a writable stream of the host's, such as `process.stdout`, or the number of a file
 * descriptor that is a pipe, a socket or a terminal. The transport closes it.
 *
 * Cancel safety, errors: as `connectReadPipe`.
 *
 * asyncio: `loop.connect_write_pipe`. Runs on Node, Bun and Deno; descriptors on Node only.
 *
 * @example
 * ```ts
 * import { PassThrough } from "node:stream";
 * import { text } from "node:stream/consumers";
 * import { coroutine, run, until } from "corio";
 * import { connectWritePipe } from "corio/streams";
 *
 * const main = coroutine(async function main() {
 *   const pipe = new PassThrough();
 *   const [transport] = await connectWritePipe(() => ({}), pipe);
 *   transport.write(new TextEncoder().encode("Hello"));
 *   transport.writeEof();
 *   console.log(await until(text(pipe)));
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * Hello
 * ```
 */
export function connectWritePipe<P extends StreamProtocol<WriteTransport>>(
  protocolFactory: () => P,
  pipe: Writable | number,
): Coroutine<[transport: WriteTransport, protocol: P]> {
  const where = "connectWritePipe";
  requireFactory(where, protocolFactory);
  const isDescriptor = requirePipe(where, pipe, Writable);
  return call(where, ({ loop }) => {
    const stream = isDescriptor ? openToWrite(pipe as number) : (pipe as Writable);
    return connectPipe(loop, stream, protocolFactory, "writable", pipe);
  });
}

function* connectPipe<P>(
  loop: EventLoop,
  stream: Readable | Writable,
  protocolFactory: () => P,
  only: "readable" | "writable",
  pipe: unknown,
): Steps<[transport: StreamTransport, protocol: P]> {
  const protocol = protocolFactory();
  const transport = new StreamTransport(loop, stream, protocol as StreamProtocol<BaseTransport>, {
    only,
    extra: { pipe },
  });
  const waiter = new Future<void>(loop);
  transport.start(waiter);
  try {
    yield* waiter;
  } catch (error) {
    transport.abort();
    throw error;
  }
  return [transport, protocol];
}

/** Whether it is a descriptor; throws when it is neither that nor a stream. */
function requirePipe(where: string, pipe: unknown, type: typeof Readable | typeof Writable): boolean {
  if (typeof pipe === "number") {
    const found = fstatSync(pipe);
    if (found.isFIFO() || found.isSocket() || found.isCharacterDevice()) return true;
    throw new ValueError(
      `${where} expects a pipe, a socket or a terminal; descriptor ${pipe} is none of these`,
    );
  }
  // Not every stream of the host's is an instance of the class.
  const method = type === Readable ? "read" : "write";
  if (typeof pipe === "object" && pipe !== null && method in pipe && "destroy" in pipe) return false;
  throw badArgument(where, `a stream to ${method}, or a descriptor`, pipe);
}

function openToRead(fd: number): Readable {
  return isatty(fd) ? new ReadStream(fd) : new Socket({ fd, readable: true, writable: false });
}

function openToWrite(fd: number): Writable {
  return isatty(fd) ? new WriteStream(fd) : new Socket({ fd, readable: false, writable: true });
}
