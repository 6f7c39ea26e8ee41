/** What the tests of connections share. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Future, getRunningLoop, run } from "corio";
import type { ExceptionContext } from "corio";
import type { BaseTransport, Protocol, StreamReader, StreamWriter, Transport } from "corio/streams";
import { assert, test } from "../../support/harness.ts";

export const LOCALHOST = "127.0.0.1";

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function text(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

/** A program on the real clock: sockets do not wait for a virtual one. Errors that nobody else sees fail the test. */
export function program(main: () => Promise<void>): () => Promise<void> {
  return async () => {
    const unseen: ExceptionContext[] = [];
    await run(async () => {
      getRunningLoop().setExceptionHandler((_loop, context) => unseen.push(context));
      await main();
    });
    if (unseen.length === 0) return;
    throw new Error(`unseen: ${unseen.map(({ message }) => message).join(", ")}`, {
      cause: unseen[0]?.exception,
    });
  };
}

/** A test that runs as a program. */
export function testProgram(title: string, main: () => Promise<void>): void {
  test(title, program(main));
}

/** A server's side that waits for the client to end or break the connection, and closes it. */
export async function closeAfterClient(reader: StreamReader, writer: StreamWriter): Promise<void> {
  await reader.read().catch(() => undefined);
  writer.close();
}

/** From now on what reaches the loop's exception handler is noted. */
export function noteExceptions(): ExceptionContext[] {
  const noted: ExceptionContext[] = [];
  getRunningLoop().setExceptionHandler((_loop, context) => noted.push(context));
  return noted;
}

/** The codes of the warnings that the host shows while `work` is under way. */
export async function warningsOf(work: () => Promise<unknown>): Promise<(string | undefined)[]> {
  const codes: (string | undefined)[] = [];
  const onWarning = (warning: Error & { code?: string }): void => {
    if (warning.code?.startsWith("CORIO_") === true) codes.push(warning.code);
  };
  process.on("warning", onWarning);
  try {
    await work();
    // Warnings come in a later turn.
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.off("warning", onWarning);
  }
  return codes;
}

/** A folder for sockets and files, for as long as `work` takes. */
export async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "corio-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A protocol that notes what it is told; its futures can be awaited. */
export class Recorder implements Protocol {
  readonly calls: string[] = [];
  transport: Transport | undefined;
  received = "";
  readonly made: Future<Transport> = new Future<Transport>();
  readonly lost: Future<unknown> = new Future<unknown>();
  readonly ended: Future<void> = new Future<void>();
  /** What `eofReceived` returns. */
  staysOpen = false;
  #wanted: { readonly length: number; readonly future: Future<void> } | null = null;

  connectionMade(transport: Transport): void {
    this.calls.push("connectionMade");
    this.transport = transport;
    if (!this.made.done()) this.made.setResult(transport);
  }

  dataReceived(data: Uint8Array): void {
    this.received += text(data);
    if (this.calls.at(-1) !== "dataReceived") this.calls.push("dataReceived");
    if (this.#wanted !== null && this.received.length >= this.#wanted.length) {
      this.#wanted.future.setResult();
      this.#wanted = null;
    }
  }

  eofReceived(): boolean {
    this.calls.push("eofReceived");
    if (!this.ended.done()) this.ended.setResult();
    return this.staysOpen;
  }

  connectionLost(error: unknown): void {
    this.calls.push("connectionLost");
    this.lost.setResult(error);
  }

  /** Waits until so much has arrived. */
  async has(length: number): Promise<void> {
    if (this.received.length >= length) return;
    const future = new Future<void>();
    this.#wanted = { length, future };
    await future;
  }
}

/** The port of a transport's end. */
export function portOf(transport: BaseTransport, end: "peername" | "sockname"): number {
  const address = transport.getExtraInfo(end);
  assert.ok(typeof address === "object" && address !== null && "port" in address);
  return address.port as number;
}
