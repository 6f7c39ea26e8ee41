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
      // Short pieces are put together; long ones stay as they are.
      const scale = round % 2 === 0 ? 1 : 700;
      const buffer = new ByteBuffer();
      let expected = "";
      const taken: [data: Uint8Array, expected: string][] = [];
      for (let step = 0; step < 60; step++) {
        const count = random(12 * scale);
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
            // A long one, that there is, begins in one piece and ends in another.
            const place = random(expected.length + 1);
            const pattern =
              random(2) === 0 ? "abc".slice(0, random(3) + 1) : `${expected.slice(place, place + 7)}c`;
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

  test("copies nothing of large pieces but what lies in two of them, and small parts", () => {
    const buffer = new ByteBuffer();
    const pieces = [new Uint8Array(64 * 1024), new Uint8Array(64 * 1024)] as const;
    for (const piece of pieces) buffer.append(piece);
    assert.equal(buffer.take(60 * 1024).buffer, pieces[0].buffer);
    assert.notEqual(buffer.take(8 * 1024).buffer, pieces[0].buffer);
    assert.equal(buffer.take(1024).buffer, pieces[1].buffer);
    // It may be kept for a long time, and would keep 64 KiB.
    assert.equal(buffer.take(100).buffer.byteLength, 100);
    assert.equal(buffer.length, 59 * 1024 - 100);
  });
});
