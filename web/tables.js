/* The tables that one may see. */

import { all, at } from "./api.js";
import { h, link, show } from "./dom.js";
import { count, counted, moment } from "./format.js";
import { nothing } from "./layout.js";

export async function tables({ main, signal }) {
  const items = await all("/api/tables?limit=1000", { signal });
  const search = h("input", { type: "search", "aria-label": "Find a table", placeholder: "Find a table" });
  const body = h("tbody");
  const draw = () => {
    const wanted = search.value.trim().toLocaleLowerCase();
    const fits = (table) => (table.name + " " + (table.description || "")).toLocaleLowerCase().includes(wanted);
    show(body, items.filter(fits).map(row));
  };
  search.addEventListener("input", draw);
  draw();
  show(main,
    h("div", { class: "head" }, h("h1", {}, "Tables"), items.length > 8 && search),
    items.length === 0
      ? nothing("There is no table yet that you may see.", link("/app/import", "Import a file"), "to make one.")
      : h("div", { class: "scroll" }, h("table", { class: "list" },
        h("thead", {}, h("tr", {}, ["Table", "Columns", "Rows", "Owner", "Made"].map((name, index) =>
          h("th", { scope: "col", class: index === 1 || index === 2 ? "number" : null }, name)))),
        body)));
}

function row(table) {
  return h("tr", {},
    h("th", { scope: "row" }, link("/app" + at("tables", table.name), table.name),
      table.description && h("small", {}, table.description)),
    h("td", { class: "number" }, count(table.columns.length)),
    h("td", { class: "number", title: counted(table.estimated_rows, "row") + ", about" }, count(table.estimated_rows)),
    h("td", {}, table.owner),
    h("td", {}, moment(table.created_at)));
}
