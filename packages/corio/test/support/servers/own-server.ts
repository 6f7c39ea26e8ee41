/** Servers that a test may kill, stop and restart: each with its own files, on a port of its own. */
import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { chown, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { makeCertificate } from "../../streams/support/certificate.ts";
import { after, before } from "../harness.ts";

/** What differs between the programs. */
export interface ServerKind {
  /** Of the folder with its files. */
  readonly name: string;
  /** Otherwise nothing is started: `testsThatRequire` skips the tests. */
  readonly isInstalled: boolean;
  /** Whom it runs as if the tests are run by root, where it refuses that: a user that its packages make. */
  readonly user?: string;
  /** What its log says when it accepts connections. */
  readonly readyMessage: string;
  /** What ends it at once. */
  readonly killSignal: NodeJS.Signals;
}

export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export abstract class OwnServer {
  readonly host = "127.0.0.1";
  port = 0;
  /** PEM: the server's certificate, for `localhost` and 127.0.0.1, signed by itself; empty when there is none. */
  certificate = "";
  /** Where its files are. */
  protected folder = "";
  /** Whom it is to run as; null: whoever runs the tests. */
  protected user: User | null = null;
  readonly #readyMessage: string;
  #process: ChildProcess | null = null;

  /** The server runs while the tests of the file do. */
  constructor({ name, isInstalled, user, readyMessage, killSignal }: ServerKind) {
    this.#readyMessage = readyMessage;
    before(async () => {
      if (!isInstalled) return;
      if (user !== undefined && process.getuid?.() === 0) this.user = await findUser(user);
      this.folder = await mkdtemp(join(tmpdir(), `corio-${name}-`));
      await this.own(this.folder);
      await this.create();
      this.port = await freePort();
      await this.start();
    });
    after(async () => {
      if (!isInstalled) return;
      this.signal("SIGCONT");
      await this.stop(killSignal);
      await rm(this.folder, { recursive: true, force: true });
    });
  }

  /** Makes its files, once. */
  protected abstract create(): Promise<void>;

  /** The program that is the server, and its arguments. */
  protected abstract command(): readonly [program: string, ...args: string[]];

  /** The processes of the server, of which `main` is one. */
  protected processes(main: number): readonly number[] {
    return [main];
  }

  /** Gives a file to whom the server runs as. */
  protected async own(path: string): Promise<void> {
    if (this.user !== null) await chown(path, this.user.uid, this.user.gid);
  }

  /** Makes a certificate and its key; gives the names of their files. */
  protected async makeCertificate(): Promise<{ readonly key: string; readonly certificate: string }> {
    const [key, certificate] = [join(this.folder, "server.key"), join(this.folder, "server.crt")];
    const made = makeCertificate("localhost");
    // Servers refuse keys that others may read.
    await writeFile(key, made.key, { mode: 0o600 });
    await writeFile(certificate, made.cert);
    await this.own(key);
    await this.own(certificate);
    this.certificate = made.cert;
    return { key, certificate };
  }

  /** Starts it, and waits until it accepts connections. `args` are for this time only. */
  async start(...args: readonly string[]): Promise<void> {
    const [program, ...usual] = this.command();
    const child = spawn(program, [...usual, ...args], {
      cwd: this.folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    await new Promise<void>((resolve, reject) => {
      let log = "";
      const note = (chunk: unknown): void => {
        log += String(chunk);
        if (log.includes(this.#readyMessage)) resolve();
      };
      child.once("exit", () => reject(new Error(`the server has ended:\n${log}`)));
      child.stdout.on("data", note);
      child.stderr.on("data", note);
    });
    child.removeAllListeners("exit");
  }

  /** Sends a signal that ends it, and waits until it has ended. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child?.exitCode !== null) return;
    this.#process = null;
    await new Promise((resolve) => {
      child.once("exit", resolve);
      send(child.pid, signal);
    });
  }

  /** Sends a signal to all processes of the server. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    const main = this.#process?.pid;
    if (main !== undefined) for (const pid of this.processes(main)) send(pid, signal);
  }
}

/** Not by the child's own `kill`, which sends nothing after a SIGSTOP on Deno. */
function send(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

/** Runs a program to its end; gives what it prints. */
export async function execute(program: string, args: readonly string[], cwd?: string): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { cwd, encoding: "utf8" });
  return stdout;
}

async function findUser(name: string): Promise<User> {
  const [, , uid, gid] = (await execute("getent", ["passwd", name])).split(":");
  return { name, uid: Number(uid), gid: Number(gid) };
}

/**
 * A port that nobody else is given while the server is down between two starts: none of those which the system hands
 * out by itself, to connections and to whoever listens on port 0.
 */
async function freePort(): Promise<number> {
  const range = await readFile("/proc/sys/net/ipv4/ip_local_port_range", "utf8").catch(() => "");
  const end = Math.max(20_000, Math.min(Number.parseInt(range) || 32_768, 60_000));
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * (end - 10_000));
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const isListening = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => resolve(true));
  });
  if (isListening) await new Promise((resolve) => server.close(resolve));
  return isListening;
}
