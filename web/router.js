/* Addresses below /app and what they show. A view gets the parts of its address, its query and a
   signal that is aborted when it is left; it fills `main`. */

const routes = [];
let leave = new AbortController();
let started = () => {};
let unsaved = () => false;

/* `pattern` is the address behind /app, with `:name` for one part of any text. */
export function route(pattern, title, view) {
  routes.push({ parts: pattern.split("/").filter(Boolean), title, view });
}

function match(path) {
  const parts = path.split("/").filter(Boolean).slice(1);
  for (const candidate of routes) {
    if (candidate.parts.length !== parts.length) { continue; }
    const named = {};
    const fits = candidate.parts.every((part, index) => {
      if (!part.startsWith(":")) { return part === parts[index]; }
      try {
        named[part.slice(1)] = decodeURIComponent(parts[index]);
        return true;
      } catch { return false; }
    });
    if (fits) { return { ...candidate, named }; }
  }
  return null;
}

/* Ask before the view is left while `isUnsaved()`. */
export function guard(isUnsaved) {
  unsaved = isUnsaved;
}

export function go(path, { replace = false } = {}) {
  if (unsaved() && !confirm("What you have changed here is not sent yet. Leave it?")) { return; }
  history[replace ? "replaceState" : "pushState"](null, "", path);
  render();
}

/* Show what the address names, anew. */
export function render({ focus = true } = {}) {
  leave.abort();
  leave = new AbortController();
  unsaved = () => false;
  started({ found: match(location.pathname), query: new URLSearchParams(location.search), signal: leave.signal, focus });
}

export function start(onRoute) {
  started = onRoute;
  addEventListener("popstate", () => render());
  addEventListener("beforeunload", (event) => { if (unsaved()) { event.preventDefault(); } });
  document.addEventListener("click", (event) => {
    const anchor = event.target.closest("a[href]");
    if (!anchor || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) { return; }
    const url = new URL(anchor.href);
    if (url.origin !== location.origin || !/^\/app(\/|$)/.test(url.pathname) || anchor.target) { return; }
    if (url.hash && url.pathname === location.pathname) { return; }
    event.preventDefault();
    go(url.pathname + url.search);
  });
  render({ focus: false });
}
