// A signed token: read, changed, verified. Nothing here trusts a token because it can be read.

import { decode } from "./base64url.js";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** How WebCrypto names what the algorithms of JOSE are (RFC 7518 §3.1, RFC 8037 §3.1). */
const ALGORITHMS = {
  ES256: { import: { name: "ECDSA", namedCurve: "P-256" }, verify: { name: "ECDSA", hash: "SHA-256" }, kty: "EC" },
  RS256: { import: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, verify: { name: "RSASSA-PKCS1-v1_5" }, kty: "RSA" },
  EdDSA: { import: { name: "Ed25519" }, verify: { name: "Ed25519" }, kty: "OKP" },
  Ed25519: { import: { name: "Ed25519" }, verify: { name: "Ed25519" }, kty: "OKP" },
};

/** The members that WebCrypto needs of a public key (RFC 7518 §6.2.1 and §6.3.1, RFC 8037 §2). */
const MEMBERS = { EC: ["kty", "crv", "x", "y"], RSA: ["kty", "n", "e"], OKP: ["kty", "crv", "x"] };

function json(part) {
  const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(decode(part)));
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Error("it is no JSON object");
  return value;
}

/** The three parts of a token, and what the first two say. Throws where it is no token. */
export function read(token) {
  const parts = token.split(".");
  if (parts.length !== 3) throw new Error("a signed token has three parts");
  return { parts, header: json(parts[0]), claims: json(parts[1]) };
}

/**
 * What a verifier compares beside the signature (RFC 9068 §4). `now` in milliseconds since 1970. Throws where it is no
 * token.
 */
export function expectations(token, { issuer, audience, now }) {
  const { header, claims } = read(token);
  return [
    { name: "typ", isMet: header.typ === "at+jwt", text: "typ is at+jwt: an access token, and nothing else." },
    { name: "iss", isMet: claims.iss === issuer, text: "iss is the server that this app trusts." },
    { name: "aud", isMet: [claims.aud].flat().includes(audience), text: "aud is the API that is to be called." },
    { name: "exp", isMet: claims.exp * 1000 > now, text: "exp lies ahead." },
  ];
}

/** The same token with one character of its claims changed, and where that is. */
export function alter(token) {
  const [header, claims] = token.split(".");
  const at = header.length + 1 + Math.floor(claims.length / 2);
  const next = ALPHABET[(ALPHABET.indexOf(token[at]) + 1) % ALPHABET.length];
  return { token: token.slice(0, at) + next + token.slice(at + 1), at };
}

/**
 * Whether a key of the set has signed the token (RFC 7515 §5.2). The outcome is `good`, `bad` or `unknown`, which means
 * that this browser cannot tell; `why` is a sentence.
 */
export async function verify(token, keys, crypto = globalThis.crypto) {
  const parts = token.split(".");
  if (parts.length !== 3) return { outcome: "bad", why: "A signed token has three parts." };
  let header;
  let signature;
  try {
    header = json(parts[0]);
    signature = decode(parts[2]);
  } catch (error) {
    return { outcome: "bad", why: `The token cannot be read: ${error.message}.` };
  }
  // The header only chooses among what we allow (RFC 8725 §3.1): `none` and shared secrets are not in the table.
  const algorithm = Object.hasOwn(ALGORITHMS, header.alg) ? ALGORITHMS[header.alg] : undefined;
  if (!algorithm) return { outcome: "bad", why: "This page takes ES256, RS256 and EdDSA, and no other algorithm." };
  if (header.crit !== undefined) return { outcome: "bad", why: "The header demands what this page does not know." };
  const key = keys.find((key) => key.kid === header.kid);
  if (!key) return { outcome: "bad", why: "No published key has the kid of the token's header." };
  if (key.kty !== algorithm.kty || (key.alg !== undefined && key.alg !== header.alg)) {
    return { outcome: "bad", why: "The key is for another algorithm than the header says." };
  }
  const members = Object.fromEntries(MEMBERS[key.kty].map((name) => [name, key[name]]));
  let imported;
  try {
    imported = await crypto.subtle.importKey("jwk", members, algorithm.import, false, ["verify"]);
  } catch (error) {
    if (error.name === "NotSupportedError") {
      return { outcome: "unknown", why: `This browser's WebCrypto has no ${header.alg}. Try a newer one.`, key };
    }
    return { outcome: "bad", why: "The published key cannot be used.", key };
  }
  const signed = new TextEncoder().encode(`${parts[0]}.${parts[1]}`);
  const isGood = await crypto.subtle.verify(algorithm.verify, imported, signature, signed);
  return isGood
    ? { outcome: "good", why: "The published key made this signature over exactly these bytes.", key }
    : { outcome: "bad", why: "The signature does not belong to these bytes.", key };
}
