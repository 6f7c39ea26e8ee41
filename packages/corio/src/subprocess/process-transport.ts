import type { ChildProcess } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { host } from "#host";
import type { HostTimer } from "../host/host.ts";
import { badArgument } from "../errors.ts";
import type { Steps } from "../futures/awaitable.ts";
import type { EventLoop, LoopResource } from "../futures/event-loop.ts";
import { Future } from "../futures/future.ts";
import { Handle } from "../futures/handle.ts";
import { showAs } from "#host";
import { Waiter, WaitQueue } from "../library/wait-queue.ts";
import { StreamTransport } from "../streams/node/stream-transport.ts";
import { ConnectionResetError } from "../streams/errors.ts";
import type { BaseProtocol, Protocol, SubprocessProtocol } from "../streams/protocols.ts";
import type { BaseTransport, SubprocessTransport } from "../streams/transports.ts";
import { Ending, LONGEST_TIMER } from "./ending.ts";
import { ProcessLookupError } from "./errors.ts";
import type { SpawnPlan } from "./options.ts";
import { ProcessGroup } from "./process-group.ts";
import { toReturncode, toSignalNumber } from "./signals.ts";

/**
 * A process of the host's and its pipes.
 *
 * Each pipe is a `StreamTransport`, whose protocol passes on to the process's protocol. That is told of the process's
 * end when the host tells of it, whatever the pipes do: somebody else may hold them open. Its connection is lost when
 * the process has ended and all pipes are closed.
 *
 * As any transport it belongs to a loop. One that is still there when the loop is closed kills its process.
 */
export class ProcessTransport implements SubprocessTransport, LoopResource {
  readonly #loop: EventLoop;
  readonly #child: ChildProcess;
  readonly #plan: SpawnPlan;
  readonly #group: ProcessGroup;
  readonly #exitHandle: Handle;
  readonly #exitWaiters = new WaitQueue("Process", () => `process ${this.getPid()} to end`);
  readonly #pipes = new Map<number, StreamTransport>();
  #protocol: SubprocessProtocol;
  #openPipes = 0;
  #returncode: number | null = null;
  /** The return code that the host has told, and the loop perhaps not yet. */
  #outcome = 0;
  #closing: HostTimer | null = null;
  #isClosing = false;
  #isLost = false;
  /** The loop is gone. */
  #isAbandoned = false;

  constructor(loop: EventLoop, child: ChildProcess, plan: SpawnPlan, protocol: SubprocessProtocol) {
    this.#loop = loop;
    this.#child = child;
    this.#plan = plan;
    this.#protocol = protocol;
    this.#group = new ProcessGroup(child.pid as number, plan.startsNewSession);
    this.#exitHandle = new Handle(loop, () => this.#deliverExit(), []);
    loop.adopt(this);
    loop.scheduler.enterForeign();
    child.once("exit", this.#onExit);
    this.#addPipe(0, child.stdin, "writable");
    this.#addPipe(1, child.stdout, "readable");
    this.#addPipe(2, child.stderr, "readable");
  }

  #addPipe(fd: number, stream: Readable | Writable | null, only: "readable" | "writable"): void {
    if (stream === null) return;
    const protocol = new PipeProtocol(fd, this);
    if (only === "writable") protocol.watchForLoss(stream as Writable);
    const extra = { pipe: stream };
    const pipe = new StreamTransport(this.#loop, stream, protocol, { only, extra });
    protocol.transport = pipe;
    if (only === "readable") resumeOnlyWhenReading(stream as Readable, pipe);
    this.#pipes.set(fd, pipe);
    this.#openPipes++;
  }

  /** Tells the protocol that it is connected, then begins to read, then lets the creator go on. */
  *start(): Steps<void> {
    const loop = this.#loop;
    const context = this.#exitHandle.getContext();
    const waiter = new Future<void>(loop);
    loop.callSoonIn(context, () => {
      this.#protocol.connectionMade?.(this);
    });
    for (const pipe of this.#pipes.values()) pipe.start(new Future<void>(loop));
    loop.callSoonIn(context, () => {
      if (!waiter.done()) waiter.setResult();
    });
    try {
      yield* waiter;
    } catch (error) {
      // Nobody has got it: it is as if it had never been started.
      yield* this.end(0);
      throw error;
    }
  }

  // ── What the host tells ───────────────────────────────────────────────────────────────────────────────────────

  readonly #onExit = (exitCode: number | null, signal: string | null): void => {
    this.#outcome = toReturncode(exitCode, signal);
    if (!this.#isAbandoned) this.#loop.scheduler.callSoon(this.#exitHandle);
    // After the handle is ready, so that who waits for the group knows the return code.
    this.#group.noteExit();
  };

  #deliverExit(): void {
    this.#returncode = this.#outcome;
    this.#loop.scheduler.leaveForeign();
    this.#exitWaiters.wakeAll();
    try {
      this.#protocol.processExited?.();
    } finally {
      this.#loseWhenOver();
    }
  }

  /** Something has come out of a pipe. */
  deliverData(fd: number, data: Uint8Array): void {
    this.#protocol.pipeDataReceived?.(fd, data);
  }

  /** The process does not take what is written to it, or takes it again. */
  deliverFlow(method: "pauseWriting" | "resumeWriting"): void {
    this.#protocol[method]?.();
  }

  /** A pipe is closed. */
  deliverLoss(fd: number, error: unknown): void {
    this.#openPipes--;
    try {
      this.#protocol.pipeConnectionLost?.(fd, error);
    } finally {
      this.#loseWhenOver();
    }
  }

  #loseWhenOver(): void {
    if (this.#isLost || this.#returncode === null || this.#openPipes > 0) return;
    this.#isLost = true;
    this.#isClosing = true;
    this.#closing?.cancel();
    this.#loop.release(this);
    this.#loop.callSoonIn(this.#exitHandle.getContext(), () => {
      this.#protocol.connectionLost?.(null);
    });
  }

  // ── The process ───────────────────────────────────────────────────────────────────────────────────────────────

  getPid(): number {
    return this.#group.pid;
  }

  getReturncode(): number | null {
    return this.#returncode;
  }

  getPipeTransport(fd: number): StreamTransport | null {
    return this.#pipes.get(fd) ?? null;
  }

  sendSignal(signal: string | number): void {
    const number = toSignalNumber("sendSignal", signal);
    this.#requireRunning("sendSignal");
    this.#group.signal(number);
  }

  terminate(): void {
    this.#requireRunning("terminate");
    this.#group.signal("SIGTERM");
  }

  kill(): void {
    this.#requireRunning("kill");
    this.#group.signal("SIGKILL");
  }

  #requireRunning(method: string): void {
    if (this.#returncode === null) return;
    throw new ProcessLookupError(`${method}: process ${this.getPid()} has ended, with ${this.#returncode}`);
  }

  /** Waits until the process itself has ended. */
  *waitExit(): Steps<number> {
    while (this.#returncode === null) yield* new Waiter(this.#exitWaiters, this.#loop);
    return this.#returncode;
  }

  /** Ends what is left of the process and its group, and waits for that. */
  *endGroup(gracePeriod: number = this.#plan.gracePeriod): Steps<void> {
    yield* new Ending(this.#loop, this.#group, gracePeriod);
    yield* this.waitExit();
  }

  /** The same, and closes the pipes. */
  *end(gracePeriod: number = this.#plan.gracePeriod): Steps<void> {
    try {
      yield* this.endGroup(gracePeriod);
    } finally {
      this.close();
    }
  }

  // ── Closing ───────────────────────────────────────────────────────────────────────────────────────────────────

  isClosing(): boolean {
    return this.#isClosing;
  }

  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    // First: one that saw its input end would end by itself.
    if (!this.#group.hasExited) this.#group.killAll();
    this.closePipes();
  }

  /** When the grace period is over, nobody is to read or write any more. */
  closePipesSoon(): void {
    if (this.#isLost) return;
    const milliseconds = Math.min(this.#plan.gracePeriod * 1000, LONGEST_TIMER);
    this.#closing ??= host.setTimer(() => this.closePipes(), milliseconds, true);
  }

  /** Nobody is to read or write any more. */
  closePipes(): void {
    this.#closing?.cancel();
    for (const pipe of this.#pipes.values()) pipe.abort();
  }

  abandon(): void {
    this.#isAbandoned = true;
    if (this.#returncode === null) this.#loop.scheduler.leaveForeign();
    const wasClosing = this.#isClosing;
    this.close();
    if (wasClosing || this.#group.hasExited) return;
    host.warn(
      `process ${this.getPid()} (${this.#plan.command.shown}) was running when its event loop was closed, and was ` +
        "killed: wait() for it, or end it with stop() or `await using`",
      "CORIO_UNCLOSED",
    );
  }

  // ── What is known ─────────────────────────────────────────────────────────────────────────────────────────────

  setProtocol(protocol: BaseProtocol): void {
    if (typeof protocol !== "object" || (protocol as unknown) === null)
      throw badArgument("setProtocol", "a protocol", protocol);
    this.#protocol = protocol;
  }

  getProtocol(): BaseProtocol {
    return this.#protocol;
  }

  getExtraInfo(name: string, missing: unknown = null): unknown {
    return name === "subprocess" ? this.#child : missing;
  }

  describe(): string {
    const state = this.#returncode === null ? "running" : `returncode=${this.#returncode}`;
    const pipes = [...this.#pipes.keys()].map((fd) => ` ${["stdin", "stdout", "stderr"][fd] ?? fd}`).join("");
    return `<SubprocessTransport pid=${this.getPid()} ${state}${pipes}>`;
  }
}

showAs(ProcessTransport, (transport) => transport.describe());

/** When a process ends the host lets its pipes flow, as if nobody read them: those that are paused must stay so. */
function resumeOnlyWhenReading(stream: Readable, pipe: StreamTransport): void {
  const resume = stream.resume.bind(stream);
  stream.resume = () => (pipe.isReading() ? resume() : stream);
}

/** What one pipe tells, it passes on. */
class PipeProtocol implements Protocol<BaseTransport> {
  readonly #fd: number;
  readonly #owner: ProcessTransport;
  transport: StreamTransport | null = null;
  #loss: unknown = null;

  constructor(fd: number, owner: ProcessTransport) {
    this.#fd = fd;
    this.#owner = owner;
  }

  /** The host closes the standard input when the process ends: what was not read by then is an error. */
  watchForLoss(stdin: Writable): void {
    stdin.once("close", () => {
      if (stdin.writableLength === 0 || this.transport?.isClosing() !== false) return;
      this.#loss = new ConnectionResetError(
        "the process has ended without reading all of its standard input",
      );
    });
  }

  dataReceived(data: Uint8Array): void {
    this.#owner.deliverData(this.#fd, data);
  }

  pauseWriting(): void {
    this.#owner.deliverFlow("pauseWriting");
  }

  resumeWriting(): void {
    this.#owner.deliverFlow("resumeWriting");
  }

  connectionLost(error: unknown): void {
    this.#owner.deliverLoss(this.#fd, error ?? this.#loss);
  }
}
