import { ArgumentTypeError, ValueError } from "corio";
import type { Duration } from "corio";
import { toSeconds } from "corio/pool";
import type { DriverClientConfig } from "./driver.ts";
import type { Target } from "./errors.ts";

/** What Node's `tls.connect` takes. Without `ca` the certificate must be signed by a well-known authority. */
export interface TlsOptions {
  /** The certificates of the authorities to trust. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined;
  /** This client's own certificate. */
  readonly cert?: string | Uint8Array | undefined;
  /** The private key of the client's certificate. */
  readonly key?: string | Uint8Array | undefined;
  /** False encrypts without asking who the server is. Default true. */
  readonly rejectUnauthorized?: boolean | undefined;
  /** Anything else that `tls.connect` takes. */
  readonly [option: string]: unknown;
}

/** A message that the server sends beside results: RAISE NOTICE, warnings, and the like. */
export interface Notice {
  /** `NOTICE`, `WARNING`, `INFO`, `LOG` or `DEBUG`. */
  readonly severity: string;
  /** The SQLSTATE. */
  readonly sqlState: string;
  /** The text. */
  readonly message: string;
  /** More about it. */
  readonly detail: string | undefined;
  /** What to do about it. */
  readonly hint: string | undefined;
}

/** How to connect. What is left out is taken from the environment (`PGHOST`, `PGUSER`, …), as `pg` does. */
export interface ConnectOptions {
  /** `postgres://user:password@host:port/database`; what is in it has precedence over the other options. */
  readonly url?: string | undefined;
  /** A name, an address, or the folder of a Unix socket. Default `localhost`. */
  readonly host?: string | undefined;
  /** Default 5432. */
  readonly port?: number | undefined;
  /** Default: the name of the system's user. */
  readonly user?: string | undefined;
  /** The password, or a function that gives it each time a connection is made. */
  readonly password?: string | (() => string | PromiseLike<string>) | undefined;
  /** Default: the user's name. */
  readonly database?: string | undefined;
  /** True, or options, to use TLS. Default: no TLS, unless the URL or the environment says so. */
  readonly ssl?: boolean | TlsOptions | undefined;
  /** `direct` begins TLS without asking first, as PostgreSQL 17 and newer allow. */
  readonly sslNegotiation?: "postgres" | "direct" | undefined;
  /** Shown in `pg_stat_activity`. */
  readonly applicationName?: string | undefined;
  /** Settings of the session, such as `{ search_path: "app", statement_timeout: "30s" }`. A reset restores them. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** How long connecting may take. Default 10 seconds. */
  readonly connectTimeout?: Duration | undefined;
  /** How long each operation may take before it is cancelled with `TimeoutError`. Default null: any time. */
  readonly commandTimeout?: Duration | null | undefined;
  /**
   * How long a cancelled operation may take to end before the connection is terminated, and then how long that may
   * take. Default 5 seconds.
   */
  readonly cancelTimeout?: Duration | undefined;
  /**
   * How often the server looks, while a statement runs, whether the client is still there. Default 5 seconds; null
   * leaves the server's own setting. Servers older than 14 cannot do that.
   */
  readonly connectionCheckInterval?: Duration | null | undefined;
  /**
   * When a connection that comes back to its pool is reset: `auto`, the default, when a statement was seen that changes
   * the session; `always` costs a round trip each time.
   */
  readonly reset?: "auto" | "always" | undefined;
  /** How values of types are made of the server's text, by the type's OID, for this connection only. */
  readonly parsers?: Readonly<Record<number, (text: string) => unknown>> | undefined;
  /** Told of the server's notices. Without it they are dropped. */
  readonly onNotice?: ((notice: Notice) => void) | undefined;
}

const DURATIONS = ["cancelTimeout", "commandTimeout", "connectTimeout", "connectionCheckInterval"] as const;

/** Options of a function that takes a URL or options. */
export function toOptions(where: string, options: string | ConnectOptions | undefined): ConnectOptions {
  if (options === undefined) return {};
  const given = typeof options === "string" ? { url: options } : options;
  const expected = `${where} expects a URL such as postgres://user@host/database`;
  if (typeof given !== "object" || (given as unknown) === null)
    throw new ArgumentTypeError(`${expected} or an object with options, got ${typeof given}`);
  // pg takes anything else for the name of a database. A path is that of a Unix socket.
  if (given.url !== undefined && !/^(postgres(ql)?:\/\/|socket:|\/)/.test(given.url))
    throw new ValueError(`${expected}; this is none`);
  const { port } = given;
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535))
    throw new ValueError(`${where} expects port to be a number from 0 to 65535, got ${String(port)}`);
  for (const name of DURATIONS) toSeconds(given[name] ?? 0, `${where}: ${name}`);
  return given;
}

/** What pg is given. */
export function driverConfig(options: ConnectOptions): DriverClientConfig {
  const settings = Object.entries(options.settings ?? {}).map(toSetting);
  return {
    connectionString: options.url,
    host: options.host,
    port: options.port,
    user: options.user,
    password: options.password,
    database: options.database,
    ssl: options.ssl,
    sslnegotiation: options.sslNegotiation,
    application_name: options.applicationName,
    options: settings.length === 0 ? undefined : settings.join(" "),
    // So that a server which has silently gone is noticed in the end.
    keepAlive: true,
  };
}

/** A setting as an option of the server's command line, on which blanks and backslashes are escaped. */
function toSetting([name, value]: [name: string, value: string]): string {
  if (!/^[a-z_][\w$]*(\.[a-z_][\w$]*)*$/i.test(name))
    throw new ValueError(`settings expects names such as statement_timeout, got ${JSON.stringify(name)}`);
  if (typeof value !== "string")
    throw new ArgumentTypeError(`settings expects ${name} to be a string, got ${typeof value}`);
  return `-c ${name}=${value.replaceAll(/[\\\s]/g, "\\$&")}`;
}

/** Who and where, for messages. */
export function targetOf(client: {
  readonly user: string;
  readonly database: string;
  readonly host: string;
  readonly port: number;
}): Target {
  const { user, database, host, port } = client;
  return { user, database, server: host.startsWith("/") ? `${host}/.s.PGSQL.${port}` : `${host}:${port}` };
}
