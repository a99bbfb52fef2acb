// What each step shows, made from what was seen so far.

import { isGood } from "./exchange.js";
import { read } from "./token.js";
import { badge, box, copyButton, el, exchange, folded, request, table, token, value } from "./view.js";
import { CLAIMS, ERRORS, JOSE, PARAMETERS } from "./words.js";

/** What is new in a refresh after the first one; the rest has been seen. */
const BRIEF = ["grant_type", "refresh_token", "error", "error_description"];

/** The nodes of every step's output, by its name. `context`: config, metadata, discovery, prepared, state, say. */
export const OUTPUTS = {
  authorize({ metadata, discovery, prepared, state }) {
    const how = el(
      "details",
      {},
      el("summary", {}, "How the app knows where to go (RFC 8414)"),
      el("p", {}, "It was told the issuer, and reads all else from the server’s metadata."),
      exchange(discovery),
    );
    const shown = prepared ?? state.asked;
    if (!metadata || !shown) return [how];
    const asked = { method: "GET", url: metadata.authorization_endpoint, parameters: shown.parameters };
    return [
      el("h3", {}, prepared ? "What the browser will send" : "What the browser has sent"),
      el("div", { class: "exchange" }, request(asked)),
      box("note", "Stays in this tab: ", el("code", {}, "code_verifier"), " ", value(shown.verifier)),
      how,
    ];
  },

  callback({ state }) {
    const callback = state.stray ?? state.callback;
    if (!callback) return [];
    const rows = callback.parameters.map(([name, text]) => [name, value(text), PARAMETERS[name]]);
    return [
      el(
        "div",
        { class: "exchange" },
        el(
          "div",
          { class: "request" },
          el("p", { class: "line" }, el("span", { class: "method" }, "GET"), " ", el("code", {}, callback.url)),
          table("What came back in the query", rows),
        ),
      ),
      list(callback.checks),
      verdict(callback),
    ];
  },

  redeem({ state }) {
    if (!state.redeem) return [];
    return [
      exchange(state.redeem, state.tokens),
      isGood(state.redeem)
        ? box("good", "The app has an access token for the API, and a refresh token for the server.")
        : refused(state.redeem, "Begin again with step 1: a code is good once, and not for long."),
    ];
  },

  token({ state, config, say }) {
    if (!state.access_token) return [];
    const { header, claims } = read(state.access_token);
    const rows = (members, meanings) =>
      Object.entries(members).map(([name, content]) => [name, claim(name, content, config), meanings[name]]);
    return [
      el("div", { class: "whole" }, token(state.access_token), copyButton(state.access_token, "the access token", say)),
      el("h3", { class: "part-header" }, "Header"),
      table("Header of the token", rows(header, JOSE)),
      el("h3", { class: "part-claims" }, "Claims"),
      table("Claims of the token", rows(claims, CLAIMS)),
      el("h3", { class: "part-signature" }, "Signature"),
      el("p", {}, "Over the two parts before it, byte for byte. The next step verifies it."),
    ];
  },

  verify({ state }) {
    const { verified, altered, jwks } = state;
    if (!verified && !altered) return [];
    const shown = [];
    if (jwks) shown.push(el("details", {}, el("summary", {}, "The published keys (RFC 7517)"), exchange(jwks)));
    if (verified) {
      shown.push(
        outcome(verified, "The signature is good. "),
        list(verified.checks),
        verified.key ? folded(`The key that was used: ${verified.key.kid}`, JSON.stringify(verified.key, null, 2)) : null,
      );
    }
    if (altered) {
      shown.push(
        el("h3", {}, "One character changed"),
        el("div", { class: "whole" }, token(altered.token, altered.at)),
        outcome(altered, "The signature is good. "),
      );
    }
    return shown.filter((node) => node !== null);
  },

  api({ state }) {
    const { api } = state;
    if (!api) return [];
    return [exchange(api.seen), box(isGood(api.seen) ? "good" : "bad", api.why)];
  },

  refresh({ state }) {
    const { refresh, tokens = [] } = state;
    if (!refresh) return [];
    if (!isGood(refresh)) return [exchange(refresh, tokens), refused(refresh, "This grant is dead: get a new one in step 9.")];
    const old = refresh.request.parameters.find(([name]) => name === "refresh_token")[1];
    return [
      exchange(refresh, tokens),
      el(
        "dl",
        { class: "pair" },
        el("div", {}, el("dt", {}, "Before"), el("dd", {}, value(old, tokens))),
        el("div", {}, el("dt", {}, "Now"), el("dd", {}, value(refresh.json.refresh_token, tokens))),
      ),
      box("good", "Each refresh gives a new refresh token, and the old one is spent. The access token is new too."),
    ];
  },

  replay({ state, config }) {
    const { opened, inside, outside, newest, tokens = [] } = state;
    const shown = [];
    if (opened) shown.push(folding("A refresh, which opens the window", exchange(opened, tokens, BRIEF)));
    if (inside) {
      const same = tokens.indexOf(inside.json.refresh_token);
      shown.push(
        el("h3", {}, "Inside the window"),
        exchange(inside, tokens, BRIEF),
        box(
          "good",
          "The same refresh token came back: ",
          same < 0 ? "" : badge(same),
          ". A lost answer, or two tabs at once, cost nobody their session.",
        ),
      );
    }
    if (outside) {
      shown.push(
        el("h3", {}, "Too late"),
        exchange(outside, tokens, BRIEF),
        box(
          "bad",
          `After ${config.refresh_retry_window} s, or once its successor was used, an old token is a sign of theft: two ` +
            "have it, and nobody can tell which is the app. So the whole grant is dead.",
        ),
      );
    }
    if (newest) {
      shown.push(
        el("h3", {}, "The newest token"),
        exchange(newest, tokens, BRIEF),
        box("bad", "It was never used, and it is dead too. The thief has nothing, and the person signs in again."),
      );
    }
    return shown;
  },

  revoke({ state }) {
    const { revoke, after, still, tokens = [] } = state;
    const shown = [];
    if (revoke) {
      shown.push(
        exchange(revoke, tokens),
        isGood(revoke)
          ? box("good", "The server has ended the grant. It says 200 even for a token that it never knew (RFC 7009 §2.2).")
          : refused(revoke, ""),
      );
    }
    if (after) {
      shown.push(
        el("h3", {}, "A refresh after that"),
        exchange(after, tokens, BRIEF),
        box("bad", "No more access tokens will come of this grant."),
      );
    }
    if (still) {
      shown.push(el("h3", {}, "The access token after that"), exchange(still, tokens));
      shown.push(
        isGood(still)
          ? box(
              "note",
              "Still 200: the API verifies the signature and the end, and asks nobody. That is the deal: no call to the " +
                "server with each request, and a stolen token works until exp, so exp is near. An API that cannot wait " +
                "asks the server (introspection, RFC 7662), which says active: false from now on.",
            )
          : box("note", "Its end has come by itself. A new grant and a quicker hand show that it works until then."),
      );
    }
    return shown;
  },
};

/** Checks, and whether each is met. */
function list(checks) {
  const check = ({ isMet, text }) =>
    el("li", { class: isMet ? "met" : "unmet" }, el("span", { class: "unseen" }, isMet ? "Passed: " : "Failed: "), text);
  return el("ul", { class: "checks" }, checks.map(check));
}

function folding(summary, node) {
  return el("details", {}, el("summary", {}, summary), node);
}

/** What the answer of the server means for the app. */
function verdict({ isGood, parameters }) {
  const error = parameters.find(([name]) => name === "error")?.[1];
  if (!isGood) return box("bad", "The app uses nothing of this answer: it may be somebody else’s. Begin again with step 1.");
  if (!error) return box("good", "This is the answer to the question of step 1. The code may be used.");
  const text = Object.hasOwn(ERRORS, error) ? ERRORS[error] : "The server refused, and the app asks again when it can do better.";
  return box("bad", el("strong", {}, error), ": ", text);
}

function refused({ json, failure }, advice) {
  return box("bad", failure ?? json?.error_description ?? "The server refused.", " ", advice);
}

function outcome({ outcome, why }, prefix) {
  if (outcome === "good") return box("good", el("strong", {}, prefix), why);
  if (outcome === "unknown") return box("note", why);
  return box("bad", el("strong", {}, "Refused. "), why);
}

/** A claim's value, as people read it too. */
function claim(name, content, { people }) {
  const text = typeof content === "string" ? content : JSON.stringify(content);
  const shown = [el("code", {}, text)];
  if (["iat", "exp", "auth_time"].includes(name)) {
    shown.push(" ", el("span", { class: "aside" }, new Date(content * 1000).toLocaleTimeString()));
  }
  const person = name === "sub" && people.find(({ subject }) => subject === content);
  if (person) shown.push(" ", el("span", { class: "aside" }, person.username));
  return shown;
}
