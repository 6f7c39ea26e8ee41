/** PostgreSQL servers that a test may kill, stop and restart: each with its own files, on a port of its own. */
import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { appendFile, chown, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { after, before, test } from "../../../corio/test/support/harness.ts";

const run = promisify(execFile);

/** Where `initdb` and `postgres` are; null when they are not installed. */
const binaries = await findBinaries();

async function findBinaries(): Promise<string | null> {
  const root = "/usr/lib/postgresql";
  const versions = await readdir(root).catch(() => []);
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  return newest === undefined ? null : join(root, newest, "bin");
}

let hasSaidWhy = false;

/** Declares a test that starts servers. Where that is not possible it is skipped, and says so; in CI it fails. */
export function ownServerTest(title: string, body: () => void | PromiseLike<void>): void {
  if (binaries !== null || process.env["CI"] !== undefined) {
    test(title, body);
    return;
  }
  if (!hasSaidWhy)
    console.log("skipped: tests that start PostgreSQL servers: found none in /usr/lib/postgresql");
  hasSaidWhy = true;
  console.log(`skipped: ${title}`);
  test.skip(title, body);
}

/** PostgreSQL does not run as root. The packages have made a user for it. */
async function asServerUser(): Promise<{ prefix: string[]; ids: { uid: number; gid: number } | null }> {
  if (process.getuid?.() !== 0) return { prefix: [], ids: null };
  const { stdout } = await run("getent", ["passwd", "postgres"]);
  const [, , uid = "", gid = ""] = stdout.split(":");
  return {
    prefix: ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"],
    ids: { uid: Number(uid), gid: Number(gid) },
  };
}

export interface OwnServerOptions {
  /** Lines of `pg_hba.conf` before the one that trusts the user postgres. */
  readonly rules?: readonly string[];
  /** Offers TLS, with a certificate for `localhost` that is signed by itself. */
  readonly tls?: boolean;
}

export class OwnServer {
  readonly host = "127.0.0.1";
  port = 0;
  /** The server's certificate. */
  certificate = "";
  readonly #options: OwnServerOptions;
  #folder = "";
  #prefix: string[] = [];
  #process: ChildProcess | null = null;

  /** The server runs while the tests of the file do. */
  constructor(options: OwnServerOptions = {}) {
    this.#options = options;
    before(async () => {
      if (binaries === null) return;
      await this.#create();
      await this.start();
    });
    after(async () => {
      if (binaries === null) return;
      await this.signal("SIGCONT");
      await this.stop("SIGQUIT");
      await rm(this.#folder, { recursive: true, force: true });
    });
  }

  async #create(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), "corio-postgres-"));
    const { prefix, ids } = await asServerUser();
    this.#prefix = prefix;
    if (ids !== null) await chown(this.#folder, ids.uid, ids.gid);
    const own = async (path: string): Promise<void> => {
      if (ids !== null) await chown(path, ids.uid, ids.gid);
    };
    const data = this.#data;
    await this.#run(
      "initdb",
      "-D",
      data,
      "-U",
      "postgres",
      "-A",
      "trust",
      "-E",
      "UTF8",
      "--no-sync",
      "--locale=C",
    );
    this.port = await freePort();
    const settings = [
      `port = ${this.port}`,
      "listen_addresses = '127.0.0.1'",
      `unix_socket_directories = '${this.#folder}'`,
      "fsync = off",
      "max_connections = 40",
    ];
    if (this.#options.tls === true) {
      const [key, certificate] = [join(this.#folder, "server.key"), join(this.#folder, "server.crt")];
      await run("openssl", [
        ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"],
        ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate],
      ]);
      await own(key);
      await own(certificate);
      this.certificate = await readFile(certificate, "utf8");
      settings.push("ssl = on", `ssl_cert_file = '${certificate}'`, `ssl_key_file = '${key}'`);
    }
    await appendFile(join(data, "postgresql.conf"), `${settings.join("\n")}\n`);
    const rules = [
      ...(this.#options.rules ?? []),
      "local all all trust",
      "host all postgres 127.0.0.1/32 trust",
    ];
    await writeFile(join(data, "pg_hba.conf"), `${rules.join("\n")}\n`);
  }

  get #data(): string {
    return join(this.#folder, "data");
  }

  async #run(program: string, ...args: string[]): Promise<void> {
    const [command = "", ...rest]: string[] = [...this.#prefix, join(binaries ?? "", program), ...args];
    await run(command, rest, { cwd: this.#folder });
  }

  /** Starts it, and waits until it accepts connections. */
  async start(): Promise<void> {
    const [command = "", ...args]: string[] = [
      ...this.#prefix,
      join(binaries ?? "", "postgres"),
      "-D",
      this.#data,
    ];
    const child = spawn(command, args, { cwd: this.#folder, stdio: ["ignore", "ignore", "pipe"] });
    this.#process = child;
    await new Promise<void>((resolve, reject) => {
      let log = "";
      child.once("exit", () => reject(new Error(`the server has ended:\n${log}`)));
      child.stderr.on("data", (chunk: unknown) => {
        log += String(chunk);
        if (log.includes("ready to accept connections")) resolve();
      });
    });
    child.removeAllListeners("exit");
  }

  /** SIGINT ends it in order, SIGQUIT at once. Waits until it has ended. */
  async stop(signal: "SIGINT" | "SIGQUIT"): Promise<void> {
    const child = this.#process;
    if (child?.exitCode !== null) return;
    this.#process = null;
    await new Promise((resolve) => {
      child.once("exit", resolve);
      child.kill(signal);
    });
  }

  /** Sends a signal to the server and all of its processes. */
  async signal(signal: "SIGSTOP" | "SIGCONT"): Promise<void> {
    const pid = this.#process?.pid;
    if (pid === undefined) return;
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
    for (const each of [pid, ...children.trim().split(" ").filter(Boolean).map(Number)]) {
      try {
        process.kill(each, signal);
      } catch {
        // It has ended meanwhile.
      }
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
