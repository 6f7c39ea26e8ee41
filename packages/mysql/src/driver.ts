/**
 * What of `mysql2` is used here, with types of its own: the published ones lack some of it. Each member that is not in
 * mysql2's documentation says so.
 */

import type { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import mysql from "mysql2";

/** What mysql2 reports. An error that the server sent has a number and an SQLSTATE; a fatal one ends the connection. */
export interface DriverError extends Error {
  readonly code?: string;
  readonly errno?: number;
  readonly sqlState?: string;
  readonly fatal?: boolean;
}

export interface DriverField {
  readonly name: string;
  readonly columnType?: number;
  readonly table?: string;
}

/** The server's OK packet. */
export interface DriverHeader {
  readonly affectedRows: number;
  readonly insertId: number | string;
  readonly info: string;
  readonly serverStatus: number;
  readonly warningStatus: number;
  /** Not documented: what the server's session tracker tells. */
  readonly stateChanges?: {
    readonly systemVariables: Readonly<Record<string, string>>;
    readonly schema: string | null;
  };
}

/** Rows, or the header of a statement without. CALL gives several of both. */
export type DriverRows = unknown[] | DriverHeader;
export type DriverFields = readonly (DriverField | readonly DriverField[] | undefined)[];

export interface DriverQuery {
  readonly sql: string;
  readonly values?: readonly unknown[] | undefined;
  readonly rowsAsArray?: boolean;
}

export type DriverCallback = (error: DriverError | null, rows?: DriverRows, fields?: DriverFields) => void;

/** A query without a callback: it emits `fields`, `result` (a row, or a header), `error` and `end`. */
export type DriverCommand = EventEmitter;

/** Not documented. */
export interface DriverPacket {
  isEOF(): boolean;
  eofStatusFlags(): number;
}

export interface DriverClient extends EventEmitter {
  /** The server's number of the connection, null before it has told it. */
  readonly threadId: number | null;
  /** Not documented: the socket; a `TLSSocket` after the upgrade. */
  readonly stream: Socket | TLSSocket;
  /** Not documented: gets each packet of the server. */
  handlePacket: (packet?: DriverPacket) => void;
  connect(callback: (error: unknown) => void): void;
  query(query: DriverQuery, callback: DriverCallback): void;
  query(query: DriverQuery): DriverCommand;
  execute(query: DriverQuery, callback: DriverCallback): void;
  execute(query: DriverQuery): DriverCommand;
  prepare(
    query: DriverQuery,
    callback: (error: DriverError | null, statement?: { readonly parameters: readonly unknown[] }) => void,
  ): void;
  unprepare(query: DriverQuery): void;
  ping(callback: (error?: DriverError | null) => void): void;
  reset(callback: (error?: DriverError | null) => void): void;
  format(sql: string, values: readonly unknown[]): string;
  pause(): void;
  resume(): void;
  end(): void;
}

export interface DriverConfig {
  readonly host: string;
  readonly port: number;
  readonly socketPath?: string | undefined;
  readonly user: string;
  readonly password?: string | undefined;
  readonly database?: string | undefined;
  readonly ssl?: object | undefined;
  readonly charset: string;
  readonly timezone?: string | undefined;
  readonly dateStrings?: boolean | undefined;
  readonly decimalNumbers?: boolean | undefined;
  readonly bigNumberStrings?: boolean | undefined;
  readonly jsonStrings?: boolean | undefined;
  readonly typeCast?: ((field: never, next: () => unknown) => unknown) | undefined;
  readonly connectAttributes?: Readonly<Record<string, string>> | undefined;
  /** Makes the socket, where it must go to an address of which mysql2 knows nothing. */
  readonly stream?: (() => Socket) | undefined;
}

/** Begins to connect. Throws when the configuration makes no sense. */
export function makeClient(config: DriverConfig): DriverClient {
  return mysql.createConnection({
    ...Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined)),
    // We have a timeout of our own.
    connectTimeout: 0,
    // A server must not ask us for files.
    flags: ["-LOCAL_FILES"],
    // Integers beyond 2 ** 53 as strings: as numbers they would be others.
    supportBigNumbers: true,
    // An object is never a list of assignments: that would be SQL of whoever sent the object.
    stringifyObjects: true,
  }) as unknown as DriverClient;
}

/** `name` as an SQL identifier, with its quotes. */
export function quoteIdentifier(name: string): string {
  return mysql.escapeId(name, true);
}

/** `value` as an SQL literal. */
export function quoteValue(value: string | number | boolean): string {
  return mysql.escape(value);
}

const IN_TRANSACTION = 1;
const NO_BACKSLASH_ESCAPES = 512;

/** Whether a transaction is open, by the flags that the server sends with most of its answers. */
export function isTransactionOpen(status: number): boolean {
  return (status & IN_TRANSACTION) !== 0;
}

/** Whether backslashes are no escapes, by the same flags. */
export function hasPlainBackslashes(status: number): boolean {
  return (status & NO_BACKSLASH_ESCAPES) !== 0;
}

/** Tells `note` the flags at the end of each list of rows. mysql2 drops them; those of headers it keeps. */
export function watchStatus(client: DriverClient, note: (status: number) => void): void {
  const handle = client.handlePacket.bind(client);
  client.handlePacket = (packet) => {
    if (packet?.isEOF() === true) note(packet.eofStatusFlags());
    handle(packet);
  };
}
