/* One table: its rows, filtered, sorted and by pages; edited in place; exported. */

import { at, download, get, send, withQuery } from "./api.js";
import { button, choice, h, link, show } from "./dom.js";
import { filterBar, filterParameters, filtersOf, filterText } from "./filters.js";
import { cell, count, counted, isNumber } from "./format.js";
import { grid } from "./grid.js";
import { crumbs, notify, nothing } from "./layout.js";
import { go } from "./router.js";

const ROWS = 50;
const EXPORTS = [["csv", "CSV"], ["xlsx", "Excel"], ["ndjson", "NDJSON"], ["json", "JSON"], ["parquet", "Parquet"], ["arrow", "Arrow"]];

export async function table({ main, query, signal, title, name }) {
  const path = at("api", "tables", name);
  const asked = {
    q: query.get("q") || "", sort: query.get("sort") || "", page: Math.max(1, Number(query.get("page")) || 1), filters: filtersOf(query),
  };
  const known = await get(path, { signal });
  title(known.name);
  const room = h("div");
  show(main, crumbs(link("/app/tables", "Tables"), known.name), head(known), toolbar(known, asked, path), room);
  let records;
  try {
    records = await get(withRows(path + "/records", asked, { count: "estimated", limit: ROWS, page: asked.page, numbers: "text" }), { signal });
  } catch (error) {
    if (signal.aborted) { return; }
    show(room, h("p", { class: "error", role: "alert" }, error.sentence || error.message));
    return;
  }
  show(room, records.items.length ? rows(known, records, asked, path) : empty(asked), pages(records, asked, known));
}

/* The API's path for these rows; `more` goes along with the filters. */
function withRows(path, { q, sort, filters }, more) {
  const pairs = filterParameters(filters);
  const base = withQuery(path, { q, sort, ...more });
  const rest = new URLSearchParams(pairs).toString();
  return rest ? base + (base.includes("?") ? "&" : "?") + rest : base;
}

/* The page's own address for these rows. */
function address(name, { q, sort, page, filters }) {
  const base = withQuery("/app" + at("tables", name), { q, sort, page: page > 1 ? page : null });
  const rest = new URLSearchParams(filters.map((filter) => ["f", filterText(filter)])).toString();
  return rest ? base + (base.includes("?") ? "&" : "?") + rest : base;
}

function head(known) {
  return h("div", { class: "head" },
    h("div", {}, h("h1", {}, known.name), known.description && h("p", { class: "quiet" }, known.description)),
    h("div", { class: "actions" },
      known.level !== "viewer" && h("a", { class: "button", href: withQuery("/app/import", { table: known.name }) }, "Import into it"),
      h("a", { class: "button", href: withQuery("/app/imports", { table: known.name }) }, "Its imports"),
      h("a", { class: "button", href: withQuery("/app/lineage", { table: "data." + known.name }) }, "Its lineage")));
}

function toolbar(known, asked, path) {
  const search = h("input", { type: "search", value: asked.q, "aria-label": "Search in the texts", placeholder: "Search" });
  const form = h("form", { role: "search", onsubmit: (event) => {
    event.preventDefault();
    go(address(known.name, { ...asked, q: search.value.trim(), page: 1 }));
  } }, search);
  search.addEventListener("search", () => { if (!search.value && asked.q) { form.requestSubmit(); } });
  const format = choice(EXPORTS, "csv", { "aria-label": "Format of the export" });
  const save = button("Export", async () => {
    await download(withRows(path + "/export", asked, { format: format.value }), known.name + "." + format.value);
    notify("The export is downloaded.");
  });
  return h("div", { class: "toolbar" }, form,
    known.columns.length > 0 && filterBar(known.columns, asked.filters, (filters) => go(address(known.name, { ...asked, filters, page: 1 }))),
    h("span", { class: "end" }, format, save));
}

function rows(known, records, asked, path) {
  const sorted = asked.sort.replace(/^-/, "");
  const columns = known.columns.map((column) => {
    const direction = column.name !== sorted ? "none" : asked.sort.startsWith("-") ? "descending" : "ascending";
    const next = { none: column.name, ascending: "-" + column.name, descending: "" }[direction];
    return {
      name: column.name, numeric: isNumber(column.type), nullable: column.nullable, sort: direction, sub: column.type,
      head: button(column.name, () => go(address(known.name, { ...asked, sort: next, page: 1 })), { kind: "plain sort", title: column.description }),
    };
  });
  const shown = records.items.map((record) => ({ id: record.id, head: record.id, cells: known.columns.map(({ name }) => cell(record[name])) }));
  const edit = known.level === "viewer" ? null : (row, place, text) => change(known, path, row, place, text);
  return grid({ label: "Rows of " + known.name, corner: "id", columns, rows: shown, edit });
}

/* Change one cell, if the record is still the one that is shown; its text, as the API gives it. */
async function change(known, path, row, place, text) {
  const record = path + at("records", row.id);
  const shown = record + "?numbers=text";
  const answer = await send("GET", shown);
  const now = await answer.json();
  const moved = known.columns.find(({ name }, index) => cell(now[name]) !== row.cells[index]);
  if (moved) {
    throw new Error("Somebody has changed this record since: " + moved.name + " is " + (cell(now[moved.name]) ?? "null")
      + " now. Press Escape and reload the page.");
  }
  const column = known.columns[place];
  await send("PATCH", record, { json: { [column.name]: typed(column, text) }, headers: { "If-Match": answer.headers.get("ETag") } });
  return cell((await get(shown))[column.name]);  // which keeps the digits that a number of JavaScript has not
}

/* What was typed as a value of the column; an empty cell is null where no text can be meant. */
function typed(column, text) {
  if (text === null) { return null; }
  if (/^(TEXT|VARCHAR|CHAR)/.test(column.type)) { return text; }
  if (text.trim() === "") { return null; }
  if (!/^JSON/.test(column.type)) { return text.trim(); }
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("This is no JSON. A text needs its quotes.");
  }
}

function empty(asked) {
  return asked.q || asked.filters.length ? nothing("No row fits.") : nothing("The table has no rows yet.");
}

function pages(records, asked, known) {
  const total = records.total ?? records.items.length;
  const last = Math.max(1, Math.ceil(total / ROWS));
  const to = (page, text) => link(address(known.name, { ...asked, page }), text);
  return h("nav", { class: "pages", "aria-label": "Pages" },
    h("span", {}, counted(total, "row")),
    asked.page > 1 && to(asked.page - 1, "Previous"),
    last > 1 && h("span", {}, "Page " + count(asked.page) + " of " + count(last)),
    records.next && to(asked.page + 1, "Next"));
}
