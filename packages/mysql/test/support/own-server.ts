/** MariaDB servers that a test may kill, stop and restart: each with its own files, on a port of its own. */
import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { access, chown, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { after, before, test } from "../../../corio/test/support/harness.ts";

const run = promisify(execFile);

const SERVER = "/usr/sbin/mariadbd";
const INSTALL = "/usr/bin/mariadb-install-db";

const isInstalled = await Promise.all([access(SERVER), access(INSTALL)]).then(
  () => true,
  () => false,
);

let hasSaidWhy = false;

/** Declares a test that starts servers. Where that is not possible it is skipped, and says so; in CI it fails. */
export function ownServerTest(title: string, body: () => void | PromiseLike<void>): void {
  if (isInstalled || process.env["CI"] !== undefined) {
    test(title, body);
    return;
  }
  if (!hasSaidWhy) console.log(`skipped: tests that start MariaDB servers: there is no ${SERVER}`);
  hasSaidWhy = true;
  console.log(`skipped: ${title}`);
  test.skip(title, body);
}

/** MariaDB does not like to run as root. The packages have made a user for it. */
async function serverUser(): Promise<{ name: string; uid: number; gid: number } | null> {
  if (process.getuid?.() !== 0) return null;
  const { stdout } = await run("getent", ["passwd", "mysql"]);
  const [name = "", , uid = "", gid = ""] = stdout.split(":");
  return { name, uid: Number(uid), gid: Number(gid) };
}

export interface OwnServerOptions {
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
  #args: string[] = [];
  #process: ChildProcess | null = null;

  /** The server runs while the tests of the file do. */
  constructor(options: OwnServerOptions = {}) {
    this.#options = options;
    before(async () => {
      if (!isInstalled) return;
      await this.#create();
      await this.start();
    });
    after(async () => {
      if (!isInstalled) return;
      this.signal("SIGCONT");
      await this.stop("SIGKILL");
      await rm(this.#folder, { recursive: true, force: true });
    });
  }

  async #create(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), "corio-mysql-"));
    const user = await serverUser();
    const own = async (path: string): Promise<void> => {
      if (user !== null) await chown(path, user.uid, user.gid);
    };
    await own(this.#folder);
    const asUser = user === null ? [] : [`--user=${user.name}`];
    const data = join(this.#folder, "data");
    await run(
      INSTALL,
      [
        "--no-defaults",
        `--datadir=${data}`,
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        ...asUser,
      ],
      { cwd: this.#folder },
    );
    this.port = await freePort();
    this.#args = [
      "--no-defaults",
      ...asUser,
      `--datadir=${data}`,
      `--socket=${join(this.#folder, "socket")}`,
      `--pid-file=${join(this.#folder, "pid")}`,
      `--port=${this.port}`,
      "--bind-address=127.0.0.1",
      "--max-connections=40",
      // Small and quick; what is written need not survive the machine.
      "--innodb-flush-log-at-trx-commit=0",
      "--innodb-buffer-pool-size=16M",
      "--innodb-log-file-size=8M",
      "--skip-name-resolve",
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
      this.#args.push(`--ssl-cert=${certificate}`, `--ssl-key=${key}`);
    }
  }

  /** Starts it, and waits until it accepts connections. */
  async start(...args: string[]): Promise<void> {
    const child = spawn(SERVER, [...this.#args, ...args], {
      cwd: this.#folder,
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#process = child;
    await new Promise<void>((resolve, reject) => {
      let log = "";
      child.once("exit", () => reject(new Error(`the server has ended:\n${log}`)));
      child.stderr.on("data", (chunk: unknown) => {
        log += String(chunk);
        if (log.includes("ready for connections")) resolve();
      });
    });
    child.removeAllListeners("exit");
  }

  /** SIGTERM ends it in order, SIGKILL at once. Waits until it has ended. */
  async stop(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#process;
    if (child?.exitCode !== null) return;
    this.#process = null;
    await new Promise((resolve) => {
      child.once("exit", resolve);
      child.kill(signal);
    });
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    const pid = this.#process?.pid;
    // Not by the child's own method: that of Deno did not deliver a SIGCONT after a SIGSTOP.
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
