// Elements: a request and its answer, a token in its colours, tables of names with what they mean.
//
// Everything is made of text nodes. No text ever becomes markup.

import { HEADERS, MEMBERS, PARAMETERS } from "./words.js";

/** An element with attributes and children. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== false && value !== undefined) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const LONGEST = 72;

/** What stands in the middle of a long value is left out; all of it is in the text as sent. */
function shortened(text) {
  return text.length <= LONGEST ? text : `${text.slice(0, 40)} … ${text.slice(-12)}`;
}

/** A value, with a badge where it is one of the refresh tokens, so that the eye knows it again. */
export function value(text, tokens = []) {
  const at = tokens.indexOf(text);
  const shown = el("code", { title: text.length > LONGEST ? `${text.length} characters` : undefined }, shortened(text));
  return at < 0 ? shown : [badge(at), " ", shown];
}

/** The name of the refresh token at `at`. */
export function badge(at) {
  return el("span", { class: `badge badge-${at % 4}` }, `refresh token ${at + 1}`);
}

/** Rows of a name, a value and its meaning. `rows`: name, one or more nodes, meaning. */
export function table(caption, rows) {
  const row = ([name, shown, meaning]) =>
    el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, shown), el("td", { class: "meaning" }, meaning ?? ""));
  return el("table", { "aria-label": caption }, el("tbody", {}, rows.map(row)));
}

/** Something to open for those who want it as it was. */
export function folded(summary, text) {
  return el("details", {}, el("summary", {}, summary), el("pre", {}, text));
}

/**
 * What was asked, with every parameter explained. `only`: the names that matter here, where the rest has been seen; all
 * of it stands in the text as sent.
 */
export function request({ method, url, headers = [], parameters = [], json, body }, tokens, only) {
  const rows = [
    ...headers.map(([name, text]) => [name, value(text, tokens), HEADERS[name.toLowerCase()]]),
    ...parameters.map(([name, text]) => [name, value(text, tokens), PARAMETERS[name]]),
    ...Object.entries(json ?? {}).map(([name, text]) => [name, value(String(text)), "In the JSON of the body."]),
  ].filter(([name]) => !only || only.includes(name.toLowerCase()));
  const inQuery = method === "GET" && parameters.length > 0;
  const full = inQuery ? `${url}?${new URLSearchParams(parameters)}` : url;
  const raw = [`${method} ${full}`, ...headers.map(([name, text]) => `${name}: ${text}`)].join("\n");
  return el(
    "div",
    { class: "request" },
    el("p", { class: "line" }, el("span", { class: "method" }, method), " ", el("code", {}, url)),
    rows.length > 0 && table("What was sent", rows),
    folded("As sent", body === undefined ? raw : `${raw}\n\n${body}`),
  );
}

/** A request and its answer; `only` as with the request. */
export function exchange(seen, tokens = [], only = undefined) {
  if (!seen) return null;
  return el("div", { class: "exchange" }, request(seen.request, tokens, only), answer(seen, tokens, only));
}

function answer(seen, tokens, only) {
  if (seen.failure) {
    return el("div", { class: "answer bad" }, el("p", { class: "line" }, el("span", { class: "status" }, seen.failure)));
  }
  const isGood = seen.status < 400;
  const members = seen.json && !Array.isArray(seen.json) ? Object.entries(seen.json) : [];
  const isSmall = members.length > 0 && members.length <= 8;
  const text = (member) => (typeof member === "string" ? member : JSON.stringify(member));
  const rows = [
    ...seen.headers
      .filter(([name]) => name !== "content-type")
      .map(([name, content]) => [name, el("code", {}, content), HEADERS[name]]),
    ...(isSmall ? members.map(([name, member]) => [name, value(text(member), tokens), MEMBERS[name]]) : []),
  ].filter(([name]) => !only || only.includes(name));
  const raw = [
    `${seen.status} ${seen.reason}`,
    ...seen.headers.map(([name, content]) => `${name}: ${content}`),
    "",
    seen.json === undefined ? seen.text : JSON.stringify(seen.json, null, 2),
  ];
  return el(
    "div",
    { class: `answer ${isGood ? "good" : "bad"}` },
    el(
      "p",
      { class: "line" },
      el("span", { class: "status" }, `${seen.status} ${seen.reason}`),
      el("span", { class: "took" }, `${seen.took} ms`),
    ),
    rows.length > 0 && table("What came back", rows),
    folded("As it came", raw.join("\n").trim()),
  );
}

/** A token in its three colours; `altered`: where a character was changed. */
export function token(text, altered) {
  const parts = text.split(".");
  const shown = el("code", { class: "token" });
  let start = 0;
  parts.forEach((part, index) => {
    const span = el("span", { class: ["part-header", "part-claims", "part-signature"][index] ?? "" });
    const at = altered === undefined ? -1 : altered - start;
    if (at >= 0 && at < part.length) {
      span.append(part.slice(0, at), el("mark", {}, part[at]), part.slice(at + 1));
    } else {
      span.append(part);
    }
    if (index > 0) shown.append(".");
    shown.append(span);
    start += part.length + 1;
  });
  return shown;
}

/** A sentence in a box: `good`, `bad` or `note`. */
export function box(kind, ...children) {
  return el("p", { class: `box ${kind}` }, ...children);
}

/** Copies a text when it is pressed, and says so. */
export function copyButton(text, label, say) {
  const button = el("button", { type: "button", class: "quiet", "aria-label": `Copy ${label}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      say(`Copied: ${label}.`);
      setTimeout(() => (button.textContent = "Copy"), 2000);
    } catch {
      say("The browser does not let this page copy. Mark the text instead.");
    }
  });
  return button;
}
