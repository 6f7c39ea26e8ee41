const encoder = new TextEncoder();
const utf8 = new TextDecoder();

/** The bytes of a piece of a body. */
export function toBytes(chunk: string | Uint8Array): Uint8Array {
  return typeof chunk === "string" ? encoder.encode(chunk) : chunk;
}

/** One array of many. */
export function concatBytes(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) return only;
  const all = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return all;
}

/** Text of bytes, in the charset that a Content-Type names, else UTF-8. */
export function decodeText(
  bytes: Uint8Array,
  contentType: string | null | undefined,
  charset?: string,
): string {
  const named = charset ?? /;\s*charset="?([^\s;"]+)/i.exec(contentType ?? "")?.[1];
  if (named === undefined || /^utf-?8$/i.test(named)) return utf8.decode(bytes);
  let decoder: InstanceType<typeof TextDecoder>;
  try {
    decoder = new TextDecoder(named);
  } catch {
    decoder = utf8;
  }
  return decoder.decode(bytes);
}
