/** Redis servers that a test may kill, stop and restart. */
import { join } from "node:path";
import { run } from "corio";
import { execute, OwnServer as Base } from "../../../corio/test/support/servers/own-server.ts";
import { testsThatRequire } from "../../../corio/test/support/servers/requirement.ts";

const SERVER = "redis-server";

const isInstalled = await execute(SERVER, ["--version"]).then(
  () => true,
  () => false,
);

/** Declares a test that starts servers, and calls `run` itself. */
export const ownServerProgram: (title: string, body: () => Promise<void>) => void = testsThatRequire(
  "tests that start Redis servers",
  isInstalled ? null : `there is no ${SERVER}`,
);

/** Declares a test that starts servers. Where that is not possible it is skipped, and says so; in CI it fails. */
export function ownServerTest(title: string, body: () => Promise<void>): void {
  ownServerProgram(title, () => run(body));
}

export interface OwnServerOptions {
  /** Arguments of `redis-server`. */
  readonly args?: readonly string[];
  /** Speaks only TLS, with a certificate for `localhost` that is signed by itself. */
  readonly tls?: boolean;
}

/** SIGTERM ends it in order, SIGKILL at once. */
export class OwnServer extends Base {
  readonly #options: OwnServerOptions;
  #tls: readonly string[] = [];

  constructor(options: OwnServerOptions = {}) {
    super({
      name: "redis",
      isInstalled,
      readyMessage: "Ready to accept connections",
      killSignal: "SIGKILL",
    });
    this.#options = options;
  }

  /** Where its Unix socket is. */
  get path(): string {
    return join(this.folder, "redis.sock");
  }

  protected override async create(): Promise<void> {
    if (this.#options.tls !== true) return;
    const { key, certificate } = await this.makeCertificate();
    this.#tls = ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificate];
  }

  protected override command(): readonly [string, ...string[]] {
    const port = String(this.port);
    return [
      SERVER,
      ...(this.#options.tls === true
        ? ["--port", "0", "--tls-port", port, "--tls-auth-clients", "no", ...this.#tls]
        : ["--port", port]),
      ...["--bind", "127.0.0.1", "--dir", this.folder, "--unixsocket", this.path],
      ...["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no"],
      ...(this.#options.args ?? []),
    ];
  }
}
