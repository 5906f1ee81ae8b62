/* Imports, newest first; by state and by table. */

import { get, withQuery } from "./api.js";
import { button, choice, h, link, show } from "./dom.js";
import { count, moment } from "./format.js";
import { stateOf, whatOf } from "./import.js";
import { nothing } from "./layout.js";
import { go } from "./router.js";

const STATES = [["", "All states"], ...["queued", "running", "succeeded", "failed", "cancelled"].map((state) => [state, state])];

export async function imports({ main, query, signal }) {
  const asked = { state: query.get("state"), table: query.get("table") };
  const first = await get(withQuery("/api/imports", { ...asked, limit: 50 }), { signal });
  const state = choice(STATES, asked.state || "", { "aria-label": "State" });
  state.addEventListener("change", () => go(withQuery("/app/imports", { ...asked, state: state.value })));
  const body = h("tbody", {}, first.items.map(row));
  let next = first.next;
  const more = button("Show more", async () => {
    const page = await get(next, { signal });
    body.append(...page.items.map(row));
    next = page.next;
    more.hidden = next === null;
  }, { hidden: next === null });
  show(main,
    h("div", { class: "head" }, h("h1", {}, "Imports"),
      h("div", { class: "toolbar" }, state, asked.table && h("span", { class: "chip" }, "into ", h("b", {}, asked.table),
        button("×", () => go(withQuery("/app/imports", { state: asked.state })), { kind: "plain", "aria-label": "Of all tables" })))),
    first.items.length === 0 ? nothing("There is no import here.", link("/app/import", "Begin one")) : list(body),
    h("div", { class: "actions" }, more));
}

function list(body) {
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Imports" }, h("table", { class: "list" },
    h("thead", {}, h("tr", {}, ["Import", "State", "Into", "Loaded", "Refused", "When"].map((name) =>
      h("th", { scope: "col", class: name === "Loaded" || name === "Refused" ? "number" : null }, name)))),
    body));
}

function row(run) {
  return h("tr", {},
    h("th", { scope: "row" }, link("/app/imports/" + run.id, whatOf(run)), h("small", {}, run.id + " · " + run.submitted_by)),
    h("td", {}, stateOf(run)),
    h("td", {}, run.table || "the catalog"),
    h("td", { class: "number" }, count(run.rows.loaded)),
    h("td", { class: "number" + (run.rows.rejected ? " refused" : "") }, count(run.rows.rejected)),
    h("td", {}, moment(run.created_at)));
}
