import { ValueError } from "../../errors.ts";

/** An option for the host's sockets: there, or not. */
export interface ReusePort {
  readonly reusePort?: true;
}

/** Hosts that do not know the option would ignore it. */
export function reusePortOption(where: string, reusePort: boolean | undefined): ReusePort {
  if (reusePort !== true) return {};
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < 22 || (major === 22 && minor < 12) || (major === 23 && minor < 1))
    throw new ValueError(`${where}: reusePort needs Node 22.12 or newer`);
  return { reusePort };
}
