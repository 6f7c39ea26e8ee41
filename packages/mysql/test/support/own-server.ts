/** MariaDB servers that a test may kill, stop and restart. */
import { access } from "node:fs/promises";
import { join } from "node:path";
import { execute, OwnServer as Base } from "../../../corio/test/support/servers/own-server.ts";
import { testsThatRequire } from "../../../corio/test/support/servers/requirement.ts";

const SERVER = "/usr/sbin/mariadbd";
const INSTALL = "/usr/bin/mariadb-install-db";

const isInstalled = await Promise.all([access(SERVER), access(INSTALL)]).then(
  () => true,
  () => false,
);

/** Declares a test that starts servers. Where that is not possible it is skipped, and says so; in CI it fails. */
export const ownServerTest: (title: string, body: () => void | PromiseLike<void>) => void = testsThatRequire(
  "tests that start MariaDB servers",
  isInstalled ? null : `there is no ${SERVER}`,
);

export interface OwnServerOptions {
  /** Offers TLS, with a certificate for `localhost` that is signed by itself. */
  readonly tls?: boolean;
}

/** SIGTERM ends it in order, SIGKILL at once. */
export class OwnServer extends Base {
  readonly #options: OwnServerOptions;
  #tls: readonly string[] = [];

  constructor(options: OwnServerOptions = {}) {
    super({
      name: "mysql",
      isInstalled,
      user: "mysql",
      readyMessage: "ready for connections",
      killSignal: "SIGKILL",
    });
    this.#options = options;
  }

  protected override async create(): Promise<void> {
    const install = [...this.#place(), "--auth-root-authentication-method=normal", "--skip-test-db"];
    await execute(INSTALL, install, this.folder);
    if (this.#options.tls !== true) return;
    const { key, certificate } = await this.makeCertificate();
    this.#tls = [`--ssl-cert=${certificate}`, `--ssl-key=${key}`];
  }

  protected override command(): readonly [string, ...string[]] {
    return [
      SERVER,
      ...this.#place(),
      `--socket=${join(this.folder, "socket")}`,
      `--pid-file=${join(this.folder, "pid")}`,
      `--port=${this.port}`,
      "--bind-address=127.0.0.1",
      "--max-connections=40",
      // Small and quick; what is written need not survive the machine.
      "--innodb-flush-log-at-trx-commit=0",
      "--innodb-buffer-pool-size=16M",
      "--innodb-log-file-size=8M",
      "--skip-name-resolve",
      ...this.#tls,
    ];
  }

  /**
   * Where its data are, and whose. A server that starts throws away the temporary tables that it finds: in the folder
   * that all use by default, those would be the shared server's.
   */
  #place(): readonly string[] {
    const asUser = this.user === null ? [] : [`--user=${this.user.name}`];
    return ["--no-defaults", ...asUser, `--datadir=${join(this.folder, "data")}`, `--tmpdir=${this.folder}`];
  }
}
