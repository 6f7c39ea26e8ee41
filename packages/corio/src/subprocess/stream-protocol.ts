import type { EventLoop } from "../futures/event-loop.ts";
import type { SubprocessProtocol } from "../streams/protocols.ts";
import { StreamReader } from "../streams/stream-reader.ts";
import { StreamWriter } from "../streams/stream-writer.ts";
import type { WriterProtocol } from "../streams/stream-writer.ts";
import { WriterFlow } from "../streams/writer-flow.ts";
import type { ProcessTransport } from "./process-transport.ts";

/** Makes readers and a writer of a process's pipes. asyncio: `SubprocessStreamProtocol`. */
export class SubprocessStreamProtocol implements SubprocessProtocol {
  readonly #loop: EventLoop;
  readonly #limit: number;
  readonly #flow = new WriterFlow();
  readonly #readers = new Map<number, StreamReader>();
  stdin: StreamWriter | null = null;

  constructor(limit: number, loop: EventLoop) {
    this.#limit = limit;
    this.#loop = loop;
  }

  get stdout(): StreamReader | null {
    return this.#readers.get(1) ?? null;
  }

  get stderr(): StreamReader | null {
    return this.#readers.get(2) ?? null;
  }

  connectionMade(transport: unknown): void {
    const pipes = transport as ProcessTransport;
    for (const fd of [1, 2]) {
      const pipe = pipes.getPipeTransport(fd);
      if (pipe === null) continue;
      const reader = new StreamReader({ limit: this.#limit, loop: this.#loop });
      reader.setTransport(pipe);
      this.#readers.set(fd, reader);
    }
    const stdin = pipes.getPipeTransport(0);
    if (stdin === null) return;
    const protocol: WriterProtocol = { flow: this.#flow };
    this.stdin = new StreamWriter(stdin, protocol, null, this.#loop);
  }

  pipeDataReceived(fd: number, data: Uint8Array): void {
    this.#readers.get(fd)?.feedData(data);
  }

  pipeConnectionLost(fd: number, error: unknown): void {
    if (fd === 0) this.#flow.lose(error);
    else if (error === null) this.#readers.get(fd)?.feedEof();
    else this.#readers.get(fd)?.setException(error);
  }

  pauseWriting(): void {
    this.#flow.pause();
  }

  resumeWriting(): void {
    this.#flow.resume();
  }
}
