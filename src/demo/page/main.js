// The page: what the buttons do, and what is possible when.

import { tick } from "./clocks.js";
import { isGood, send } from "./exchange.js";
import { forget, keep, recall } from "./memory.js";
import { authorization, checks, metadataUrl, redeem, refresh, revoke, withQuery } from "./oauth.js";
import { OUTPUTS } from "./steps.js";
import { alter, expectations, verify } from "./token.js";
import { copyButton, el } from "./view.js";

const byId = (id) => document.getElementById(id);

/** Everything that the steps are made from. */
const context = { config: undefined, metadata: undefined, discovery: undefined, prepared: undefined, state: {}, say };

/** Tells people who do not see the page what has happened. */
function say(text) {
  byId("status").textContent = text;
}

function draw(...steps) {
  for (const step of steps.length > 0 ? steps : Object.keys(OUTPUTS)) {
    byId(`out-${step}`).replaceChildren(...OUTPUTS[step](context));
  }
  allow();
  tick(context);
  keep(context.state);
}

/** What is possible now, and which steps are done. */
function allow() {
  const { metadata, state } = context;
  const { callback, access_token, tokens = [], ended } = state;
  const hasToken = access_token !== undefined;
  const lives = tokens.length > 0 && !ended;
  const may = {
    "authorize": metadata !== undefined,
    "redeem": callback?.isGood === true && callback.code !== undefined && !state.redeem,
    "verify": hasToken,
    "verify-altered": hasToken,
    "api-read": hasToken,
    "api-write": hasToken,
    "api-delete": hasToken,
    "api-no-token": hasToken,
    "api-altered": hasToken,
    "refresh": lives,
    "rotate": lives,
    "replay": lives && tokens.length > 1,
    "newest": ended === "reuse",
    "revoke": lives,
    "refresh-revoked": ended === "revoked",
    "api-revoked": ended === "revoked",
    "fresh": metadata !== undefined && ended !== undefined,
    "again": metadata !== undefined,
    "again-login": metadata !== undefined,
    "again-silent": metadata !== undefined,
  };
  for (const [id, isAllowed] of Object.entries(may)) byId(id).disabled = !isAllowed;
  const done = {
    authorize: callback !== undefined,
    callback: callback?.isGood === true && callback.code !== undefined,
    redeem: isGood(state.redeem),
    token: hasToken,
    verify: state.verified !== undefined,
    api: state.api !== undefined,
    refresh: isGood(state.refresh),
    replay: state.inside !== undefined && state.outside !== undefined,
    revoke: isGood(state.revoke),
  };
  const names = ["authorize", "callback", "redeem", "token", "verify", "api", "refresh", "replay", "revoke", "again"];
  const next = names.find((name) => !done[name]);
  for (const name of names) {
    const now = done[name] ? "done" : name === next ? "now" : "later";
    byId(`step-${name}`).dataset.state = now;
    const link = byId(`to-${name}`);
    link.dataset.state = now;
    link.querySelector(".unseen").textContent = done[name] ? " (done)" : "";
    if (name === next) link.setAttribute("aria-current", "step");
    else link.removeAttribute("aria-current");
  }
}

// Steps 1 and 2: away and back.

function wantedScope() {
  return [...document.querySelectorAll("#scopes input:checked")].map((input) => input.value).join(" ");
}

async function prepare() {
  context.prepared = await authorization(context.config, wantedScope());
  draw("authorize");
}

/** Sends the browser to the server. `resume`: the step to go on with afterwards. */
function leave(asked, resume) {
  keep({ ...context.state, pending: { asked, resume } });
  location.assign(withQuery(context.metadata.authorization_endpoint, asked.parameters));
}

async function leaveAnew(prompt, resume) {
  leave(await authorization(context.config, wantedScope(), prompt), resume);
}

/** Reads the answer out of the address, and takes it away from there: it has no place in the history. */
function takeAnswer() {
  const url = new URL(location.href);
  if (url.search === "") return undefined;
  const address = `${url.origin}${url.pathname}`;
  history.replaceState(null, "", "/");
  return { url: address, parameters: [...url.searchParams] };
}

/** Judges the answer. One that is not ours changes nothing of what this tab has. */
function judge(answer) {
  const { state, metadata } = context;
  const { pending } = state;
  const met = checks(answer.parameters, pending?.asked.state, metadata);
  const isGood = met.every(({ isMet }) => isMet);
  const callback = { ...answer, checks: met, isGood };
  if (!isGood) {
    state.stray = callback;
    return;
  }
  // The question is answered: nothing else will be taken for its answer.
  callback.code = answer.parameters.find(([name]) => name === "code")?.[1];
  context.state = { run: state.run, asked: pending.asked, callback, resume: pending.resume };
}

// Tokens.

/** Sends a request to the token endpoint and takes what comes. */
async function ask(request) {
  const seen = await send(request);
  if (!isGood(seen)) return seen;
  const { state } = context;
  const { access_token, refresh_token } = seen.json;
  state.access_token = access_token;
  state.tokens ??= [];
  if (refresh_token && !state.tokens.includes(refresh_token)) {
    state.tokens.push(refresh_token);
    if (state.tokens.length > 1) state.rotated = Date.now();
  }
  return seen;
}

const newest = () => context.state.tokens.at(-1);
const old = () => context.state.tokens.at(-2);
const refreshWith = (token) => ask(refresh(context.metadata, context.config, token));

/** An answer in a sentence; where none came the page says so at its head. */
function told(seen) {
  byId("trouble").hidden = seen.failure === undefined;
  return seen.failure ?? `The answer is ${seen.status} ${seen.reason}.`;
}

async function doRedeem() {
  const { state, metadata, config } = context;
  delete state.stray;
  state.redeem = await ask(redeem(metadata, config, state.callback.code, state.asked.verifier));
  draw();
  return state.redeem;
}

/** Calls the API. `why`: what each status means here. */
async function call(method, { token = context.state.access_token, json } = {}) {
  const headers = [];
  if (token !== undefined && token !== null) headers.push(["Authorization", `Bearer ${token}`]);
  if (json) headers.push(["Content-Type", "application/json"]);
  return send({ method, url: `${context.config.resource}/notes`, headers, json });
}

function meaning(seen, needed) {
  if (seen.failure) return seen.failure;
  if (isGood(seen)) return `The token is good and has the scope ${needed}. The API asked nobody: it has the keys.`;
  if (seen.status === 403) {
    return `The token is good, but has not the scope ${needed}. Ask for it in step 1 and sign in again.`;
  }
  if (seen.json?.error === "invalid_token") return "The token is refused: it has ended, or is not what was signed.";
  if (seen.status === 401) return "No token, no notes. The answer says where a client can get one.";
  return seen.json?.error_description ?? "The API refuses.";
}

/** What each button does; the text is for people who do not see the page. */
const ACTIONS = {
  async "authorize"() {
    // Each request has a state and a verifier of its own.
    if (context.prepared) leave(context.prepared);
    else await leaveAnew();
    return "The browser goes to the server.";
  },
  async "redeem"() {
    return told(await doRedeem());
  },
  async "verify"() {
    const { state, metadata } = context;
    state.jwks = await send({ method: "GET", url: metadata.jwks_uri });
    const outcome = isGood(state.jwks)
      ? await verify(state.access_token, state.jwks.json.keys)
      : { outcome: "unknown", why: told(state.jwks) };
    const { issuer, resource: audience } = context.config;
    state.verified = { ...outcome, checks: expectations(state.access_token, { issuer, audience, now: Date.now() }) };
    draw("verify");
    return state.verified.why;
  },
  async "verify-altered"() {
    const { state, metadata } = context;
    state.jwks = await send({ method: "GET", url: metadata.jwks_uri });
    const changed = alter(state.access_token);
    const outcome = isGood(state.jwks)
      ? await verify(changed.token, state.jwks.json.keys)
      : { outcome: "unknown", why: told(state.jwks) };
    state.altered = { ...outcome, ...changed };
    draw("verify");
    return state.altered.why;
  },
  "api-read": () => showCall("read", call("GET")),
  "api-write": () => showCall("write", call("POST", { json: { text: byId("note").value } })),
  "api-delete": () => showCall("delete", call("DELETE")),
  "api-no-token": () => showCall("read", call("GET", { token: null })),
  "api-altered": () => showCall("read", call("GET", { token: alter(context.state.access_token).token })),
  async "refresh"() {
    context.state.refresh = await refreshWith(newest());
    draw("token", "refresh", "replay");
    return told(context.state.refresh);
  },
  async "rotate"() {
    const { state } = context;
    Object.assign(state, { opened: await refreshWith(newest()), inside: undefined });
    draw("token", "replay");
    return told(state.opened);
  },
  async "replay"() {
    const { state } = context;
    const seen = await refreshWith(old());
    if (isGood(seen)) {
      state.inside = seen;
    } else if (!seen.failure) {
      Object.assign(state, { outside: seen, ended: "reuse" });
    }
    draw("token", "replay");
    return isGood(seen) ? `${told(seen)} The same refresh token came back.` : `${told(seen)} The grant is dead.`;
  },
  async "newest"() {
    context.state.newest = await refreshWith(newest());
    draw("replay");
    return told(context.state.newest);
  },
  async "revoke"() {
    const { state, metadata, config } = context;
    state.revoke = await send(revoke(metadata, config, newest()));
    if (isGood(state.revoke)) state.ended = "revoked";
    draw("revoke");
    return told(state.revoke);
  },
  async "refresh-revoked"() {
    context.state.after = await refreshWith(newest());
    draw("revoke");
    return told(context.state.after);
  },
  async "api-revoked"() {
    context.state.still = await call("GET");
    draw("revoke");
    return told(context.state.still);
  },
  "fresh": () => leaveAnew(undefined, "revoke"),
  "again": () => leaveAnew(),
  "again-login": () => leaveAnew("login"),
  "again-silent": () => leaveAnew("none"),
  async "reset"() {
    forget();
    location.assign("/");
  },
};

async function showCall(needed, calling) {
  const seen = await calling;
  context.state.api = { seen, why: meaning(seen, needed) };
  draw("api");
  return told(seen);
}

/** One press, one request: a button waits for its answer. */
function wire() {
  for (const [id, act] of Object.entries(ACTIONS)) {
    const button = byId(id);
    button.addEventListener("click", async () => {
      if (button.getAttribute("aria-busy") === "true") return;
      button.setAttribute("aria-busy", "true");
      try {
        const text = await act();
        if (text) say(text);
      } catch (error) {
        say(`This went wrong: ${error.message}.`);
      } finally {
        button.removeAttribute("aria-busy");
        followOn(button);
      }
    });
  }
  byId("note").addEventListener("keydown", ({ key }) => {
    if (key === "Enter") byId("api-write").click();
  });
}

/** A button that can do no more keeps no focus: it goes to what came of it, and the next key press goes on from there. */
function followOn(button) {
  const active = document.activeElement;
  if (!button.disabled || (active !== button && active !== document.body)) return;
  button.closest("section").querySelector(".output").focus({ preventScroll: true });
}

function fillIn({ scopes, people, password, issuer }) {
  const box = ({ scope, description }) => {
    const input = el("input", { type: "checkbox", id: `scope-${scope}`, value: scope });
    input.checked = scope !== "delete";
    input.addEventListener("change", prepare);
    return el("label", { for: `scope-${scope}` }, input, " ", el("code", {}, scope), " ", description);
  };
  byId("scopes").append(...scopes.map(box));
  const names = people.flatMap(({ username }, index) => [index > 0 ? " or " : "", el("code", {}, username)]);
  byId("people").replaceChildren(
    "On the server’s page, sign in as ", ...names, ", password ", el("code", { id: "password" }, password), " ",
    copyButton(password, "the password", say), " It is good until the demo ends.",
  );
  byId("sign-out").href = `${issuer}/logout`;
}

function goTo(step) {
  const heading = byId(`step-${step}`).querySelector("h2");
  heading.focus({ preventScroll: true });
  byId(`step-${step}`).scrollIntoView({ block: "start" });
}

async function start() {
  const answer = takeAnswer();
  context.config = await (await fetch("/config.json", { cache: "no-store" })).json();
  context.state = recall(context.config.run);
  fillIn(context.config);
  wire();
  setInterval(() => tick(context), 250);
  context.discovery = await send({ method: "GET", url: metadataUrl(context.config.issuer) });
  // RFC 8414 §3.3: metadata of another issuer is not used.
  const { json } = context.discovery;
  if (json?.issuer === context.config.issuer) context.metadata = json;
  if (!context.metadata) {
    byId("trouble").hidden = false;
    draw();
    return;
  }
  if (answer) judge(answer);
  if (!context.state.asked) await prepare();
  draw();
  if (!answer) return;
  const { resume } = context.state;
  delete context.state.resume;
  if (resume && !context.state.stray && context.state.callback.code) {
    const seen = await doRedeem();
    goTo(isGood(seen) ? resume : "redeem");
    say("There is a new grant.");
  } else {
    goTo("callback");
    say(context.state.stray ? "This answer was not asked for here." : "The browser is back with an answer.");
  }
}

start().catch(() => {
  byId("trouble").hidden = false;
});
