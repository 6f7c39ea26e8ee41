/** PostgreSQL servers that a test may kill, stop and restart. */
import { readFileSync } from "node:fs";
import { appendFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execute, OwnServer as Base } from "../../../corio/test/support/servers/own-server.ts";
import { testsThatRequire } from "../../../corio/test/support/servers/requirement.ts";

/** Where Debian's packages are, each version in a folder. */
const ROOT = "/usr/lib/postgresql";

/** Where `initdb` and `postgres` are; null when they are not installed. */
const binaries = await findBinaries();

async function findBinaries(): Promise<string | null> {
  const versions = await readdir(ROOT).catch(() => []);
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  return newest === undefined ? null : join(ROOT, newest, "bin");
}

/** Declares a test that starts servers. Where that is not possible it is skipped, and says so; in CI it fails. */
export const ownServerTest: (title: string, body: () => void | PromiseLike<void>) => void = testsThatRequire(
  "tests that start PostgreSQL servers",
  binaries === null ? `found none in ${ROOT}` : null,
);

export interface OwnServerOptions {
  /** Lines of `pg_hba.conf` before the one that trusts the user postgres. */
  readonly rules?: readonly string[];
  /** Offers TLS, with a certificate for `localhost` that is signed by itself. */
  readonly tls?: boolean;
}

/** SIGINT ends it in order, SIGQUIT at once. */
export class OwnServer extends Base {
  readonly #options: OwnServerOptions;

  constructor(options: OwnServerOptions = {}) {
    super({
      name: "postgres",
      isInstalled: binaries !== null,
      user: "postgres",
      readyMessage: "ready to accept connections",
      killSignal: "SIGQUIT",
    });
    this.#options = options;
  }

  protected override async create(): Promise<void> {
    const [program, ...args] = this.#asUser("initdb", "-D", this.#data, "-U", "postgres", "-A", "trust");
    await execute(program, [...args, "-E", "UTF8", "--no-sync", "--locale=C"], this.folder);
    const settings = [
      "listen_addresses = '127.0.0.1'",
      `unix_socket_directories = '${this.folder}'`,
      "fsync = off",
      "max_connections = 40",
    ];
    if (this.#options.tls === true) {
      const { key, certificate } = await this.makeCertificate();
      settings.push("ssl = on", `ssl_cert_file = '${certificate}'`, `ssl_key_file = '${key}'`);
    }
    await appendFile(join(this.#data, "postgresql.conf"), `${settings.join("\n")}\n`);
    const rules = [
      ...(this.#options.rules ?? []),
      "local all all trust",
      "host all postgres 127.0.0.1/32 trust",
    ];
    await writeFile(join(this.#data, "pg_hba.conf"), `${rules.join("\n")}\n`);
  }

  protected override command(): readonly [string, ...string[]] {
    return this.#asUser("postgres", "-D", this.#data, "-p", String(this.port));
  }

  /** With a process for each connection. */
  protected override processes(main: number): readonly number[] {
    let children = "";
    try {
      children = readFileSync(`/proc/${main}/task/${main}/children`, "utf8");
    } catch {
      // It has ended meanwhile.
    }
    return [main, ...children.trim().split(" ").filter(Boolean).map(Number)];
  }

  get #data(): string {
    return join(this.folder, "data");
  }

  /** It has no option for whom to run as. */
  #asUser(program: string, ...args: readonly string[]): readonly [string, ...string[]] {
    const command = [join(binaries ?? "", program), ...args] as const;
    if (this.user === null) return command;
    const { uid, gid } = this.user;
    return ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", ...command];
  }
}
