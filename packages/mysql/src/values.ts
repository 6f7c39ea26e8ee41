import { ArgumentTypeError, ValueError } from "corio";

/** What mysql2 is given for the values of `?`; throws when one cannot be sent. */
export function toValues(where: string, values: readonly unknown[], isPrepared: boolean): unknown[] {
  if (!Array.isArray(values)) {
    throw new ArgumentTypeError(
      `${where} expects the values of ? as an array, got ${typeof values}; write [value]`,
    );
  }
  return values.map((value, index) => toValue(where, value, index, isPrepared));
}

function toValue(where: string, value: unknown, index: number, isPrepared: boolean): unknown {
  const refuse = (got: string, hint: string): never => {
    throw new ValueError(`${where} cannot send ${got} as value ${index + 1}; ${hint}`);
  };
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      if (!Number.isFinite(value)) refuse(String(value), "SQL has no such number");
      return value;
    case "bigint":
      // As text: in binary it would have to fit into a double.
      return isPrepared ? String(value) : value;
    case "object":
      break;
    default:
      refuse(`a value of type ${typeof value}`, "write null for NULL");
  }
  if (value === null) return value;
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) refuse("an invalid Date", "look where it comes from");
    return value;
  }
  if (Buffer.isBuffer(value)) return value;
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  // In a text a list stands for its items: WHERE id IN (?), VALUES ?.
  if (Array.isArray(value) && !isPrepared) {
    if (value.length === 0) refuse("an empty array", "SQL has no empty list: leave the condition out");
    return value.map((item) => toValue(where, item, index, isPrepared));
  }
  return JSON.stringify(value);
}
