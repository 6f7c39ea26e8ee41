import { until } from "corio";

/**
 * An async generator waits for corio's objects, and a cancel finds it there. The streams of the host wait for the host:
 * a cancel has to stop waiting for them, and then closes them.
 */
export function cancellable<T>(source: AsyncIterable<T>): AsyncIterable<T> {
  return typeof (source as { pipe?: unknown }).pipe === "function" || source instanceof ReadableStream
    ? untilEach(source)
    : source;
}

async function* untilEach<T>(source: AsyncIterable<T>): AsyncGenerator<T, void> {
  const iterator = source[Symbol.asyncIterator]();
  let isOver = false;
  try {
    for (;;) {
      const result = await until(iterator.next());
      isOver = result.done === true;
      if (result.done === true) return;
      yield result.value;
    }
  } finally {
    // Not awaited: the iterator of a stream answers only when the read that was given up is over.
    if (!isOver) void iterator.return?.().then(undefined, () => undefined);
  }
}
