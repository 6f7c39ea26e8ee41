/** One array of many; `size` is their length, where the caller knows it. */
export function concatenate(pieces: readonly Uint8Array[], size: number = lengthOf(pieces)): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function lengthOf(pieces: readonly Uint8Array[]): number {
  let size = 0;
  for (const piece of pieces) size += piece.length;
  return size;
}
