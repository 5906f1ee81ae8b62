/* What can be done with an import: each says first what it will do. */

import { get, post, Problem, sentenceOf } from "./api.js";
import { button, field, h, link } from "./dom.js";
import { count, counted } from "./format.js";
import { ask, notify } from "./layout.js";
import { go, render } from "./router.js";

const FILES = new Set(["file", "database"]);

/* Buttons for what the state of the import allows; `me` may do it as the API says. */
export function actions(run) {
  const path = "/api/imports/" + run.id;
  const made = [];
  if (run.state === "queued" || run.state === "running") {
    made.push(button("Cancel", () => act(() => post(path + "/cancel"), () => render({ focus: false }))));
  }
  if (run.state === "failed" || run.state === "cancelled") {
    made.push(button("Try again", () => act(() => post(path + "/retry"), () => render({ focus: false }))));
  }
  if (run.state === "succeeded" && run.dry_run) { made.push(button("Land it", () => commit(run), { kind: "primary", id: "commit" })); }
  if (undoable(run)) { made.push(button("Undo", () => undo(run), { kind: "danger", id: "undo" })); }
  if (run.state === "succeeded" && !run.dry_run && !run.feed && FILES.has(run.kind)) {
    made.push(button("Make a feed of it", () => feed(run)));
  }
  return made;
}

function undoable(run) {
  return run.state === "succeeded" && !run.dry_run && !run.undone && run.table !== null && !run.unchanged && run.kind !== "undo" && run.kind !== "correction";
}

async function act(work, then) {
  try {
    then(await work());
  } catch (error) {
    notify(sentenceOf(error), "bad");
  }
}

async function commit(run) {
  const rows = run.rows;
  const words = [
    counted(rows.loaded, "row") + " that " + (rows.loaded === 1 ? "was" : "were") + " judged in the rehearsal "
      + (rows.loaded === 1 ? "goes" : "go") + " into " + run.table + (run.mode === "replace" ? ", in place of all that are there" : "")
      + (rows.updated ? " (" + count(rows.inserted) + " new, " + count(rows.updated) + " updated)" : "") + ".",
    rows.rejected > 0 && counted(rows.rejected, "refused row") + " can be corrected afterwards.",
    "If the table was changed since, so that the outcome would be another, nothing is loaded.",
  ];
  const answer = await ask("Land import " + run.id + "?", paragraphs(words), [["yes", "Land it", "primary"], ["", "Not now"]]);
  if (answer !== "yes") { return; }
  await act(() => post("/api/imports/" + run.id + "/commit"), (made) => go("/app/imports/" + made.id));
}

function paragraphs(words) {
  return words.filter(Boolean).map((text) => h("p", {}, text));
}

const PAGES = 5;

/* The imports into the same table that came after this one; of very many, the newest 5,000. */
export async function importsSince(run, signal) {
  const items = [];
  let next = "/api/imports?limit=1000&table=" + encodeURIComponent(run.table);
  for (let page = 0; next && page < PAGES; page += 1) {
    const answer = await get(next, { signal });
    items.push(...answer.items.filter(({ id }) => id > run.id));
    next = answer.items.some(({ id }) => id <= run.id) ? null : answer.next;
  }
  return items;
}

/* What an undo does, out of the counts of the import and its corrections. */
async function consequences(run) {
  const later = await importsSince(run);
  const corrections = later.filter((each) => each.kind === "correction" && each.follows === run.id && each.state === "succeeded");
  const sum = (name) => [run, ...corrections].reduce((total, each) => total + each.rows[name], 0);
  const newer = later.filter((each) => each.kind !== "undo" && each.kind !== "correction" && !each.dry_run
    && each.state === "succeeded" && !each.undone && each.rows.loaded > 0);
  return [
    sum("inserted") > 0 && counted(sum("inserted"), "row") + " that it added " + (sum("inserted") === 1 ? "leaves" : "leave") + " " + run.table
      + (corrections.length ? ", " + counted(corrections.length, "correction") + " included." : "."),
    sum("updated") > 0 && counted(sum("updated"), "row") + " that it overwrote " + (sum("updated") === 1 ? "gets its" : "get their") + " former values back.",
    run.deleted > 0 && counted(run.deleted, "row") + " that it removed " + (run.deleted === 1 ? "comes" : "come") + " back, with " + (run.deleted === 1 ? "its id." : "their ids."),
    newer.length > 0 && "Later imports loaded rows into the table, too (" + newer.slice(0, 5).map(({ id }) => id).join(", ") + "); their own rows stay.",
    "Records that somebody edited since are found first, and nothing happens before you have decided about them.",
  ];
}

async function undo(run) {
  const what = await consequences(run);
  const answer = await ask("Undo import " + run.id + "?", paragraphs(what), [["refuse", "Undo it", "danger"], ["", "Keep it"]]);
  if (answer) { await undone(run, answer); }
}

async function undone(run, edited) {
  try {
    const made = await post("/api/imports/" + run.id + "/undo", { edited });
    go("/app/imports/" + made.id);
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "edited_since") {
      notify(sentenceOf(error), "bad");
      return;
    }
    const content = [
      h("p", {}, "Nothing has happened yet. The first of them:"),
      h("ul", {}, error.fields.map(({ field: name, message }) => h("li", {}, name + ": " + message))),
    ];
    const answer = await ask("Some records were changed since", content, [
      ["keep", "Undo the others, leave these"], ["overwrite", "Undo these, too", "danger"], ["", "Keep everything"],
    ]);
    if (answer) { await undone(run, answer); }
  }
}

async function feed(run) {
  const name = h("input", { value: (run.etl_name || run.table).replace(/\.[^.]*$/, ""), spellcheck: "false" });
  const content = [
    h("p", {}, run.kind === "file"
      ? "A feed takes the next file with the options of this import, and says when one is late, smaller or worse than expected."
      : "A feed reads the source again by a schedule, with the options of this import."),
    field("Name of the feed", name),
  ];
  const answer = await ask("Make a feed of import " + run.id, content, [["yes", "Make it", "primary"], ["", "Not now"]]);
  if (answer !== "yes") { return; }
  await act(() => post("/api/feeds", { name: name.value.trim(), like: run.id }),
    (made) => notify("The feed " + made.name + " is there.", "good", link("/app/feeds/" + encodeURIComponent(made.name), "Look at it")));
}
