// The clocks: when the access token ends, and for how long the retry window is open.

import { read } from "./token.js";

const byId = (id) => document.getElementById(id);

/** Shows what is left; `say` tells it once when a time is over. */
export function tick({ state, config, say }) {
  const now = Date.now();
  const timer = byId("token-countdown");
  if (state.access_token) {
    const left = read(state.access_token).claims.exp * 1000 - now;
    sayEnd(say, "token", left <= 0, "The access token has ended.");
    put(timer, left > 0 ? `It ends in ${clock(left)}.` : "It has ended. Refresh to get the next one.");
  } else {
    put(timer, "");
  }
  const window = byId("window-countdown");
  const bar = byId("window-bar");
  if (!config || !state.rotated || state.ended) {
    bar.hidden = true;
    put(window, state.ended === "reuse" ? "The grant is dead." : "");
    return;
  }
  const left = state.rotated + config.refresh_retry_window * 1000 - now;
  sayEnd(say, "window", left <= 0, "The retry window is closed.");
  bar.hidden = left <= 0;
  bar.max = config.refresh_retry_window * 1000;
  bar.value = Math.max(left, 0);
  put(
    window,
    left > 0
      ? `The retry window is open for ${Math.ceil(left / 1000)} s more: the old token still gives the same answer.`
      : "The retry window is closed: the old token is now a sign of theft. “Refresh again” opens a new window.",
  );
}

/** What was said last about an end that comes by itself. */
const ends = { token: true, window: true };

/** Says once that a time is over. */
function sayEnd(say, name, isOver, text) {
  if (isOver && !ends[name]) say(text);
  ends[name] = isOver;
}

function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function clock(milliseconds) {
  const seconds = Math.ceil(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
