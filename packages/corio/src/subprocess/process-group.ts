import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { codeOf } from "./command.ts";

/** The groups whose process is running, to be ended with the program. */
const running = new Set<ProcessGroup>();

function endAll(): void {
  for (const group of running) group.killAll();
}

/**
 * A process, and the processes that it has started, as far as they stay in its group. One that was started in a
 * session of its own leads a group whose number is its own: a signal to the group reaches all of them. One without is
 * alone here, since its group is the program's.
 *
 * A number of a process is given to another one some time after it has ended; not as long as a group has it. So nothing
 * is sent to a group that was seen to be empty.
 */
export class ProcessGroup {
  readonly pid: number;
  readonly #isOwn: boolean;
  readonly #onExit = new Set<() => void>();
  #hasExited = false;
  #isEmpty = false;

  constructor(pid: number, isOwn: boolean) {
    this.pid = pid;
    this.#isOwn = isOwn && process.platform !== "win32";
    if (running.size === 0) process.on("exit", endAll);
    running.add(this);
  }

  /** The process itself has ended. */
  get hasExited(): boolean {
    return this.#hasExited;
  }

  /** Whether the process runs, or others of its group do. */
  get isAlive(): boolean {
    return !this.#hasExited || this.#hasOthers();
  }

  noteExit(): void {
    this.#hasExited = true;
    this.#isEmpty = !this.#isOwn || !send(-this.pid, 0);
    running.delete(this);
    if (running.size === 0) process.off("exit", endAll);
    for (const callback of [...this.#onExit]) callback();
  }

  /** Calls `callback` when the process itself ends. Returns the undo. */
  onExit(callback: () => void): () => void {
    this.#onExit.add(callback);
    return () => this.#onExit.delete(callback);
  }

  /** Sends a signal to the process alone; does nothing when it has just ended. */
  signal(signal: NodeJS.Signals | number): void {
    if (!this.#hasExited) send(this.pid, signal);
  }

  /** Sends a signal to the process and all others of its group. */
  signalAll(signal: NodeJS.Signals | number): void {
    if (!this.#isOwn) this.signal(signal);
    else if (!this.#hasExited || !this.#isEmpty) send(-this.pid, signal);
  }

  /** Kills all of the group, as far as that is allowed: the last that is done for them. */
  killAll(): void {
    try {
      this.signalAll("SIGKILL");
    } catch (error) {
      if (codeOf(error) !== "EPERM") throw error;
    }
  }

  #hasOthers(): boolean {
    if (this.#isEmpty) return false;
    // What is left may be dead, and only not yet buried: in containers often nobody does that.
    this.#isEmpty = !send(-this.pid, 0) || (process.platform === "linux" && !hasLivingMember(this.pid));
    return !this.#isEmpty;
  }
}

/** Whether there was somebody to get it. */
function send(target: number, signal: NodeJS.Signals | number): boolean {
  try {
    return process.kill(target, signal);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ESRCH") return false;
    // To ask is not to send: they are there, and belong to somebody else.
    if (code === "EPERM" && signal === 0) return true;
    throw error;
  }
}

/** Linux only: whether a process of the group is more than a zombie. */
function hasLivingMember(group: number): boolean {
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      // After the name, which may have any characters: state, parent, group.
      const [state, , itsGroup] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (Number(itsGroup) === group && state !== "Z" && state !== "X") return true;
    } catch {
      // It has ended since.
    }
  }
  return false;
}
