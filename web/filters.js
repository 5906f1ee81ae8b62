/* Filters of records: (column, operator, value), in the page's address and in the API's query. */

import { button, choice, h, show } from "./dom.js";

const TEXTS = [["icontains", "contains"], ["eq", "is"], ["startswith", "begins with"], ["ne", "is not"]];
const ORDERED = [["eq", "is"], ["gte", "at least"], ["lte", "at most"], ["gt", "more than"], ["lt", "less than"], ["ne", "is not"]];
const PLAIN = [["eq", "is"], ["ne", "is not"]];
const NULLS = [["isnull", "is null"], ["notnull", "is not null"]];
const NAMES = Object.fromEntries([...TEXTS, ...ORDERED, ...NULLS]);

function operators(type) {
  if (/^(TEXT|VARCHAR|CHAR)/.test(type)) { return [...TEXTS, ...NULLS]; }
  if (/^(JSON|BYTEA)/.test(type)) { return NULLS; }
  return [...(/^(BOOLEAN|UUID)/.test(type) ? PLAIN : ORDERED), ...NULLS];
}

/* From the page's query: `f=column op value`, the name and the value encoded. */
export function filtersOf(query) {
  return query.getAll("f").flatMap((text) => {
    const [column, operator, value = ""] = text.split(" ");
    try {
      return operator in NAMES ? [{ column: decodeURIComponent(column), operator, value: decodeURIComponent(value) }] : [];
    } catch { return []; }
  });
}

export function filterText({ column, operator, value }) {
  return [encodeURIComponent(column), operator, encodeURIComponent(value)].join(" ");
}

/* Pairs for the API's query. */
export function filterParameters(filters) {
  return filters.map(({ column, operator, value }) => {
    if (operator === "isnull") { return [column + "__isnull", "true"]; }
    if (operator === "notnull") { return [column + "__isnull", "false"]; }
    return [column + "__" + operator, value];
  });
}

/* The filters as chips that can be taken away, and a form for one more. */
export function filterBar(columns, filters, onChange) {
  const chips = filters.map((filter, index) => h("span", { class: "chip" },
    filter.column, " ", NAMES[filter.operator], " ",
    filter.operator.endsWith("null") ? null : h("b", {}, filter.value),
    button("×", () => onChange(filters.filter((_, other) => other !== index)), {
      kind: "plain", "aria-label": "Take the filter on " + filter.column + " away",
    })));
  const column = choice(columns.map(({ name }) => [name, name]), columns[0].name, { "aria-label": "Column" });
  const operator = h("span");
  const value = h("input", { "aria-label": "Value", size: 14 });
  let chosen = null;
  const offer = () => {
    const { type } = columns.find(({ name }) => name === column.value);
    chosen = choice(operators(type), operators(type)[0][0], { "aria-label": "Comparison" });
    chosen.addEventListener("change", () => { value.hidden = chosen.value.endsWith("null"); });
    value.hidden = chosen.value.endsWith("null");
    show(operator, chosen);
  };
  column.addEventListener("change", offer);
  offer();
  const form = h("form", { class: "filter", hidden: true, onsubmit: (event) => {
    event.preventDefault();
    onChange([...filters, { column: column.value, operator: chosen.value, value: value.value }]);
  } }, column, operator, value, h("button", { type: "submit" }, "Apply"));
  const more = button("Filter", () => {
    form.hidden = !form.hidden;
    more.setAttribute("aria-expanded", String(!form.hidden));
    if (!form.hidden) { column.focus(); }
  }, { "aria-expanded": "false" });
  return [chips, more, form];
}
