import { ArgumentTypeError, ValueError } from "corio";
import type { Duration } from "corio";
import { toSeconds } from "corio/pool";
import { lookup } from "node:dns/promises";

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

/** How to connect. */
export interface ConnectOptions {
  /**
   * `redis://user:password@host:port/database`, `rediss://…` for TLS, or `unix:///path?db=1`; what is in it has
   * precedence over the other options.
   */
  readonly url?: string | undefined;
  /** A name or an address. Default `localhost`. */
  readonly host?: string | undefined;
  /** Default 6379. */
  readonly port?: number | undefined;
  /** A Unix socket, instead of host and port. */
  readonly path?: string | undefined;
  /** Default `default`, which is the server's own default. */
  readonly username?: string | undefined;
  /** The password, or a function that gives it each time a connection is made. */
  readonly password?: string | (() => string | PromiseLike<string>) | undefined;
  /** The number of the database. Default 0. */
  readonly database?: number | undefined;
  /** True, or options, to use TLS. Default: no TLS, unless the URL says so. */
  readonly tls?: boolean | TlsOptions | undefined;
  /** Shown in `CLIENT LIST`. */
  readonly clientName?: string | undefined;
  /** How long connecting may take. Default 10 seconds. */
  readonly connectTimeout?: Duration | undefined;
  /**
   * How long each command may take before it is given up with `TimeoutError`. Default null: any time. A blocking command
   * has its own timeout instead.
   */
  readonly commandTimeout?: Duration | null | undefined;
  /**
   * How long a cancelled command may take to have its answer before its connection is dropped. Default 5 seconds.
   */
  readonly cancelTimeout?: Duration | undefined;
}

/** Options, after the URL was read. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly path: string | null;
  readonly username: string;
  readonly password: string | (() => string | PromiseLike<string>) | null;
  readonly database: number;
  readonly tls: TlsOptions | null;
  readonly clientName: string | null;
  /** For messages. */
  readonly server: string;
}

/** Options of a function that takes a URL or options. */
export function toOptions<O extends ConnectOptions>(where: string, options: string | O | undefined): O {
  if (options === undefined) return {} as O;
  if (typeof options === "string") return { url: options } as O;
  if (typeof options !== "object" || (options as unknown) === null) {
    throw new ArgumentTypeError(
      `${where} expects a URL such as redis://127.0.0.1:6379/0 or an object with options, got ${typeof options}`,
    );
  }
  for (const name of ["cancelTimeout", "commandTimeout", "connectTimeout"] as const)
    toSeconds(options[name] ?? 0, `${where}: ${name}`);
  return options;
}

/** Reads the URL, and fills in what was left out. Throws when it makes no sense. */
export function targetOf(options: ConnectOptions): Target {
  const given: ConnectOptions = { ...options, ...(options.url === undefined ? {} : readUrl(options.url)) };
  const { host = "localhost", port = 6379, path = null, username = "default", database = 0 } = given;
  if (!Number.isInteger(database) || database < 0)
    throw new ValueError(`database expects a number from 0, got ${String(database)}`);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new ValueError(`port expects a number from 0 to 65535, got ${String(port)}`);
  // The URL can only say that it is to be TLS; the options say more.
  const tls = given.tls === true && options.tls ? options.tls : (given.tls ?? false);
  return {
    host,
    port,
    path,
    username,
    password: given.password ?? null,
    database,
    tls: tls === false ? null : tls === true ? {} : tls,
    clientName: given.clientName ?? null,
    server: path ?? (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`),
  };
}

function readUrl(text: string): ConnectOptions {
  const isUnix = text.startsWith("unix:");
  let url: URL;
  try {
    // Not a special scheme: it would not accept a password without a host.
    url = new URL(isUnix ? text.replace(/^unix:\/\/(?=\/)/, "redis://localhost") : text);
    decodeURIComponent(`${url.username}${url.password}${url.pathname}`);
  } catch (error) {
    throw new ValueError(`url expects redis://host:port/database, got ${JSON.stringify(text)}`, {
      cause: error,
    });
  }
  if (!isUnix && url.protocol !== "redis:" && url.protocol !== "rediss:")
    throw new ValueError(`url expects redis:, rediss: or unix:, got ${JSON.stringify(url.protocol)}`);
  const database = isUnix ? url.searchParams.get("db") : url.pathname.slice(1);
  return {
    ...(isUnix && { path: decodeURIComponent(url.pathname) }),
    ...(!isUnix && url.hostname !== "" && { host: url.hostname.replace(/^\[(.*)\]$/, "$1") }),
    ...(url.port !== "" && { port: Number(url.port) }),
    ...(url.username !== "" && { username: decodeURIComponent(url.username) }),
    ...(url.password !== "" && { password: decodeURIComponent(url.password) }),
    ...(database !== null && database !== "" && { database: Number(database) }),
    ...(url.protocol === "rediss:" && { tls: true }),
  };
}

/** One place where the server may be: an address, not a name, so that a second connection goes to the same server. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly path: string | null;
}

/** Where the server may be, in the order in which to try. */
export async function addressesOf({ host, port, path }: Target): Promise<Address[]> {
  if (path !== null) return [{ host, port, path }];
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => ({ host: address, port, path: null }));
}
