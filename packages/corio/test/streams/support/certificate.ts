/** Certificates for TLS, made when they are needed: no key is kept in the repository. */
import { generateKeyPairSync, randomBytes, sign, X509Certificate } from "node:crypto";

export interface Certificate {
  /** PEM: the private key. */
  readonly key: string;
  /** PEM: the certificate; one that is signed with its own key is also the authority that a client has to trust. */
  readonly cert: string;
}

const HOUR = 60 * 60 * 1000;

/** A self-signed certificate for the names, and for the loopback addresses. */
export function makeCertificate(...names: readonly string[]): Certificate {
  return issueCertificate(names);
}

/** A certificate for the names, and for the loopback addresses, of an authority; without one it is self-signed. */
export function issueCertificate(
  names: readonly string[],
  { authority, notAfter = Date.now() + 24 * HOUR }: { authority?: Certificate; notAfter?: number } = {},
): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const name = nameOf(names[0] ?? "corio test");
  const issuer = authority === undefined ? name : nameOf(commonName(authority));
  const body = sequence(
    element(0xa0, integer(2)),
    integer(...randomBytes(8).map((byte, index) => (index === 0 ? (byte & 0x3f) | 0x40 : byte))),
    sequence(objectId(ECDSA_WITH_SHA256)),
    issuer,
    sequence(time(Math.min(Date.now(), notAfter) - HOUR), time(notAfter)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    element(
      0xa3,
      sequence(
        extension(
          BASIC_CONSTRAINTS,
          sequence(...(authority === undefined ? [element(0x01, bytes(0xff))] : [])),
        ),
        extension(
          SUBJECT_ALTERNATIVE_NAME,
          sequence(
            ...names.map((text) => element(0x82, Buffer.from(text))),
            element(0x87, bytes(127, 0, 0, 1)),
            element(0x87, bytes(...Array<number>(15).fill(0), 1)),
          ),
        ),
      ),
    ),
  );
  const signature = sign("sha256", body, authority?.key ?? privateKey);
  const certificate = sequence(
    body,
    sequence(objectId(ECDSA_WITH_SHA256)),
    element(0x03, bytes(0), signature),
  );
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${certificate.toString("base64").replace(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`,
  };
}

function nameOf(text: string): Buffer {
  return sequence(set(sequence(objectId(COMMON_NAME), utf8(text))));
}

function commonName({ cert }: Certificate): string {
  return /CN=(.*)/.exec(new X509Certificate(cert).subject)?.[1] ?? "";
}

// The little of ASN.1's DER that a certificate is made of. Object identifiers are given as they are encoded.
const COMMON_NAME = [0x55, 0x04, 0x03];
const BASIC_CONSTRAINTS = [0x55, 0x1d, 0x13];
const SUBJECT_ALTERNATIVE_NAME = [0x55, 0x1d, 0x11];
const ECDSA_WITH_SHA256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const length = content.length;
  const header =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([bytes(tag, ...header), content]);
}

const bytes = (...values: readonly number[]): Buffer => Buffer.from(values);
const sequence = (...parts: readonly Uint8Array[]): Buffer => element(0x30, ...parts);
const set = (...parts: readonly Uint8Array[]): Buffer => element(0x31, ...parts);
const integer = (...values: readonly number[]): Buffer => element(0x02, bytes(...values));
const objectId = (encoded: readonly number[]): Buffer => element(0x06, bytes(...encoded));
const utf8 = (text: string): Buffer => element(0x0c, Buffer.from(text));
const extension = (id: readonly number[], value: Uint8Array): Buffer =>
  sequence(objectId(id), element(0x04, value));

/** UTCTime: two digits for the year. */
function time(milliseconds: number): Buffer {
  const text = new Date(milliseconds).toISOString().replaceAll(/\D/g, "").slice(2, 14);
  return element(0x17, Buffer.from(`${text}Z`));
}
