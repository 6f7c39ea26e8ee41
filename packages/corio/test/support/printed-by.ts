/** What is printed to the console's error stream while `body` runs. */
export async function printedBy(body: () => Promise<unknown>): Promise<string[]> {
  const printed: string[] = [];
  const original = console.error;
  console.error = (...parameters: unknown[]) => {
    printed.push(parameters.join(" "));
  };
  try {
    await body();
  } finally {
    console.error = original;
  }
  return printed;
}
