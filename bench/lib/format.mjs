// Numbers for people: three digits say all that these measurements know.

/** @param {number} value */
const threeDigits = (value) => Number(value.toPrecision(3)).toString();

/** @param {number} nanoseconds an operation */
export function formatRate(nanoseconds) {
  const rate = 1e9 / nanoseconds;
  if (rate >= 1e6) return `${threeDigits(rate / 1e6)}M`;
  if (rate >= 1e3) return `${threeDigits(rate / 1e3)}k`;
  return threeDigits(rate);
}

/** @param {number} nanoseconds */
export function formatCost(nanoseconds) {
  return nanoseconds >= 1000 ? `${threeDigits(nanoseconds / 1000)} µs` : `${threeDigits(nanoseconds)} ns`;
}

/** @param {number} bytes */
export const formatBytes = (bytes) => `${threeDigits(bytes / 1000)} kB`;

/** @param {number} ratio */
export const formatRatio = (ratio) => `${ratio >= 10 ? Math.round(ratio) : Number(ratio.toFixed(2))}×`;

/** @param {number} count */
export const formatCount = (count) => count.toLocaleString("en-US");
