/* Feeds: imports that come again, how they do, and what one can do about it. */

import { all, at, get, post, send, sentenceOf } from "./api.js";
import { button, h, link, show } from "./dom.js";
import { count, moment, seconds } from "./format.js";
import { stateOf } from "./import.js";
import { ask, crumbs, notify, nothing } from "./layout.js";
import { go, render } from "./router.js";
import { sparkline } from "./sparkline.js";

const KINDS = { push: "a file that is sent", http: "a file of a server", s3: "an object in S3", database: "another database" };
const HEALTH = { ok: "good", late: "warn", failing: "bad" };

function health(feed) {
  return h("span", { class: "badge " + (HEALTH[feed.health] || "") }, feed.health);
}

export async function feeds({ main, signal }) {
  const items = await all("/api/feeds?limit=100", { signal });
  show(main, h("div", { class: "head" }, h("h1", {}, "Feeds")),
    items.length === 0
      ? nothing("There is no feed yet. Land a file, and make a feed of its import.")
      : h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Feeds" }, h("table", { class: "list" },
        h("thead", {}, h("tr", {}, ["Feed", "Health", "Last runs", "Into", "Next run"].map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, items.map((feed) => h("tr", {},
          h("th", { scope: "row" }, link("/app" + at("feeds", feed.name), feed.name), h("small", {}, KINDS[feed.from.kind] || feed.from.kind)),
          h("td", {}, health(feed)),
          h("td", {}, sparkline(feed.history)),
          h("td", {}, feed.table),
          h("td", {}, feed.next_run_at ? moment(feed.next_run_at) : h("span", { class: "quiet" }, "when a file comes"))))))));
}

export async function oneFeed({ main, signal, title, name }) {
  const path = at("api", "feeds", name);
  const feed = await get(path, { signal });
  title(feed.name);
  show(main, crumbs(link("/app/feeds", "Feeds"), feed.name),
    h("div", { class: "head" },
      h("div", {}, h("h1", {}, feed.name, " ", health(feed)), h("p", { class: "quiet" }, sentence(feed))),
      h("div", { class: "actions" }, buttons(feed, path, signal))),
    feed.skipped && h("p", { class: "state" }, "A run was left out ", moment(feed.skipped.at), ", because ",
      link("/app/imports/" + feed.skipped.import, "import " + feed.skipped.import), " was open."),
    history(feed), settings(feed));
}

function sentence(feed) {
  const { schedule } = feed;
  return [
    "From " + (KINDS[feed.from.kind] || feed.from.kind), " into ", link("/app" + at("tables", feed.table), feed.table),
    schedule && (schedule.cron ? " · by " + schedule.cron + " in " + schedule.timezone : " · every " + seconds(schedule.every_s)),
    feed.next_run_at && [" · next ", moment(feed.next_run_at)],
    " · of " + feed.owner,
  ];
}

function buttons(feed, path, signal) {
  const attempt = (work, then) => async () => {
    try { then(await work()); } catch (error) { notify(sentenceOf(error), "bad"); }
  };
  const toRun = (run) => go("/app/imports/" + run.id);
  const input = h("input", { type: "file", class: "unseen", id: "push", onchange: attempt(async () => {
    const body = new FormData();
    body.append("file", input.files[0]);
    return (await send("POST", path + "/runs", { body, signal })).json();
  }, toRun) });
  return [
    feed.from.kind === "push"
      ? [input, h("label", { class: "button primary", for: "push" }, "Send a file")]
      : button("Run now", attempt(() => post(path + "/runs"), toRun), { kind: "primary" }),
    button(feed.paused ? "Resume" : "Pause", attempt(() => send("PATCH", path, { json: { paused: !feed.paused } }), () => render({ focus: false }))),
    button("Remove", async () => {
      const words = h("p", {}, "Its imports and their rows stay; nothing comes by it any more.");
      if ((await ask("Remove the feed " + feed.name + "?", words, [["yes", "Remove it", "danger"], ["", "Keep it"]])) !== "yes") { return; }
      await attempt(() => send("DELETE", path), () => go("/app/feeds"))();
    }, { kind: "danger" }),
  ];
}

function history(feed) {
  if (feed.history.length === 0) { return nothing("It has not run yet."); }
  return h("section", {}, h("h2", {}, "Last runs"), h("p", {}, sparkline(feed.history)),
    h("div", { class: "scroll runs", tabindex: 0, role: "group", "aria-label": "Runs" }, h("table", { class: "list" },
      h("thead", {}, h("tr", {}, ["Import", "State", "Loaded", "Refused", "Took", "When"].map((name) =>
        h("th", { scope: "col", class: ["Loaded", "Refused", "Took"].includes(name) ? "number" : null }, name)))),
      h("tbody", {}, feed.history.map((run) => h("tr", {},
        h("th", { scope: "row" }, link("/app/imports/" + run.id, run.id)),
        h("td", {}, stateOf(run)),
        h("td", { class: "number" }, count(run.rows.loaded)),
        h("td", { class: "number" + (run.rows.rejected ? " refused" : "") }, count(run.rows.rejected)),
        h("td", { class: "number" }, run.seconds === null ? "" : seconds(run.seconds)),
        h("td", {}, moment(run.created_at))))))));
}

/* What it does and what is expected of it, as the API names it. */
function settings(feed) {
  const given = [
    ...Object.entries(feed.from).filter(([name]) => name !== "kind"),
    ...Object.entries(feed.options),
    ...Object.entries(feed.incremental || {}).map(([name, value]) => ["incremental " + name, value]),
    ["cursor", feed.cursor],
    ...Object.entries(feed.expect).map(([name, value]) => ["expect " + name.replaceAll("_", " "), value]),
  ].filter(([, value]) => value !== null);
  return given.length > 0 && h("section", {}, h("h2", {}, "Settings"), h("dl", { class: "pairs" }, given.map(([name, value]) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, h("code", {}, typeof value === "object" ? JSON.stringify(value) : String(value)))))));
}
