// Numbers as people read them.

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function count(number: number): string {
  return grouped.format(number);
}

export function seconds(duration: number): string {
  const whole = Math.round(duration);
  if (whole < 100) return `${duration.toFixed(1)} s`;
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(2)} MB`;
}

/** "12 of this, 3 of that", the most frequent first. */
export function counts(numbers: ReadonlyMap<string, number>): string {
  const byNumber = [...numbers].sort(([nameA, a], [nameB, b]) => b - a || nameA.localeCompare(nameB));
  return byNumber.map(([name, number]) => `${count(number)} ${name}`).join(", ");
}
