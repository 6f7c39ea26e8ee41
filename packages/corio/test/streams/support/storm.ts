/**
 * An echo server, and clients of which few behave: what `storm.test.ts` runs in small and `npm run proof` in large.
 *
 * All clients are connected at the same time, and the server has a task for each. Then each does what its kind does. Nothing is measured in time: what has
 * to come back is counted, and what is left when all are gone.
 */
import {
  allTasks,
  CancelledError,
  createTask,
  currentTask,
  Event,
  gather,
  getRunningLoop,
  sleep,
} from "corio";
import type { Task } from "corio";
import { ConnectionResetError, IncompleteReadError, openConnection, startServer } from "corio/streams";
import type { Server, StreamReader, StreamWriter } from "corio/streams";

/** What a client does. */
const KINDS = [
  /** Sends some messages, reads as many, and so on; closes. */
  "polite",
  /** Sends everything, ends its writing, and reads meanwhile until the end. */
  "halfClosing",
  /** The same, but reads a few bytes at a time, and rests in between. */
  "slow",
  /** Reads only when neither end can write any more. */
  "stuck",
  /** As stuck, but goes away then. */
  "stuckReset",
  /** Resets the connection in the middle. */
  "reset",
  /** Its task is cancelled at some moment, perhaps while it connects. */
  "cancelled",
  /** The server's task for it is cancelled in the middle. */
  "abandoned",
  /** Sends no message, and closes. */
  "silent",
] as const;

export type Kind = (typeof KINDS)[number];

export interface StormOptions {
  readonly seed: number;
  readonly connections: number;
  /** How many messages each client sends that comes to its end. */
  readonly messages: number;
}

export interface StormResult {
  /** How many clients there were of each kind. */
  readonly kinds: Readonly<Record<Kind, number>>;
  /** Messages that were sent and have come back. */
  readonly echoed: number;
  /** How many connections the server has had. */
  readonly accepted: number;
  /** How many connections were open at the same time. */
  readonly mostOpen: number;
  /** Tasks that are left when the server is closed, without the one that asks. */
  readonly tasksLeft: number;
  /** Timers of the loop that are left. */
  readonly timersLeft: number;
}

/** Numbers from 0 to 1 that look random, and are the same for the same seed. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}

const HEADER = 4;
const LONGEST = 200;
/** More than the buffers of both ends and of the system hold. */
const STUCK_BYTES = 48 * 1024 * 1024;
const STUCK_BLOCK = 64 * 1024;

/** The message of a number: its length, then bytes that follow from the number. */
function message(number: number): Uint8Array {
  const length = (number * 31) % LONGEST;
  const bytes = new Uint8Array(HEADER + length);
  new DataView(bytes.buffer).setUint32(0, length);
  for (let index = 0; index < length; index++) bytes[HEADER + index] = (number + index) & 0xff;
  return bytes;
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) return false;
  return true;
}

/** What a connection may be lost by when somebody has cut it. */
function isLoss(error: unknown): boolean {
  if (error instanceof ConnectionResetError || error instanceof IncompleteReadError) return true;
  return ["ECONNRESET", "EPIPE", "ECONNABORTED"].includes(String((error as { code?: unknown } | null)?.code));
}

/** Closes a connection and waits for that; it may be lost already. */
export async function closed(writer: StreamWriter): Promise<void> {
  writer.close();
  await writer.waitClosed().catch((error: unknown) => {
    if (!isLoss(error)) throw error;
  });
}

class Storm {
  readonly #random: () => number;
  readonly #messages: number;
  readonly #everybody: Kind[];
  readonly #allOpen = new Event();
  /** The server's tasks, by the number that the client has told. */
  readonly #handlers = new Map<number, Task>();
  #port = 0;
  #missing: number;
  #open = 0;
  mostOpen = 0;
  accepted = 0;
  echoed = 0;

  constructor({ seed, connections, messages }: StormOptions) {
    this.#random = randomNumbers(seed);
    this.#messages = messages;
    this.#everybody = Array.from({ length: connections }, (_, number) => this.#chooseKind(number));
    this.#missing = connections;
  }

  get kinds(): Record<Kind, number> {
    const count = (kind: Kind): number => this.#everybody.filter((one) => one === kind).length;
    return Object.fromEntries(KINDS.map((kind) => [kind, count(kind)])) as Record<Kind, number>;
  }

  /** One of each; of those that fill all buffers only a few, or the system would run out of them. */
  #chooseKind(number: number): Kind {
    const first = KINDS[number];
    if (first !== undefined) return first;
    const usual = KINDS.filter((kind) => !kind.startsWith("stuck"));
    return usual[this.#below(usual.length)] ?? "polite";
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  async run(): Promise<void> {
    const server: Server = await startServer((...streams) => this.#serve(...streams), "127.0.0.1", 0, {
      backlog: this.#everybody.length,
    });
    this.#port = server.port;
    const clients = this.#everybody.map((kind, number) =>
      createTask(() => this.#client(kind, number), { name: `${kind} ${number}` }),
    );
    const cancelled = clients.filter((_, number) => this.#everybody[number] === "cancelled");
    for (const client of cancelled) {
      const iterations = this.#below(60);
      createTask(async () => {
        for (let count = 0; count < iterations; count++) await sleep(0);
        client.cancel("the storm");
        this.#noteOpen();
      });
    }
    for (const [number, client] of clients.entries()) {
      try {
        await client;
      } catch (error) {
        if (this.#everybody[number] === "cancelled" && error instanceof CancelledError) continue;
        throw new Error(`client ${number} (${String(this.#everybody[number])}) failed`, { cause: error });
      }
    }
    server.close();
    await server.waitClosed();
  }

  // ── The server ────────────────────────────────────────────────────────────────────────────────────────────────

  async #serve(reader: StreamReader, writer: StreamWriter): Promise<void> {
    this.accepted++;
    this.mostOpen = Math.max(this.mostOpen, ++this.#open);
    try {
      const first = await reader.readexactly(HEADER);
      const number = new DataView(first.buffer, first.byteOffset).getUint32(0);
      this.#handlers.set(number, currentTask() as Task);
      if (this.#everybody[number] !== "cancelled") this.#noteOpen();
      for (;;) {
        const header = await reader.readexactly(HEADER);
        const length = new DataView(header.buffer, header.byteOffset).getUint32(0);
        writer.write(header);
        writer.write(await reader.readexactly(length));
        await writer.drain();
      }
    } catch (error) {
      if (!isLoss(error)) throw error;
    } finally {
      this.#open--;
      await closed(writer);
    }
  }

  // ── The clients ───────────────────────────────────────────────────────────────────────────────────────────────

  /** The server has taken in one more. One that is to be cancelled counts when that is done. */
  #noteOpen(): void {
    if (--this.#missing === 0) this.#allOpen.set();
  }

  async #client(kind: Kind, number: number): Promise<void> {
    const [reader, writer] = await openConnection(
      "127.0.0.1",
      this.#port,
      kind === "slow" ? { limit: 64 } : {},
    );
    try {
      const hello = new Uint8Array(HEADER);
      new DataView(hello.buffer).setUint32(0, number);
      writer.write(hello);
      await this.#allOpen.wait();
      await this.#behave(kind, number, reader, writer);
    } finally {
      await closed(writer);
    }
  }

  async #behave(kind: Kind, number: number, reader: StreamReader, writer: StreamWriter): Promise<void> {
    switch (kind) {
      case "polite":
        await this.#talk(reader, writer, this.#messages);
        return;
      case "halfClosing":
      case "slow": {
        const rest = kind === "slow" ? () => sleep(0) : null;
        await gather(this.#sendAll(writer), this.#receiveAll(reader, rest));
        return;
      }
      case "cancelled":
        // Until the cancel comes.
        for (;;) await this.#talk(reader, writer, 1);
      case "reset":
        await this.#talk(reader, writer, this.#below(this.#messages));
        // What comes back finds nobody.
        for (let count = 0; count < 20; count++) writer.write(message(count));
        reset(writer);
        return;
      case "abandoned":
        await this.#talk(reader, writer, 1 + this.#below(this.#messages));
        this.#handlers.get(number)?.cancel("the storm");
        try {
          for (;;) await this.#talk(reader, writer, 1, true);
        } catch (error) {
          if (!isLoss(error)) throw error;
        }
        return;
      case "stuck":
      case "stuckReset":
        await this.#fill(kind, reader, writer);
        return;
      case "silent":
        return;
    }
  }

  /** Sends some messages at a time and waits for their echo. */
  async #talk(reader: StreamReader, writer: StreamWriter, count: number, isOff = false): Promise<void> {
    for (let sent = 0; sent < count;) {
      const window = Math.min(count - sent, 1 + this.#below(8));
      for (let index = 0; index < window; index++) writer.write(message(sent + index));
      await writer.drain();
      for (let index = 0; index < window; index++) {
        const expected = message(sent + index);
        const got = await reader.readexactly(expected.length);
        if (!isSame(got, expected)) throw new Error(`message ${sent + index} came back changed`);
        if (!isOff) this.echoed++;
      }
      sent += window;
    }
  }

  async #sendAll(writer: StreamWriter): Promise<void> {
    for (let sent = 0; sent < this.#messages; sent++) {
      writer.write(message(sent));
      await writer.drain();
    }
    writer.writeEof();
  }

  async #receiveAll(reader: StreamReader, rest: (() => PromiseLike<void>) | null): Promise<void> {
    for (let received = 0; received < this.#messages; received++) {
      const expected = message(received);
      for (let at = 0; at < expected.length;) {
        const piece = await reader.read(Math.min(16 + this.#below(64), expected.length - at));
        if (!isSame(piece, expected.subarray(at, at + piece.length)) || piece.length === 0)
          throw new Error(`message ${received} came back changed, or not at all`);
        at += piece.length;
        if (rest !== null) await rest();
      }
      this.echoed++;
    }
    const after = await reader.read();
    if (after.length > 0) throw new Error(`${after.length} bytes more than were sent have come back`);
  }

  /** Sends, as one message, more than all buffers hold, and reads nothing before no byte moves any more. */
  async #fill(kind: Kind, reader: StreamReader, writer: StreamWriter): Promise<void> {
    const block = new Uint8Array(HEADER + STUCK_BLOCK);
    new DataView(block.buffer).setUint32(0, STUCK_BLOCK);
    const count = Math.ceil(STUCK_BYTES / block.length);
    let sent = 0;
    const sending = createTask(async () => {
      for (; sent < count; sent++) {
        writer.write(block);
        await writer.drain();
      }
      writer.writeEof();
    });
    // Everything that can be taken has been when nothing has moved for so many looks.
    for (let quiet = 0, before = -1; quiet < 25; quiet++) {
      const now = sent;
      if (now !== before) quiet = 0;
      before = now;
      await sleep(0.002);
    }
    if (sending.done()) throw new Error("the buffers hold more than the storm sends: raise STUCK_BYTES");
    if (kind === "stuckReset") {
      reset(writer);
      await sending.catch((error: unknown) => {
        if (!isLoss(error)) throw error;
      });
      return;
    }
    let received = 0;
    for (let chunk = await reader.read(1 << 20); chunk.length > 0; chunk = await reader.read(1 << 20))
      received += chunk.length;
    await sending;
    if (received !== count * block.length)
      throw new Error(`${received} of ${count * block.length} bytes came`);
  }
}

/** Cuts the connection, so that the other end gets an error and not an end, where the host can do that. */
function reset(writer: StreamWriter): void {
  const socket = writer.getExtraInfo("socket") as { resetAndDestroy?: () => void };
  if (typeof socket.resetAndDestroy === "function") socket.resetAndDestroy();
  else writer.transport.abort();
}

/** Makes a storm, inside a running program, and says what is left of it. */
export async function makeStorm(options: StormOptions): Promise<StormResult> {
  const storm = new Storm(options);
  const tasksBefore = allTasks().size;
  await storm.run();
  const { kinds, echoed, accepted, mostOpen } = storm;
  return {
    kinds,
    echoed,
    accepted,
    mostOpen,
    tasksLeft: allTasks().size - tasksBefore,
    timersLeft: getRunningLoop().scheduler.timerCount,
  };
}
