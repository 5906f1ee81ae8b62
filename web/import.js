/* One import: how far it is, what became of its rows and why, and what can be done with it. */

import { at, follow, get } from "./api.js";
import { actions, importsSince } from "./actions.js";
import { h, link, show } from "./dom.js";
import { count, counted, moment, reason, seconds, size } from "./format.js";
import { crumbs } from "./layout.js";
import { formatSentence } from "./preview.js";
import { profileSection } from "./profile.js";
import { rejectSection } from "./rejects.js";

const FINAL = new Set(["succeeded", "failed", "cancelled"]);
const PROFILED = new Set(["file", "database"]);
const KINDS = { file: "file", database: "database", catalog_file: "catalog file", catalog_database: "scan", correction: "correction", undo: "undo" };

export async function oneImport({ main, signal, title, id }) {
  const run = await get(at("api", "imports", id), { signal });
  title("Import " + run.id);
  const top = h("div");
  const below = h("div");
  show(main, crumbs(link("/app/imports", "Imports"), "Import " + run.id), top, below);
  show(top, overview(run));
  if (FINAL.has(run.state)) { await details(below, run, signal); return; }
  follow(run.links.events, async (name, now) => {
    if (signal.aborted) { return; }
    show(top, overview(now));
    if (name === "done") { await details(below, now, signal); }
  }, signal);
}

export function stateOf(run) {
  if (run.undone) { return h("span", { class: "badge" }, "undone"); }
  if (run.state === "succeeded" && run.dry_run) { return h("span", { class: "badge good" }, "rehearsed"); }
  if (run.unchanged) { return h("span", { class: "badge" }, "unchanged"); }
  if (run.state === "succeeded" && run.rows.rejected) { return h("span", { class: "badge warn" }, "with refused rows"); }
  const kind = { succeeded: "good", failed: "bad" }[run.state] || "";
  return h("span", { class: "badge " + kind }, run.state);
}

export function whatOf(run) {
  return run.etl_name || KINDS[run.kind];
}

function overview(run) {
  return [
    h("div", { class: "head" },
      h("div", {}, h("h1", {}, whatOf(run), " ", stateOf(run)), h("p", { class: "quiet" }, facts(run))),
      h("div", { class: "actions" }, actions(run))),
    run.undone && h("p", { class: "state" }, "Undone ", moment(run.undone.at), " by " + run.undone.by + ": ", link("/app/imports/" + run.undone.import, "import " + run.undone.import), "."),
    run.error && h("p", { class: "state bad", role: "alert" }, run.error.detail),
    run.unchanged && h("p", { class: "state" }, "The file is the same as last time, so nothing was touched."),
    !FINAL.has(run.state) && progress(run),
    tiles(run),
    reasons(run),
  ];
}

function facts(run) {
  const parts = [
    run.dry_run ? "Rehearsal" : { undo: "Undo", correction: "Correction" }[run.kind] || { append: "Added", upsert: "Merged", replace: "Replaced" }[run.mode],
    run.table !== null && [" ", run.dry_run || run.kind === "correction" ? "for " : run.kind === "undo" ? "in " : "into ", link("/app" + at("tables", run.table), run.table)],
    run.follows && [" · follows ", link("/app/imports/" + run.follows, "import " + run.follows)],
    run.feed && [" · of the feed ", link("/app" + at("feeds", run.feed), run.feed)],
    " · by " + run.submitted_by + ", ", moment(run.created_at),
    run.started_at && run.finished_at && " · took " + seconds((new Date(run.finished_at) - new Date(run.started_at)) / 1000),
    run.bytes.total && " · " + size(run.bytes.total),
  ];
  return parts;
}

function progress(run) {
  const known = run.bytes.total > 0;
  const words = [
    run.state === "queued" ? "It waits for a worker." : counted(run.rows.read, "row") + " read",
    run.rows_per_s > 0 && count(run.rows_per_s) + " rows a second",
    run.eta_s !== null && run.state === "running" && "done in about " + seconds(run.eta_s),
  ].filter(Boolean);
  return h("div", { class: "card" },
    h("progress", { max: known ? run.bytes.total : null, value: known ? run.bytes.read : null, "aria-label": "Progress" }),
    h("p", { class: "quiet" }, words.join(" · ")));
}

function tiles(run) {
  const { rows } = run;
  const would = run.dry_run ? "would be " : "";
  const shown = [
    ["read", rows.read], [would + "added", FINAL.has(run.state) ? rows.inserted : null], [would + "updated", rows.updated], ["removed", run.deleted],
    ["refused", rows.rejected, rows.rejected ? "bad" : ""], ["corrected since", rows.corrected], ["superseded", run.superseded], ["in already", run.skipped],
  ].filter(([name, value]) => value > 0 || (value === 0 && ["read", "refused", would + "added"].includes(name)));
  return h("dl", { class: "tiles" }, shown.map(([name, value, kind]) =>
    h("div", { class: kind || null }, h("dt", {}, name), h("dd", {}, count(value)))));
}

/* Why rows were refused, in sum, as bars. */
function reasons(run) {
  if (run.reasons.length === 0) { return null; }
  const most = Math.max(...run.reasons.map((each) => each.count));
  return h("section", {}, h("h2", {}, "Why rows were refused"),
    h("ul", { class: "bars" }, run.reasons.map((each) => h("li", {},
      h("span", { class: "label" }, each.column && h("b", {}, each.column + " "), reason(each.code),
        h("small", {}, " first on line " + count(each.first_line))),
      h("span", { class: "bar" }, h("span", { style: { width: Math.max(1, 100 * each.count / most) + "%" } })),
      h("span", { class: "number" }, count(each.count))))));
}

async function details(room, run, signal) {
  const refused = run.rows.rejected > 0;
  const open = refused && run.state === "succeeded" && !run.dry_run && !run.undone && run.kind !== "correction" && run.kind !== "undo";
  const parts = await Promise.all([
    refused ? rejectSection(run, { open, signal }).catch(notKept) : null,
    PROFILED.has(run.kind) && run.state === "succeeded" && run.rows.loaded > 0 ? profileSection(run, signal) : null,
    run.table && !run.dry_run ? following(run, signal).catch(() => null) : null,
  ]);
  if (signal.aborted) { return; }
  show(room, parts, found(run));
}

/* The report is kept for a time only. */
function notKept(error) {
  return h("p", { class: "quiet" }, error.message);
}

async function following(run, signal) {
  const after = (await importsSince(run, signal)).filter((each) => each.follows === run.id);
  return after.length > 0 && h("section", {}, h("h2", {}, "What followed"), h("ul", { class: "plain" }, after.map((each) =>
    h("li", {}, link("/app/imports/" + each.id, (KINDS[each.kind] || each.kind) + " " + each.id), " ", stateOf(each), " ", moment(each.created_at)))));
}

/* How the file was read, and why each column of a new table has its type. */
function found(run) {
  if (!run.format && run.inferred.length === 0) { return null; }
  return h("section", {}, h("h2", {}, "How it was read"),
    h("p", {}, formatSentence(run.format)),
    run.inferred.length > 0 && h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Types of the columns" }, h("table", { class: "list" },
      h("thead", {}, h("tr", {}, ["Column", "Type", "Because"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, run.inferred.map((each) => h("tr", {}, h("th", { scope: "row" }, each.column), h("td", {}, h("code", {}, each.type)), h("td", { class: "quiet" }, each.because)))))));
}
