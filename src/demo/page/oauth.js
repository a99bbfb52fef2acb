// What an ordinary public client does: requests and checks, and nothing that is special to this server.

import { encode } from "./base64url.js";

/** Random text: 256 bits, as RFC 7636 §4.1 recommends for a code_verifier. */
export function random() {
  return encode(crypto.getRandomValues(new Uint8Array(32)));
}

/** The code_challenge of a code_verifier (RFC 7636 §4.2, S256). */
export async function challenge(verifier) {
  return encode(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
}

/** Where the metadata of an issuer is (RFC 8414 §3.1: the well-known name stands between host and path). */
export function metadataUrl(issuer) {
  const url = new URL(issuer);
  return `${url.origin}/.well-known/oauth-authorization-server${url.pathname.replace(/\/$/, "")}`;
}

/** An authorization request (RFC 6749 §4.1.1), with the state and the verifier to remember until its answer. */
export async function authorization(config, scope, prompt) {
  const [state, verifier] = [random(), random()];
  const parameters = [
    ["response_type", "code"],
    ["client_id", config.client_id],
    ["redirect_uri", config.redirect_uri],
    ["scope", scope],
    ["resource", config.resource],
    ["state", state],
    ["code_challenge", await challenge(verifier)],
    ["code_challenge_method", "S256"],
    ["prompt", prompt ?? ""],
  ].filter(([, value]) => value !== "");
  return { parameters, state, verifier };
}

/** An address with parameters in its query. */
export function withQuery(address, parameters) {
  const url = new URL(address);
  for (const [name, value] of parameters) url.searchParams.append(name, value);
  return url.href;
}

/**
 * What is checked of the answer that the browser brings back, before anything in it is used. `state` is the one that was
 * sent, and undefined where nothing was.
 */
export function checks(parameters, state, metadata) {
  const of = (name) => parameters.filter(([own]) => own === name).map(([, value]) => value);
  const once = ["code", "state", "iss", "error"].every((name) => of(name).length <= 1);
  const isOwn = state !== undefined && of("state")[0] === state;
  return [
    { name: "once", isMet: once, text: "No parameter comes twice (RFC 6749 §3.1)." },
    { name: "state", isMet: isOwn, text: "state is the one that this tab sent (RFC 6749 §10.12)." },
    { name: "iss", isMet: of("iss")[0] === metadata.issuer, text: "iss is the server that was asked (RFC 9207 §2.4)." },
  ];
}

const FORM = ["Content-Type", "application/x-www-form-urlencoded"];

function form(url, parameters) {
  return { method: "POST", url, headers: [FORM], parameters };
}

/** The code becomes tokens (RFC 6749 §4.1.3, RFC 7636 §4.5). */
export function redeem(metadata, config, code, verifier) {
  return form(metadata.token_endpoint, [
    ["grant_type", "authorization_code"],
    ["client_id", config.client_id],
    ["code", code],
    ["redirect_uri", config.redirect_uri],
    ["code_verifier", verifier],
  ]);
}

/** A refresh token becomes new ones (RFC 6749 §6). */
export function refresh(metadata, config, token) {
  return form(metadata.token_endpoint, [
    ["grant_type", "refresh_token"],
    ["client_id", config.client_id],
    ["refresh_token", token],
  ]);
}

/** A token is given back (RFC 7009 §2.1). */
export function revoke(metadata, config, token) {
  return form(metadata.revocation_endpoint, [
    ["token", token],
    ["token_type_hint", "refresh_token"],
    ["client_id", config.client_id],
  ]);
}
