import { lookup, lookupService } from "node:dns";
import { isIP } from "node:net";
import { badArgument, ValueError } from "../../errors.ts";
import type { Steps } from "../../futures/awaitable.ts";
import type { Coroutine } from "../../futures/coroutine.ts";
import type { EventLoop } from "../../futures/event-loop.ts";
import { call } from "../../library/call.ts";
import type { SocketAddress } from "../protocols.ts";
import { HostWait } from "../host-wait.ts";

/** Which addresses are wanted: 4 for IPv4, 6 for IPv6, 0, the default, for both. */
export type AddressFamily = 0 | 4 | 6;

/** A port: a number, or its digits. */
export type Port = number | string;

/** Options of `getaddrinfo`. */
export interface GetaddrinfoOptions {
  /** Which addresses are wanted. */
  readonly family?: AddressFamily | undefined;
}

/**
 * The addresses of a host, in the system's order. An address stands for itself, and null for this machine.
 *
 * Cancel safety: the wait ends at once; the look-up goes on in the host, and its outcome is nobody's.
 *
 * Throws what `node:dns` throws (`ENOTFOUND`), `ValueError` for a bad port. Names of services, as `http`, are not
 * known here.
 *
 * asyncio: `loop.getaddrinfo`. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { run } from "corio";
 * import { getaddrinfo } from "corio/streams";
 *
 * console.log(await run(getaddrinfo("127.0.0.1", 80)));
 * ```
 * ```text output
 * [ { address: '127.0.0.1', port: 80, family: 'IPv4' } ]
 * ```
 */
export function getaddrinfo(
  host: string | null,
  port: Port,
  options: GetaddrinfoOptions = {},
): Coroutine<readonly SocketAddress[]> {
  const family = toAddressFamily("getaddrinfo", options.family);
  const number = toPort("getaddrinfo", port);
  requireHost("getaddrinfo", host);
  return call("getaddrinfo", (task) => resolve(task.loop, host ?? "localhost", number, family));
}

/**
 * The name of a host and of a service, of their numbers: the other way round than `getaddrinfo`.
 *
 * Cancel safety: as `getaddrinfo`.
 *
 * asyncio: `loop.getnameinfo`. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { run } from "corio";
 * import { getnameinfo } from "corio/streams";
 *
 * const { service } = await run(getnameinfo({ address: "127.0.0.1", port: 22 }));
 * console.log(typeof service);
 * ```
 * ```text output
 * string
 * ```
 */
export function getnameinfo(
  address: Pick<SocketAddress, "address" | "port">,
): Coroutine<{ readonly hostname: string; readonly service: string }> {
  if (typeof address !== "object" || isIP(address.address) === 0)
    throw badArgument("getnameinfo", "an IP address and a port", address);
  const port = toPort("getnameinfo", address.port);
  return call("getnameinfo", function* (task) {
    return yield* new NameLookup(task.loop, address.address, port);
  });
}

/** The addresses of `host`, which may be one. */
export function* resolve(
  loop: EventLoop,
  host: string,
  port: number,
  family: AddressFamily,
): Steps<readonly SocketAddress[]> {
  const kind = isIP(host);
  if (kind !== 0) {
    if (family !== 0 && family !== kind) {
      throw new ValueError(`${host} is an IPv${kind} address, and only IPv${family} was asked for`);
    }
    return [{ address: host, port, family: kind === 6 ? "IPv6" : "IPv4" }];
  }
  return yield* new AddressLookup(loop, host, port, family);
}

class AddressLookup extends HostWait<readonly SocketAddress[]> {
  readonly #host: string;

  constructor(loop: EventLoop, host: string, port: number, family: AddressFamily) {
    super(loop);
    this.#host = host;
    lookup(host, { all: true, family }, (error, found) => {
      if (error !== null) this.fail(error);
      else
        this.succeed(
          found.map(({ address, family: kind }) => ({ address, port, family: kind === 6 ? "IPv6" : "IPv4" })),
        );
    });
  }

  override describeWait(): string {
    return `the addresses of ${this.#host}`;
  }
}

class NameLookup extends HostWait<{ readonly hostname: string; readonly service: string }> {
  readonly #address: string;

  constructor(loop: EventLoop, address: string, port: number) {
    super(loop);
    this.#address = address;
    lookupService(address, port, (error, hostname, service) => {
      if (error !== null) this.fail(error);
      else this.succeed({ hostname, service });
    });
  }

  override describeWait(): string {
    return `the name of ${this.#address}`;
  }
}

/** Takes the families in turn, beginning with `first` addresses of the family that is the first (RFC 8305, section 4). */
export function interleave(addresses: readonly SocketAddress[], first: number): SocketAddress[] {
  const families = new Map<string, SocketAddress[]>();
  for (const address of addresses) {
    const members = families.get(address.family);
    if (members === undefined) families.set(address.family, [address]);
    else members.push(address);
  }
  const lists = [...families.values()];
  const ordered = lists[0]?.splice(0, Math.max(0, first - 1)) ?? [];
  for (let index = 0; lists.some((list) => index < list.length); index++) {
    for (const list of lists) {
      const address = list[index];
      if (address !== undefined) ordered.push(address);
    }
  }
  return ordered;
}

export function requireHost(where: string, host: unknown): void {
  if (host !== null && typeof host !== "string") throw badArgument(where, "a host's name or address", host);
}

export function toPort(where: string, port: unknown): number {
  const number = typeof port === "string" && /^\d+$/.test(port) ? Number(port) : port;
  if (typeof number === "string")
    throw new ValueError(
      `${where} expects a port's number, got ${JSON.stringify(port)}; services are not looked up`,
    );
  if (typeof number !== "number" || !Number.isInteger(number)) throw badArgument(where, "a port", port);
  if (number < 0 || number > 65_535)
    throw new ValueError(`${where} expects a port from 0 to 65535, got ${number}`);
  return number;
}

export function toAddressFamily(where: string, family: unknown): AddressFamily {
  if (family === undefined || family === 0) return 0;
  if (family !== 4 && family !== 6) throw badArgument(where, "4, 6 or 0 as the family", family);
  return family;
}
