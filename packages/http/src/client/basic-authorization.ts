import { ValueError } from "corio";

/** The header for the name and the password in an address. Throws `ValueError` when they are not properly escaped. */
export function basicAuthorization({ username, password }: URL): string {
  let pair: string;
  try {
    pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  } catch (error) {
    throw new ValueError("the name or the password in an address has a broken escape sequence", {
      cause: error,
    });
  }
  return `Basic ${Buffer.from(pair).toString("base64")}`;
}
