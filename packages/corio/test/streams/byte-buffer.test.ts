import { ByteBuffer } from "../../src/streams/byte-buffer.ts";
import { assert, describe, test } from "../support/harness.ts";
import { bytes, text } from "./support/net.ts";

describe("the buffer of a reader", () => {
  test("gives what was put in, however it is cut", () => {
    // Every way of doing it, against a plain string; the numbers are from a small generator, so always the same.
    let state = 1;
    const random = (limit: number): number => {
      state = (state * 48_271) % 0x7fffffff;
      return state % limit;
    };
    for (let round = 0; round < 200; round++) {
      const buffer = new ByteBuffer();
      let expected = "";
      const taken: [data: Uint8Array, expected: string][] = [];
      for (let step = 0; step < 60; step++) {
        const count = random(12);
        switch (random(5)) {
          case 0:
          case 1: {
            const piece = Array.from({ length: count + 1 }, () => "abc"[random(3)]).join("");
            buffer.append(bytes(piece));
            expected += piece;
            break;
          }
          case 2:
            taken.push([buffer.take(count), expected.slice(0, count)]);
            expected = expected.slice(count);
            break;
          case 3:
            buffer.skip(count);
            expected = expected.slice(count);
            break;
          case 4: {
            const pattern = "abc".slice(0, random(3) + 1);
            assert.equal(buffer.indexOf(bytes(pattern), count), expected.indexOf(pattern, count));
            assert.equal(buffer.hasAt(bytes(pattern), count), expected.startsWith(pattern, count));
            break;
          }
        }
        assert.equal(buffer.length, expected.length);
      }
      taken.push([buffer.take(Infinity), expected]);
      // Only now: nothing that came later may have changed it.
      for (const [data, wanted] of taken) assert.equal(text(data), wanted);
    }
  });
});
