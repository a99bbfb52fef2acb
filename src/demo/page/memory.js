// What this tab keeps while the browser is away at the server: the code_verifier, the state, and what was seen so far.
//
// sessionStorage belongs to this tab and this origin, and goes with the tab. An app that has tokens to lose keeps them in
// memory alone, or better on a server of its own; these are good for nothing but this demo.

const PLACE = "jotsmith-playground";

/** What was kept in the run of the demo that is running now; nothing of an earlier one. */
export function recall(run) {
  try {
    const kept = JSON.parse(sessionStorage.getItem(PLACE));
    if (kept && kept.run === run) return kept;
  } catch {
    // What cannot be read is as good as nothing.
  }
  return { run };
}

/** Keeps it. */
export function keep(state) {
  sessionStorage.setItem(PLACE, JSON.stringify(state));
}

/** Keeps nothing more. */
export function forget() {
  sessionStorage.removeItem(PLACE);
}
