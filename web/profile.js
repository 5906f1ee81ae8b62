/* What is in the rows of an import: a line a column, with its nulls and its values in small. */

import { get, Problem } from "./api.js";
import { h, svg } from "./dom.js";
import { count, isNumber } from "./format.js";

const [WIDTH, HEIGHT] = [180, 28];

/* The section, or null while there is no profile: the import is not over, failed, or its rows were
   not read here. */
export async function profileSection(run, signal) {
  let profile;
  try {
    profile = await get("/api/imports/" + run.id + "/profile", { signal });
  } catch (error) {
    if (error instanceof Problem && error.status === 404) { return null; }
    throw error;
  }
  if (profile.columns.length === 0 || profile.rows === 0) { return null; }
  return h("section", {}, h("h2", {}, "What is in the rows"),
    h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Profile" }, h("table", { class: "list profile" },
      h("thead", {}, h("tr", {}, ["Column", "Filled", "Different", "Values", "Least", "Most"].map((name) =>
        h("th", { scope: "col", class: name === "Different" ? "number" : null }, name)))),
      h("tbody", {}, profile.columns.map((column) => line(column, profile.rows))))));
}

function line(column, rows) {
  const share = (rows - column.nulls) / rows;
  const percent = share === 1 ? "100 %" : (100 * share).toFixed(share > 0.999 || share < 0.01 ? 2 : 0) + " %";
  return h("tr", {},
    h("th", { scope: "row" }, column.column, h("small", {}, column.type)),
    h("td", {}, h("span", { class: "bar filled", "aria-hidden": "true" }, h("span", { style: { width: 100 * share + "%" } })), h("small", {}, percent)),
    h("td", { class: "number" }, (column.distinct_approximate ? "about " : "") + count(column.distinct)),
    h("td", {}, column.histogram && column.histogram.length ? histogram(column) : commonest(column, rows)),
    h("td", { class: isNumber(column.type) ? "number cut" : "cut" }, text(column.min)),
    h("td", { class: isNumber(column.type) ? "number cut" : "cut" }, text(column.max)));
}

function text(value) {
  return value === null || value === undefined ? "" : String(value);
}

function histogram(column) {
  const most = Math.max(...column.histogram.map((bin) => bin.count));
  const step = WIDTH / column.histogram.length;
  const label = "Histogram from " + text(column.histogram[0].from) + " to " + text(column.histogram[column.histogram.length - 1].to);
  return svg("svg", { class: "spark", role: "img", "aria-label": label, viewBox: "0 0 " + WIDTH + " " + HEIGHT, width: WIDTH, height: HEIGHT },
    column.histogram.map((bin, index) => {
      const height = bin.count === 0 ? 0 : Math.max(1, (HEIGHT * bin.count) / most);
      return svg("rect", { class: "good", x: index * step, y: HEIGHT - height, width: Math.max(1, step - 1), height });
    }));
}

function commonest(column, rows) {
  if (!column.common || column.common.length === 0) { return null; }
  return h("ul", { class: "common" }, column.common.slice(0, 3).map(({ value, count: times }) =>
    h("li", {}, h("span", {}, text(value)), h("small", {}, Math.round((100 * times) / rows) + " %"))));
}
