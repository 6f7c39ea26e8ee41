/** The key under which Node, Bun and Deno look for how an object wants to be shown. */
const inspectSymbol = Symbol.for("nodejs.util.inspect.custom");

/** Makes the host show the instances of a class as `describe` says. */
export function showAs<Instance>(
  prototypeOwner: { readonly prototype: Instance },
  describe: (instance: Instance) => string,
): void {
  Object.defineProperty(prototypeOwner.prototype, inspectSymbol, {
    value(this: Instance) {
      return describe(this);
    },
    configurable: true,
  });
}
