// What of the playground's script needs no page. `given.json`: the key set of a server, and tokens that are good and bad.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { decode, encode } from "./base64url.js";
import { authorization, challenge, checks, metadataUrl, random, redeem, refresh, revoke, withQuery } from "./oauth.js";
import { alter, expectations, read, verify } from "./token.js";
import { CLAIMS, JOSE, PARAMETERS } from "./words.js";

const { keys, good, bad } = JSON.parse(readFileSync("given.json", "utf8"));

const CONFIG = {
  client_id: "app",
  redirect_uri: "http://127.0.0.1:1/signed-in",
  resource: "http://127.0.0.1:1/api",
};
const METADATA = { issuer: "http://127.0.0.1:2", token_endpoint: "t", revocation_endpoint: "r" };

test("base64url has one spelling for every row of bytes", () => {
  for (let length = 0; length < 70; length++) {
    const bytes = crypto.getRandomValues(new Uint8Array(length));
    assert.equal(encode(bytes), Buffer.from(bytes).toString("base64url"));
    assert.deepEqual(decode(encode(bytes)), bytes);
  }
  for (const text of ["A", "AB", "AA==", "A+", "A/", "A A", "AAé", "AAB", "\n"]) assert.throws(() => decode(text), text);
});

test("a token of every algorithm is good under the published keys, and only as it was signed", async () => {
  assert.deepEqual(good.map((token) => read(token).header.alg).sort(), ["ES256", "EdDSA", "RS256"]);
  for (const token of good) {
    assert.equal((await verify(token, keys)).outcome, "good", token);
    const changed = alter(token);
    assert.equal(changed.token.length, token.length);
    assert.deepEqual([...token].flatMap((character, at) => (character === changed.token[at] ? [] : [at])), [changed.at]);
    assert.equal((await verify(changed.token, keys)).outcome, "bad", "one character");
    assert.equal((await verify(token, [])).outcome, "bad", "no such key");
    const relabelled = keys.map((key) => ({ ...key, alg: "ES384" }));
    assert.equal((await verify(token, relabelled)).outcome, "bad", "a key that says it is for another algorithm");
    const others = keys.filter(({ kid }) => kid !== read(token).header.kid);
    const renamed = others.map((key) => ({ ...key, kid: read(token).header.kid }));
    for (const key of renamed) assert.equal((await verify(token, [key])).outcome, "bad", "a key of another algorithm");
  }
  for (const token of [...bad, "", "x", "a.b", "a.b.c.d"]) assert.equal((await verify(token, keys)).outcome, "bad", token);
});

test("what names no algorithm of ours is refused, whatever the name", async () => {
  const [, claims, signature] = good[0].split(".");
  for (const alg of ["none", "HS256", "constructor", "__proto__", undefined, 1]) {
    const header = encode(new TextEncoder().encode(JSON.stringify({ alg, kid: keys[0].kid })));
    assert.equal((await verify(`${header}.${claims}.${signature}`, keys)).outcome, "bad", String(alg));
  }
  const crit = encode(new TextEncoder().encode(JSON.stringify({ ...read(good[0]).header, crit: ["x"] })));
  assert.match((await verify(`${crit}.${claims}.${signature}`, keys)).why, /demands/);
});

test("a browser without the algorithm says that it cannot tell", async () => {
  const refuse = async () => {
    throw new DOMException("no", "NotSupportedError");
  };
  assert.equal((await verify(good[0], keys, { subtle: { importKey: refuse } })).outcome, "unknown");
});

test("beside the signature a verifier compares type, issuer, audience and end", () => {
  const { claims } = read(good[0]);
  const now = claims.iat * 1000;
  const of = (others) => expectations(good[0], { issuer: claims.iss, audience: claims.aud, now, ...others });
  const unmet = (others) => of(others).filter(({ isMet }) => !isMet).map(({ name }) => name);
  assert.deepEqual(unmet({}), []);
  assert.deepEqual(unmet({ issuer: `${claims.iss}/` }), ["iss"]);
  assert.deepEqual(unmet({ audience: "https://elsewhere.example.com" }), ["aud"]);
  assert.deepEqual(unmet({ now: claims.exp * 1000 }), ["exp"]);
});

test("every name that is shown has a meaning", async () => {
  const { header, claims } = read(good[0]);
  for (const name of Object.keys(header)) assert.ok(JOSE[name], name);
  for (const name of [...Object.keys(claims), "auth_time"]) assert.ok(CLAIMS[name], name);
  const { parameters } = await authorization(CONFIG, "read", "login");
  const forms = [redeem(METADATA, CONFIG, "c", "v"), refresh(METADATA, CONFIG, "r"), revoke(METADATA, CONFIG, "r")];
  const names = [...parameters, ...forms.flatMap((form) => form.parameters)].map(([name]) => name);
  for (const name of [...names, "iss", "code", "state", "error", "error_description"]) assert.ok(PARAMETERS[name], name);
});

test("the challenge is that of RFC 7636 appendix B, and every request has its own secrets", async () => {
  const expected = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
  assert.equal(await challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), expected);
  assert.match(random(), /^[A-Za-z0-9_-]{43}$/);
  const [one, two] = [await authorization(CONFIG, "read write"), await authorization(CONFIG, "")];
  const of = ({ parameters }) => Object.fromEntries(parameters);
  assert.notEqual(one.verifier, two.verifier);
  assert.notEqual(one.state, two.state);
  assert.equal(of(one).code_challenge, await challenge(one.verifier));
  assert.equal(of(one).scope, "read write");
  assert.ok(!("scope" in of(two)) && !("prompt" in of(two)), "an empty parameter is left out");
  assert.ok(!withQuery("http://127.0.0.1:2/authorize", one.parameters).includes(one.verifier), "the verifier stays");
});

test("the metadata of an issuer with a path is before it", () => {
  const place = "https://example.com/.well-known/oauth-authorization-server";
  assert.equal(metadataUrl("https://example.com"), place);
  assert.equal(metadataUrl("https://example.com/issuer1"), `${place}/issuer1`);
});

test("an answer counts only with the state that was sent and from the server that was asked", () => {
  const sound = [["code", "c"], ["state", "s"], ["iss", METADATA.issuer]];
  const unmet = (parameters, state = "s") =>
    checks(parameters, state, METADATA).filter(({ isMet }) => !isMet).map(({ name }) => name);
  assert.deepEqual(unmet(sound), []);
  assert.deepEqual(unmet(sound, "t"), ["state"]);
  assert.deepEqual(checks(sound, undefined, METADATA)[1].isMet, false);
  assert.deepEqual(checks([["iss", METADATA.issuer]], undefined, METADATA)[1].isMet, false, "nothing equals nothing");
  assert.deepEqual(unmet(sound.slice(0, 2)), ["iss"]);
  assert.deepEqual(unmet([...sound.slice(0, 2), ["iss", `${METADATA.issuer}/`]]), ["iss"]);
  assert.deepEqual(unmet([...sound, ["code", "d"]]), ["once"]);
  assert.deepEqual(unmet([["state", "s"], ...sound]), ["once"]);
});
