import { Unsent } from "../../src/streams/node/unsent.ts";
import { assert, describe, test } from "../support/harness.ts";
import { bytes, text } from "./support/net.ts";

/** What is given to the host, as text, and whether it lies in the memory of `whole`. */
function given(unsent: Unsent, whole: Uint8Array): [text: string, isPart: boolean][] {
  return (unsent.pieces() ?? []).map((piece) => [text(piece), piece.buffer === whole.buffer]);
}

/** Parts of `whole`, written one after another. */
function write(...pieces: [Uint8Array, ...Uint8Array[]]): Unsent {
  const [first, ...others] = pieces;
  const unsent = new Unsent(first);
  for (const piece of others) unsent.add(piece);
  return unsent;
}

describe("what one iteration has written", () => {
  const whole = bytes("0123456789");
  const part = (begin: number, end: number): Uint8Array => whole.subarray(begin, end);

  test("is one piece, without a copy, where it lies side by side", () => {
    const unsent = write(part(2, 4), part(4, 5), part(5, 9));
    assert.equal(unsent.size, 7);
    assert.deepEqual(given(unsent, whole), [["2345678", true]]);
  });

  test("stays as it was written where it does not", () => {
    const unsent = write(part(0, 2), part(2, 4), part(3, 5), part(6, 7), part(0, 1), part(1, 3));
    assert.equal(unsent.size, 10);
    assert.deepEqual(given(unsent, whole), [
      ["0123", true],
      ["34", true],
      ["6", true],
      ["012", true],
    ]);
  });

  test("is not joined with other memory, however the places fit", () => {
    const other = bytes("abcdefghij");
    const unsent = write(part(0, 3), other.subarray(3, 5), part(5, 7), other.subarray(7));
    assert.deepEqual(given(unsent, whole), [
      ["012", true],
      ["de", false],
      ["56", true],
      ["hij", false],
    ]);
  });

  test("is the piece itself when there is only one", () => {
    assert.equal(write(whole).pieces()?.[0], whole);
  });

  test("is nothing any more when some of its memory was taken away", () => {
    const lose = (array: Uint8Array): void => {
      structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] });
    };
    const one = bytes("0123456789");
    const single = write(one);
    lose(one);
    assert.equal(single.pieces(), null);

    const two = bytes("0123456789");
    const run = write(two.subarray(0, 5), two.subarray(5));
    lose(two);
    assert.equal(run.pieces(), null);
    run.add(whole);
    assert.equal(run.pieces(), null);

    const three = bytes("0123456789");
    const first = write(three.subarray(0, 5), whole, part(0, 1));
    lose(three);
    assert.equal(first.pieces(), null);
  });
});
