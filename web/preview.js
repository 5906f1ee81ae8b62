/* What a preview says: the grid of its first rows with types and evidence, and its problems. */

import { choice, h } from "./dom.js";
import { count, counted, isNumber, reason } from "./format.js";
import { grid } from "./grid.js";

const TYPES = ["TEXT", "INTEGER", "BIGINT", "NUMERIC", "DOUBLE PRECISION", "BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMPTZ", "TIME", "INTERVAL", "UUID", "JSON"];
const MARKS = { "\t": "tabs", ",": "commas", ";": "semicolons", "|": "pipes", " ": "spaces" };

/* What the file turned out to be, in a sentence. */
export function formatSentence(format) {
  if (!format) { return ""; }
  const facts = [format.name.toUpperCase() + (format.compression ? " in " + format.compression : "")];
  if (format.encoding) { facts.push(format.encoding.toUpperCase()); }
  if (format.delimiter) { facts.push((MARKS[format.delimiter] || "“" + format.delimiter + "”") + " between cells"); }
  if (format.sheet) { facts.push("sheet “" + format.sheet + "”"); }
  if (format.member) { facts.push("“" + format.member + "” in the archive"); }
  if (format.record_path) { facts.push("records in " + format.record_path); }
  if (format.header_line > 1) { facts.push("header on line " + format.header_line); }
  if (format.footer_lines) { facts.push(counted(format.footer_lines, "line") + " left out at the end"); }
  if (format.blank_rows) { facts.push(counted(format.blank_rows, "blank row")); }
  if (format.repeated_headers) { facts.push(counted(format.repeated_headers, "repeated header")); }
  if (format.decimal === ",") { facts.push("decimal comma"); }
  if (format.date_formats.length) { facts.push("dates as " + format.date_formats.join(" or ")); }
  if (format.null_values.length) { facts.push(format.null_values.join(", ") + " for null"); }
  return facts.join(" · ");
}

/* The grid. `setType(column, type)` for a new table, `setTarget(source, name or null)` and `targets`
   for one that is there. */
export function previewGrid(preview, { setType, setTarget, targets, types, mapping }) {
  const marks = new Map(preview.problems.filter(({ line }) => line !== null).map((each) => [each.line + ":" + each.column, each]));
  const columns = preview.columns.map((column) => ({
    name: column.name || column.source,
    numeric: isNumber(column.type),
    head: [h("span", { class: "name" }, column.source), targets ? target(column) : typed(column)],
    sub: h("span", { class: "because", title: column.because || "" }, column.name in types ? "As you chose." : evidence(column)),
  }));

  function typed(column) {
    if (column.name === null) { return h("em", {}, "left out"); }
    const offered = TYPES.includes(column.type) ? TYPES : [column.type, ...TYPES];
    const select = choice(offered.map((type) => [type, type]), column.type, { "aria-label": "Type of " + column.name, class: column.name in types ? "set" : null });
    select.addEventListener("change", () => setType(column.name, select.value));
    return select;
  }

  function target(column) {
    const select = choice([["", "left out"], ...targets.map((name) => [name, "→ " + name])], column.name || "", {
      "aria-label": "Where " + column.source + " goes", class: column.source in mapping ? "set" : null,
    });
    select.addEventListener("change", () => setTarget(column.source, select.value || null));
    return select;
  }

  const rows = preview.rows.map((cells, index) => {
    const line = preview.lines[index];
    const found = cells.map((_, place) => {
      const { name, source } = preview.columns[place];
      const problem = marks.get(line + ":" + name) || marks.get(line + ":" + source);
      return problem ? problem.message : null;
    });
    return { head: line, cells: [...cells], marks: found };
  });
  return grid({ label: "Preview", corner: "line", columns, rows });
}

function evidence(column) {
  if (column.because) { return column.because; }
  if (column.name === null) { return ""; }
  return column.type || "";
}

/* The problems, each kind once, with how often it is there. */
export function problemList(preview) {
  const kinds = new Map();
  for (const each of preview.problems) {
    const key = each.code + ":" + each.column;
    const kind = kinds.get(key) || { ...each, times: 0 };
    kind.times += 1;
    kinds.set(key, kind);
  }
  if (kinds.size === 0) {
    return h("p", { class: "state good" }, preview.complete
      ? "All " + counted(preview.rows_read, "row") + " would go in."
      : "The first " + counted(preview.rows_read, "row") + " would go in.");
  }
  const of = preview.complete ? counted(preview.rows_read, "row") + " read" : "the first " + counted(preview.rows_read, "row") + " read";
  return h("div", { class: "problems" },
    h("p", {}, h("b", {}, preview.problems.length >= 100 ? "100 problems or more" : counted(preview.problems.length, "problem")), ", " + of + ":"),
    h("ul", {}, [...kinds.values()].map((kind) => h("li", {},
      kind.line === null ? kind.message : [
        h("b", {}, kind.column || "The row"), ": ", reason(kind.code),
        kind.times > 1 && " (" + count(kind.times) + " times)", ", first on line " + count(kind.line) + ": ", kind.message,
      ]))));
}
