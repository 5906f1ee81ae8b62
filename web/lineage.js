/* The catalog: what is found by words, and what a table is made of and what is made of it, as a
   picture that is walked from box to box. */

import { at, get, withQuery } from "./api.js";
import { choice, h, link, show, svg } from "./dom.js";
import { counted, moment } from "./format.js";
import { BOX_HEIGHT, BOX_WIDTH, layered } from "./layers.js";
import { crumbs, nothing } from "./layout.js";
import { go } from "./router.js";

const DIRECTIONS = [["both", "Both ways"], ["upstream", "What it is made of"], ["downstream", "What is made of it"]];

/* The address of a box's own picture. */
function addressOf(node, more = {}) {
  if (node.kind === "etl") { return withQuery("/app/lineage", { etl: node.name, namespace: node.namespace, ...more }); }
  return withQuery("/app/lineage", { table: (node.schema ?? "-") + "." + node.name, namespace: node.namespace, ...more });
}

export async function lineage({ main, query, signal, title }) {
  const root = { table: query.get("table"), etl: query.get("etl"), namespace: query.get("namespace") };
  if (root.table || root.etl) { await picture(main, root, query, signal, title); } else { await found(main, query.get("q") || "", signal); }
}

function searchForm(q) {
  const input = h("input", { type: "search", value: q, "aria-label": "Search the catalog", placeholder: "Search the catalog" });
  return h("form", { role: "search", onsubmit: (event) => {
    event.preventDefault();
    go(withQuery("/app/lineage", { q: input.value.trim() }));
  } }, input);
}

/* What the words find; without words, the tables. */
async function found(main, q, signal) {
  const answer = await get(q ? withQuery("/api/catalog/search", { q, limit: 100 }) : "/api/catalog/tables?limit=100", { signal });
  const rows = answer.items.map((hit) => {
    const kind = hit.kind || "table";
    const table = kind === "column" ? { kind: "table", schema: hit.schema, name: hit.table, namespace: hit.namespace } : { ...hit, kind };
    return h("tr", {},
      h("th", { scope: "row" }, link(addressOf(table), kind === "column" ? hit.table + "." + hit.name : hit.name), hit.description && h("small", {}, hit.description)),
      h("td", {}, kind === "etl" ? "ETL" : kind),
      h("td", {}, kind === "etl" ? "" : hit.schema ?? "–", hit.namespace && h("small", {}, hit.namespace)),
      h("td", {}, hit.tags.join(", ")));
  });
  show(main, h("div", { class: "head" }, h("h1", {}, "Lineage"), searchForm(q)),
    rows.length === 0 ? nothing(q ? "Nothing is found by these words." : "The catalog is empty. It fills itself as tables and imports come.")
      : h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "The catalog" }, h("table", { class: "list" },
        h("thead", {}, h("tr", {}, ["Name", "Kind", "Schema", "Tags"].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, rows))),
    (answer.truncated || answer.next) && h("p", { class: "quiet" }, "There are more; search for them by their names."));
}

async function picture(main, root, query, signal, title) {
  const direction = query.get("direction") || "both";
  const answer = await get(withQuery("/api/catalog/lineage", { ...root, direction }), { signal });
  const node = answer.nodes.find(({ id }) => id === answer.root);
  const ways = choice(DIRECTIONS, direction, { "aria-label": "Direction" });
  ways.addEventListener("change", () => go(addressOf(node, { direction: ways.value })));
  const below = h("div");
  title("Lineage of " + node.name);
  show(main, crumbs(link("/app/lineage", "Lineage"), node.kind === "etl" ? "ETL" : node.schema ?? "–", node.name),
    h("div", { class: "head" }, h("h1", {}, node.name), h("div", { class: "toolbar" }, ways, searchForm(""))),
    drawn(answer),
    answer.truncated && h("p", { class: "quiet" }, "The nearest arrows are shown; there are more."),
    below);
  show(below, await (node.kind === "etl" ? aboutEtl(node, signal) : aboutTable(node, signal)));
}

function drawn({ root, nodes, edges }) {
  const { places, width, height } = layered(nodes, edges);
  const lines = edges.map(({ source, target }) => svg("path", { d: curve(places.get(source), places.get(target)), class: "arrow", "marker-end": "url(#head)" }));
  const boxes = nodes.map((node) => {
    const { x, y } = places.get(node.id);
    const place = { left: x + "px", top: y + "px", width: BOX_WIDTH + "px", height: BOX_HEIGHT + "px" };
    return h("a", {
      class: "box " + node.kind + (node.dropped ? " dropped" : ""), href: addressOf(node), style: place, title: node.namespace || "",
      "aria-current": node.id === root ? "true" : null,
    }, h("b", {}, node.name), h("small", {}, node.kind === "etl" ? "ETL" : (node.schema ?? "–") + (node.dropped ? ", dropped" : "")));
  });
  const sheet = h("div", { class: "picture", style: { width: width + "px", height: height + "px" } },
    svg("svg", { width, height, "aria-hidden": "true" },
      svg("defs", {}, svg("marker", { id: "head", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" }, svg("path", { d: "M0 0 8 4 0 8Z", class: "tip" }))),
      lines),
    boxes);
  const frame = h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Lineage, " + counted(nodes.length, "box", "boxes") }, sheet);
  requestAnimationFrame(() => {
    const { x } = places.get(root);
    frame.scrollLeft = x + BOX_WIDTH / 2 - frame.clientWidth / 2;
  });
  return frame;
}

/* From the right side of one box to the left side of another. */
function curve(from, to) {
  const [x1, y1] = [from.x + BOX_WIDTH, from.y + BOX_HEIGHT / 2];
  const [x2, y2] = [to.x - 3, to.y + BOX_HEIGHT / 2];
  const bend = Math.max(36, Math.abs(x2 - x1) / 2);
  return "M" + x1 + " " + y1 + "C" + (x1 + bend) + " " + y1 + " " + (x2 - bend) + " " + y2 + " " + x2 + " " + y2;
}

async function aboutTable(node, signal) {
  const table = await get(withQuery(at("api", "catalog", "tables", node.schema ?? "-", node.name), { namespace: node.namespace }), { signal });
  const own = node.schema === "data" && node.namespace === null && table.columns !== null && !node.dropped;
  return [
    notes(table),
    own && h("p", {}, link("/app" + at("tables", node.name), "Its rows"), " · ", link(withQuery("/app/imports", { table: node.name }), "Its imports")),
    table.columns && table.columns.length > 0 && h("section", {}, h("h2", {}, "Columns"),
      h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Columns" }, h("table", { class: "list" }, h("tbody", {}, table.columns.map((column) => h("tr", {},
        h("th", { scope: "row" }, column.name), h("td", {}, h("code", {}, column.type)), h("td", { class: "quiet" }, column.description || ""))))))),
    table.etls.length > 0 && h("section", {}, h("h2", {}, "Filled by"), h("ul", { class: "plain" }, table.etls.map((etl) =>
      h("li", {}, link(addressOf({ kind: "etl", name: etl.name, namespace: etl.namespace }), etl.name), etl.last_seen && [" ", h("span", { class: "quiet" }, moment(etl.last_seen))])))),
  ];
}

async function aboutEtl(node, signal) {
  const etl = await get(withQuery(at("api", "catalog", "etls", node.name), { namespace: node.namespace }), { signal });
  return [
    notes(etl),
    etl.tables.length > 0 && h("section", {}, h("h2", {}, "Fills"), h("ul", { class: "plain" }, etl.tables.map((table) =>
      h("li", {}, link(addressOf({ kind: "table", ...table }), (table.schema ?? "–") + "." + table.name))))),
  ];
}

function notes({ description, tags, owners }) {
  return [
    description && h("p", {}, description),
    (tags.length > 0 || owners.length > 0) && h("p", { class: "quiet" }, [...tags, ...owners].join(" · ")),
  ];
}

