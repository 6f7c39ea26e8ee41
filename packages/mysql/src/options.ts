import { isIP } from "node:net";
import { userInfo } from "node:os";
import { ArgumentTypeError, ValueError } from "corio";
import type { Duration } from "corio";
import { toSeconds } from "corio/pool";
import { quoteIdentifier, quoteValue } from "./driver.ts";
import type { DriverConfig } from "./driver.ts";
import type { Target } from "./errors.ts";

/** How TLS is done. Without `ca` the certificate must be signed by a well-known authority. */
export interface TlsOptions {
  /** The certificates of the authorities to trust. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined;
  /** This client's own certificate. */
  readonly cert?: string | Uint8Array | undefined;
  /** The private key of the client's certificate. */
  readonly key?: string | Uint8Array | undefined;
  /** False encrypts without asking who the server is. Default true. */
  readonly rejectUnauthorized?: boolean | undefined;
  /**
   * Whether the certificate must be for the host's name. Default: true, unless the host is an IP address, which mysql2
   * cannot compare: then any certificate of a trusted authority will do.
   */
  readonly verifyIdentity?: boolean | undefined;
  /** Anything else that mysql2's `ssl` takes. */
  readonly [option: string]: unknown;
}

/** A column of a row, as `typeCast` gets it. */
export interface TypeCastField {
  /** The type's name, such as `VAR_STRING` or `LONGLONG`. */
  readonly type: string;
  /** The column's name. */
  readonly name: string;
  /** The table's name or alias. */
  readonly table: string;
  /** How many bytes a value may have. */
  readonly length: number;
  /** Reads the value as text. Each value may be read only once. */
  string(encoding?: string): string | null;
  /** Reads the value as bytes. Each value may be read only once. */
  buffer(): Uint8Array | null;
}

/** How to connect, and how values are given. */
export interface ConnectOptions {
  /** `mysql://user:password@host:port/database`, or `mariadb://…`; what is in it has precedence over the other options. */
  readonly url?: string | undefined;
  /** A name or an address. Default `localhost`. */
  readonly host?: string | undefined;
  /** Default 3306. */
  readonly port?: number | undefined;
  /** The path of a Unix socket, instead of host and port. */
  readonly socketPath?: string | undefined;
  /** Default: the name of the system's user. */
  readonly user?: string | undefined;
  /** The password, or a function that gives it each time a connection is made. */
  readonly password?: string | (() => string | PromiseLike<string>) | undefined;
  /** Default: none. Statements then have to name it. */
  readonly database?: string | undefined;
  /** True, or options, to use TLS. Default: no TLS. */
  readonly ssl?: boolean | TlsOptions | undefined;
  /** The collation of the connection, which begins with its character set. Default `utf8mb4_unicode_ci`. */
  readonly charset?: string | undefined;
  /**
   * Variables of the session, such as `{ sql_mode: "ANSI", net_write_timeout: 600 }`. A reset restores them.
   */
  readonly settings?: Readonly<Record<string, string | number | boolean>> | undefined;
  /** Told to the server, which shows them in `performance_schema.session_connect_attrs`. */
  readonly connectAttributes?: Readonly<Record<string, string>> | undefined;
  /** How long connecting may take. Default 10 seconds. */
  readonly connectTimeout?: Duration | undefined;
  /** How long each operation may take before it is cancelled with `TimeoutError`. Default null: any time. */
  readonly commandTimeout?: Duration | null | undefined;
  /**
   * How long a cancelled operation may take to end before the connection is ended on the server, and then how long that
   * may take. Default 5 seconds.
   */
  readonly cancelTimeout?: Duration | undefined;
  /**
   * When a connection that comes back to its pool is reset: `auto`, the default, when a statement was seen that changes
   * the session; `always` costs a round trip or two each time.
   */
  readonly reset?: "auto" | "always" | undefined;
  /** In which time zone the server's DATETIMEs are: `local`, the default, `Z`, or an offset such as `+02:00`. */
  readonly timezone?: string | undefined;
  /** Gives DATE, DATETIME and TIMESTAMP as strings. Default false: as `Date`. */
  readonly dateStrings?: boolean | undefined;
  /** Gives DECIMAL as numbers, which cannot hold all of them. Default false: as strings. */
  readonly decimalNumbers?: boolean | undefined;
  /** Gives all BIGINTs as strings. Default false: only those that a number cannot hold. */
  readonly bigNumberStrings?: boolean | undefined;
  /** Gives JSON as text. Default false: parsed. */
  readonly jsonStrings?: boolean | undefined;
  /** Makes values of the server's own; `next` gives what would be given without it. */
  readonly typeCast?: ((field: TypeCastField, next: () => unknown) => unknown) | undefined;
}

/** Options of a function that takes a URL or options. */
export function toOptions(where: string, options: string | ConnectOptions | undefined): ConnectOptions {
  const expected = `${where} expects a URL such as mysql://user@host/database or an object with options`;
  if (options === undefined) return {};
  if (typeof options === "string") return parseUrl(where, options);
  if (typeof options !== "object" || (options as unknown) === null) {
    throw new ArgumentTypeError(`${expected}, got ${typeof options}`);
  }
  const { port } = options;
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535))
    throw new ValueError(`${where} expects port to be a number from 0 to 65535, got ${String(port)}`);
  for (const name of ["cancelTimeout", "commandTimeout", "connectTimeout"] as const)
    toSeconds(options[name] ?? 0, `${where}: ${name}`);
  for (const name of ["user", "database"] as const) {
    // The protocol ends texts with it: what is after one would be something else.
    if (options[name]?.includes("\0") === true)
      throw new ValueError(`${where} expects ${name} to have no NUL characters`);
  }
  return options.url === undefined ? options : { ...options, ...parseUrl(where, options.url) };
}

function parseUrl(where: string, text: string): ConnectOptions {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^(mysql|mariadb):$/.test(url.protocol)) {
    throw new ValueError(`${where} expects a URL such as mysql://user@host/database; this is none`);
  }
  if (url.search !== "") {
    throw new ValueError(`${where} expects a URL without parameters, got ${url.search}; use the options`);
  }
  const part = (encoded: string): string | undefined => {
    if (encoded === "") return undefined;
    if (/%(?![\da-f]{2})|%00/i.test(encoded))
      throw new ValueError(`${where} expects a URL in which % stands before two hexadecimal digits, not 00`);
    return decodeURIComponent(encoded);
  };
  const given = {
    host: part(url.hostname.replace(/^\[(.*)\]$/, "$1")),
    port: url.port === "" ? undefined : Number(url.port),
    user: part(url.username),
    password: part(url.password),
    database: part(url.pathname.slice(1)),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** What mysql2 is given, without the password, which may have to be asked for. */
export function driverConfig(options: ConnectOptions): Omit<DriverConfig, "password"> {
  const host = options.host ?? "localhost";
  const ssl = options.ssl === true ? {} : options.ssl;
  return {
    host,
    port: options.port ?? 3306,
    socketPath: options.socketPath,
    user: options.user ?? userInfo().username,
    database: options.database,
    ssl: ssl === undefined || ssl === false ? undefined : { verifyIdentity: isIP(host) === 0, ...ssl },
    charset: charsetOf(options),
    timezone: options.timezone,
    dateStrings: options.dateStrings,
    decimalNumbers: options.decimalNumbers,
    bigNumberStrings: options.bigNumberStrings,
    jsonStrings: options.jsonStrings,
    typeCast: options.typeCast,
    connectAttributes: options.connectAttributes,
  };
}

/** The password, asked for if it must be. */
export async function passwordOf({ password }: ConnectOptions): Promise<string | undefined> {
  return typeof password === "function" ? await password() : password;
}

function charsetOf({ charset }: ConnectOptions): string {
  return charset ?? "utf8mb4_unicode_ci";
}

/** The statement that gives a session its settings; null when a new connection has them. */
export function settingsStatement(options: ConnectOptions, isNew: boolean): string | null {
  const collation = charsetOf(options);
  const settings = Object.entries(options.settings ?? {}).map(([name, value]) => {
    if (!["string", "number", "boolean"].includes(typeof value))
      throw new ArgumentTypeError(
        `settings expects ${name} to be a string, a number or a boolean, got ${typeof value}`,
      );
    return `SESSION ${quoteIdentifier(name)} = ${quoteValue(value)}`;
  });
  if (isNew && settings.length === 0) return null;
  // A reset may bring the server's own character set back.
  const names = `NAMES ${quoteValue(collation.split("_")[0] ?? "")} COLLATE ${quoteValue(collation)}`;
  return `SET ${[names, ...settings].join(", ")}`;
}

/** Who and where, for messages. */
export function targetOf(config: Omit<DriverConfig, "password">): Target {
  const { user, database, host, port, socketPath, ssl } = config;
  return { user, database, server: socketPath ?? `${host}:${port}`, hasTls: ssl !== undefined };
}
