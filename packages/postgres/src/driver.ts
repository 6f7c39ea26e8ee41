/**
 * What of `pg` is used here, with types of its own: the published ones lack some of it. Each member that is not in pg's
 * documentation says so.
 */

import type { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { ArgumentTypeError, ValueError } from "corio";
import pg from "pg";

/** pg's `DatabaseError`: what the server said. */
export interface ServerMessage extends Error {
  readonly severity: string;
  readonly code: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly position?: string;
  readonly where?: string;
  readonly schema?: string;
  readonly table?: string;
  readonly column?: string;
  readonly constraint?: string;
}

export interface DriverResult {
  /** The first word of the command tag. */
  readonly command: string | null;
  readonly rowCount: number | null;
  readonly rows: unknown[];
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
}

export type DriverCallback = (error: unknown, result: DriverResult | DriverResult[]) => void;

/** Something that pg's client can run: documented for `pg-cursor` and the like. */
export interface Submittable {
  submit(connection: DriverConnection): void;
}

export interface DriverQuery {
  readonly text: string;
  readonly values?: readonly unknown[] | undefined;
  readonly name?: string | undefined;
  readonly rowMode?: "array" | undefined;
}

/** Not documented: the protocol's side of a client. Emits one event for each message of the server. */
export interface DriverConnection extends EventEmitter {
  /** The socket; a `TLSSocket` after the upgrade. */
  readonly stream: Socket | TLSSocket;
  /** Which named statements the server has: emptied here after DEALLOCATE ALL. */
  parsedStatements: Record<string, string>;
  query(text: string): void;
  parse(query: { text: string; name: string; types?: readonly string[] }): void;
  describe(message: { type: "S" | "P"; name: string }): void;
  close(message: { type: "S" | "P"; name: string }): void;
  sync(): void;
  sendCopyFail(message: string): void;
}

export type TlsSettings = Record<string, unknown>;

export interface DriverClient extends EventEmitter {
  readonly user: string;
  readonly database: string;
  readonly host: string;
  readonly port: number;
  /** Not enumerable. What a function gave is here once it was called. */
  readonly password?: string | (() => string | PromiseLike<string>) | null;
  /** Not documented: the TLS options, after the URL and the environment. */
  readonly ssl: boolean | TlsSettings;
  /** Not documented: how TLS begins. */
  readonly sslNegotiation?: "postgres" | "direct";
  readonly connection: DriverConnection;
  /** Not documented: who we are for a CancelRequest. Null when the server (a proxy) has not said. */
  readonly processID: number | null;
  readonly secretKey: number | Uint8Array | null;
  connect(callback: (error: unknown) => void): void;
  query(query: DriverQuery, callback: DriverCallback): void;
  query(text: string, values: readonly unknown[] | undefined, callback: DriverCallback): void;
  query(submittable: Submittable): void;
  end(callback: () => void): void;
  /** Not documented: what it tells the server about itself. */
  getStartupConf(): Readonly<Record<string, string | undefined>>;
  ref(): void;
  unref(): void;
  setTypeParser(oid: number, format: "text", parse: (text: string) => unknown): void;
}

export interface DriverClientConfig {
  readonly connectionString?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly user?: string | undefined;
  readonly password?: string | (() => string | PromiseLike<string>) | undefined;
  readonly database?: string | undefined;
  readonly ssl?: boolean | object | undefined;
  readonly sslnegotiation?: "postgres" | "direct" | undefined;
  readonly application_name?: string | undefined;
  readonly options?: string | undefined;
  readonly keepAlive?: boolean;
  readonly connectionTimeoutMillis?: number;
}

/** Makes a client that is not connected. Throws when the configuration makes no sense. */
export function makeClient(config: DriverClientConfig): DriverClient {
  // Undefined is not the same as missing to pg: it would hide what the environment says.
  const given = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
  const Client = pg.Client as unknown as new (config: object) => DriverClient;
  return new Client(given);
}

/** How a value is sent as a parameter: text, bytes, or null. pg documents what it does, not the function. */
export function prepareValue(value: unknown): string | Uint8Array | null {
  const { utils } = pg as unknown as {
    utils: { prepareValue(value: unknown): string | Uint8Array | null };
  };
  return utils.prepareValue(value);
}

/** `name` as an SQL identifier, with its quotes. */
export function quoteIdentifier(where: string, name: string): string {
  if (typeof name !== "string") throw new ArgumentTypeError(`${where} expects a string, got ${typeof name}`);
  if (name === "" || name.includes("\0"))
    throw new ValueError(`${where} expects a name of one or more characters, none of them NUL`);
  return pg.escapeIdentifier(name);
}
