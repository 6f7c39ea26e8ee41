/** Redis servers that a test may kill, stop and restart: each with its own files, on a port of its own. */
import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { run } from "corio";
import { after, before, test } from "../../../corio/test/support/harness.ts";

const execute = promisify(execFile);

const isInstalled = await execute("redis-server", ["--version"]).then(
  () => true,
  () => false,
);

let hasSaidWhy = false;

/** Declares a test that starts servers. Where that is not possible it is skipped, and says so; in CI it fails. */
export function ownServerTest(title: string, body: () => Promise<void>): void {
  ownServerProgram(title, () => run(body));
}

/** The same, for a test that calls `run` itself. */
export function ownServerProgram(title: string, body: () => Promise<void>): void {
  if (isInstalled || process.env["CI"] !== undefined) {
    test(title, body);
    return;
  }
  if (!hasSaidWhy) console.log("skipped: tests that start Redis servers: there is no redis-server");
  hasSaidWhy = true;
  console.log(`skipped: ${title}`);
  test.skip(title, body);
}

export interface OwnServerOptions {
  /** Arguments of `redis-server`. */
  readonly args?: readonly string[];
  /** Speaks only TLS, with a certificate for `localhost` that is signed by itself. */
  readonly tls?: boolean;
}

export class OwnServer {
  readonly host = "127.0.0.1";
  port = 0;
  /** The server's certificate. */
  certificate = "";
  readonly #options: OwnServerOptions;
  #folder = "";
  #process: ChildProcess | null = null;

  /** The server runs while the tests of the file do. */
  constructor(options: OwnServerOptions = {}) {
    this.#options = options;
    before(async () => {
      if (!isInstalled) return;
      this.#folder = await mkdtemp(join(tmpdir(), "corio-redis-"));
      this.port = await freePort();
      await this.start();
    });
    after(async () => {
      if (!isInstalled) return;
      this.signal("SIGCONT");
      await this.stop("SIGKILL");
      await rm(this.#folder, { recursive: true, force: true });
    });
  }

  /** Where its Unix socket is. */
  get path(): string {
    return join(this.#folder, "redis.sock");
  }

  async #place(): Promise<string[]> {
    if (this.#options.tls !== true) return ["--port", String(this.port)];
    const [key, certificate] = [join(this.#folder, "server.key"), join(this.#folder, "server.crt")];
    if (this.certificate === "") {
      await execute("openssl", [
        ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"],
        ...["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
      ]);
      this.certificate = await readFile(certificate, "utf8");
    }
    return [
      ...["--port", "0", "--tls-port", String(this.port), "--tls-auth-clients", "no"],
      ...["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificate],
    ];
  }

  /** Starts it, and waits until it accepts connections. */
  async start(): Promise<void> {
    const child = spawn(
      "redis-server",
      [
        ...(await this.#place()),
        ...["--bind", "127.0.0.1", "--dir", this.#folder, "--unixsocket", this.path],
        ...["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no"],
        ...(this.#options.args ?? []),
      ],
      { stdio: ["ignore", "pipe", "ignore"] },
    );
    this.#process = child;
    await new Promise<void>((resolve, reject) => {
      let log = "";
      child.once("exit", () => reject(new Error(`the server has ended:\n${log}`)));
      child.stdout.on("data", (chunk: unknown) => {
        log += String(chunk);
        if (log.includes("Ready to accept connections")) resolve();
      });
    });
    child.removeAllListeners("exit");
  }

  /** Waits until it has ended. */
  async stop(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#process;
    if (child?.exitCode !== null) return;
    this.#process = null;
    await new Promise((resolve) => {
      child.once("exit", resolve);
      this.#send(child, signal);
    });
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    if (this.#process !== null) this.#send(this.#process, signal);
  }

  /** Not by the child's own `kill`, which sends nothing after a SIGSTOP on Deno. */
  #send({ pid }: ChildProcess, signal: NodeJS.Signals): void {
    if (pid !== undefined) process.kill(pid, signal);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
