import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { Program } from "./program.ts";

/** A program in one word, to run it again: it does not depend on how programs are generated. */
export function toToken(program: Program): string {
  return deflateRawSync(JSON.stringify(program), { level: 9 }).toString("base64url");
}

export function fromToken(token: string): Program {
  return JSON.parse(inflateRawSync(Buffer.from(token, "base64url")).toString()) as Program;
}
