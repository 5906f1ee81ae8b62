/* Who is signed in: a pair of tokens, kept for this tab, or for this browser where one asked. */

const KEY = "tabularium.session";
const listeners = new Set();
let pair = read();

function read() {
  for (const store of [sessionStorage, localStorage]) {
    try {
      const kept = JSON.parse(store.getItem(KEY));
      if (kept && kept.access && kept.refresh) { return kept; }
    } catch { /* what cannot be read is no session */ }
  }
  return null;
}

export function signedIn() {
  return pair !== null;
}

export function accessToken() {
  return pair === null ? null : pair.access;
}

function keep(tokens, lasting) {
  pair = { access: tokens.access, refresh: tokens.refresh };
  const [chosen, other] = lasting ? [localStorage, sessionStorage] : [sessionStorage, localStorage];
  other.removeItem(KEY);
  chosen.setItem(KEY, JSON.stringify(pair));
}

export function begin(tokens, { lasting }) {
  keep(tokens, lasting);
  tell();
}

/* Forget the session here, and end its tokens at the server. */
export async function end() {
  const last = pair;
  forget();
  if (last === null) { return; }
  await fetch("/api/auth/revoke", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ refresh: last.refresh }),
  }).catch(() => null);
}

function forget() {
  pair = null;
  sessionStorage.removeItem(KEY);
  localStorage.removeItem(KEY);
  tell();
}

export function onChange(listener) {
  listeners.add(listener);
}

function tell() {
  for (const listener of listeners) { listener(); }
}

let renewing = null;

/* A new access token in place of `stale`; false when the session is over. One renewal at a time,
   in this tab and, where the browser has locks, among all tabs of one session. */
export function renew(stale) {
  renewing = renewing || alone(() => renewed(stale)).finally(() => { renewing = null; });
  return renewing;
}

function alone(work) {
  return navigator.locks ? navigator.locks.request(KEY, work) : work();
}

async function renewed(stale) {
  const kept = read();  // another tab may have renewed it
  if (kept && kept.access !== stale) {
    pair = kept;
    return true;
  }
  if (kept === null) {
    forget();
    return false;
  }
  const lasting = localStorage.getItem(KEY) !== null;
  const answer = await fetch("/api/token/refresh", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ refresh: kept.refresh }),
  });
  if (answer.ok) {
    keep(await answer.json(), lasting);
    return true;
  }
  if (answer.status === 401 || answer.status === 422) {
    forget();
    return false;
  }
  throw new Error("The session could not be renewed: the server is away for a moment.");
}

/* Signing in or out in another tab of this browser holds here, too. */
addEventListener("storage", (event) => {
  if (event.storageArea !== localStorage || event.key !== KEY) { return; }
  const kept = read();
  const changed = (kept === null) !== (pair === null);
  pair = kept;
  if (changed) { tell(); }
});
