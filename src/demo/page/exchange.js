// One request and its answer, kept as they happened.

/** The headers of an answer that say something here, where the browser lets a page read them. */
const TOLD = ["www-authenticate", "retry-after", "content-type", "cache-control"];

/** The body as it goes over the wire. */
function body({ parameters, json }) {
  if (parameters) return new URLSearchParams(parameters).toString();
  return json === undefined ? undefined : JSON.stringify(json);
}

/** Sends a request. What comes back always has `request`; then either `status` and the rest, or `failure`. */
export async function send(request) {
  const sent = { ...request, body: body(request) };
  const start = performance.now();
  try {
    const response = await fetch(sent.url, {
      method: sent.method,
      headers: sent.headers ?? [],
      body: sent.body,
      // No cookie has a part in this, and no answer comes from a cache.
      credentials: "omit",
      cache: "no-store",
      redirect: "error",
    });
    const text = await response.text();
    return {
      request: sent,
      status: response.status,
      reason: response.statusText,
      headers: TOLD.map((name) => [name, response.headers.get(name)]).filter(([, value]) => value !== null),
      text,
      json: parsed(text),
      took: Math.round(performance.now() - start),
    };
  } catch {
    return { request: sent, failure: "No answer came. Does `jotsmith demo` still run?" };
  }
}

/** Whether the answer says yes. */
export function isGood(exchange) {
  return exchange !== undefined && exchange.status >= 200 && exchange.status < 300;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
