/* The page at /app: signs people in, and shows what the address names. */

import { sentenceOf, Problem } from "./api.js";
import { h, link, show } from "./dom.js";
import { feeds, oneFeed } from "./feeds.js";
import { oneImport } from "./import.js";
import { imports } from "./imports.js";
import { drawTop, notify, applyTheme } from "./layout.js";
import { lineage } from "./lineage.js";
import { newImport } from "./new_import.js";
import { go, render, route, start } from "./router.js";
import * as session from "./session.js";
import { signIn } from "./signin.js";
import { tables } from "./tables.js";
import { table } from "./table.js";

route("", "Tables", () => go("/app/tables", { replace: true }));
route("tables", "Tables", tables);
route("tables/:name", "Table", table);
route("import", "New import", newImport);
route("imports", "Imports", imports);
route("imports/:id", "Import", oneImport);
route("feeds", "Feeds", feeds);
route("feeds/:name", "Feed", oneFeed);
route("lineage", "Lineage", lineage);

const main = document.getElementById("main");

function title(text) {
  document.title = text + " · Tabularium";
}

/* Show the view of an address; whoever is not signed in signs in first, and comes back to it. */
async function arrive({ found, query, signal, focus }) {
  drawTop(location.pathname);
  main.className = "";
  scrollTo(0, 0);
  if (!session.signedIn()) {
    title("Sign in");
    show(main, signIn());
    main.querySelector("input").focus();
    return;
  }
  title(found ? found.title : "No such page");
  show(main, h("p", { class: "waiting" }, "Loading …"));
  try {
    if (!found) { throw new Problem(404, { detail: "There is no such page." }); }
    await found.view({ main, query, signal, title, ...found.named });
  } catch (error) {
    if (signal.aborted) { return; }
    refuse(error);
  }
  if (focus && !signal.aborted) { main.focus({ preventScroll: true }); }
}

function refuse(error) {
  if (!session.signedIn()) { return; }
  const missing = error instanceof Problem && error.status === 404;
  title(missing ? "Not found" : "Something went wrong");
  show(main,
    h("h1", {}, missing ? "Not found" : "Something went wrong"),
    h("p", { class: "error", role: "alert" }, sentenceOf(error)),
    h("p", {}, link("/app/tables", "To the tables")));
}

applyTheme();
session.onChange(() => {
  if (!session.signedIn()) { notify("You are signed out."); }
  render({ focus: session.signedIn() });
});
addEventListener("unhandledrejection", (event) => {
  if (event.reason && event.reason.name === "AbortError") { return; }
  notify(sentenceOf(event.reason), "bad");
});
start(arrive);
