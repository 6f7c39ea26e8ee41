import type { Socket } from "node:net";
import type { SocketAddress } from "../protocols.ts";

export function remoteAddress({
  remoteAddress,
  remotePort,
  remoteFamily,
}: Socket): SocketAddress | undefined {
  return toAddress(remoteAddress, remotePort, remoteFamily);
}

export function localAddress({ localAddress, localPort, localFamily }: Socket): SocketAddress | undefined {
  return toAddress(localAddress, localPort, localFamily);
}

function toAddress(address?: string, port?: number, family?: string): SocketAddress | undefined {
  if (address === undefined || port === undefined) return undefined;
  return { address, port, family: toFamily(family, address) };
}

/** Hosts say `IPv6`, or `6`, or nothing. */
export function toFamily(family: string | number | undefined, address: string): "IPv4" | "IPv6" {
  if (family === undefined) return address.includes(":") ? "IPv6" : "IPv4";
  return String(family).endsWith("6") ? "IPv6" : "IPv4";
}

/** `127.0.0.1:80`, `[::1]:80`. */
export function formatAddress({ address, port }: Pick<SocketAddress, "address" | "port">): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
