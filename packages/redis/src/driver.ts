/** What of `redis` is used here: a client that is one connection, and nothing else. */

import { toSeconds } from "corio/pool";
import type { Duration } from "corio";
import type { EventEmitter } from "node:events";
import { isIP } from "node:net";
import { createClient, RESP_TYPES } from "redis";
import type { RedisClientType } from "redis";
import type { Address, Target } from "./options.ts";

/** The driver's client, with the types of its commands. */
export type TypedClient = RedisClientType;

type Listener = (message: string, channel: string) => void;

/** The driver's client, as it is used here. */
export interface DriverClient extends EventEmitter {
  connect(): Promise<unknown>;
  destroy(): void;
  ref(): void;
  unref(): void;
  sendCommand(
    args: readonly (string | Buffer)[],
    options?: { readonly typeMapping?: object },
  ): Promise<unknown>;
  subscribe(channels: string[], listener: Listener): Promise<void>;
  pSubscribe(patterns: string[], listener: Listener): Promise<void>;
  sSubscribe(channels: string[], listener: Listener): Promise<void>;
  multi(): DriverMulti;
}

/** The driver's builder of a MULTI. */
export interface DriverMulti {
  exec(): Promise<unknown[]>;
  addCommand(args: readonly (string | Buffer)[]): unknown;
}

/** To be given to `sendCommand`: bulk strings are bytes. */
export const AS_BYTES: { readonly typeMapping: object } = {
  typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer },
};

/** Calls a command by the name that it has in the driver, such as `hGetAll`. */
export function callCommand(
  client: DriverClient | DriverMulti,
  name: string,
  args: readonly unknown[],
): unknown {
  return (client as unknown as Record<string, (...args: unknown[]) => unknown>)[name]?.(...args);
}

/**
 * Makes a client that is not connected. It does not connect again: what was on its way must fail when the connection is
 * lost, and the next command shall know whom it talks to.
 */
export function makeClient(target: Target, address: Address, connectTimeout: Duration): DriverClient {
  const { tls, username, password, database, clientName } = target;
  const common = {
    reconnectStrategy: false as const,
    connectTimeout: Math.max(1, 1000 * toSeconds(connectTimeout, "connectTimeout")),
  };
  const place = address.path === null ? { host: address.host, port: address.port } : { path: address.path };
  // The certificate is for the name, although the address is what we connect to.
  const name = isIP(target.host) === 0 ? { servername: target.host } : {};
  const socket =
    tls === null
      ? { ...common, ...place, tls: false as const }
      : { ...common, ...place, ...name, ...tls, tls: true as const };
  return createClient({
    socket: socket as object,
    database,
    disableOfflineQueue: true,
    // Without these the client talks to Redis Enterprise, and gives up commands on a clock of its own.
    maintNotifications: "disabled",
    commandOptions: { timeout: 0 },
    ...(clientName !== null && { name: clientName }),
    ...(password !== null && {
      credentialsProvider: {
        type: "async-credentials-provider" as const,
        credentials: async () => ({
          username,
          password: typeof password === "string" ? password : await password(),
        }),
      },
    }),
  });
}

/** The names of the driver's commands, as they are in its client: `get`, `hGetAll`. */
export function commandNames(): string[] {
  const client = createClient({ maintNotifications: "disabled" });
  // It was never connected; but the driver keeps a list of its clients.
  client.destroy();
  const perConfiguration: unknown = Object.getPrototypeOf(Object.getPrototypeOf(client));
  return Object.entries(perConfiguration as Record<string, unknown>)
    .filter(([name, value]) => typeof value === "function" && /^[a-z]/.test(name))
    .map(([name]) => name);
}
