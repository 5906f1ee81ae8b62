/* The options that read a file, as controls: what is left alone is found by itself. */

import { button, choice, field, h, newId } from "./dom.js";

const FORMATS = ["csv", "json", "ndjson", "xlsx", "xls", "xlsb", "ods", "parquet", "arrow"];
const OPTIONS = [
  ["The file", [
    { name: "format", label: "Format", choices: [["", "Found by itself"], ...FORMATS.map((name) => [name, name])] },
    { name: "sheet", label: "Sheet", from: "sheets" },
    { name: "member", label: "File in the archive", from: "members" },
    { name: "delimiter", label: "Between cells", of: ["csv"], choices: [
      ["", "Found by itself"], ["comma", "Comma"], ["semicolon", "Semicolon"], ["tab", "Tab"], ["pipe", "Pipe"], ["space", "Space"]] },
    { name: "quote", label: "Around cells", of: ["csv"], choices: [["", "Found by itself"], ["\"", "Double quotes"], ["'", "Single quotes"], ["none", "Nothing"]] },
    { name: "encoding", label: "Encoding", of: ["csv", "json", "ndjson"], suggestions: ["windows-1252", "windows-1250", "windows-1251", "iso-8859-15", "koi8-r", "macroman", "shift_jis", "gb18030", "big5", "utf-16", "utf-8"] },
    { name: "header_line", label: "Line of the header", suggestions: ["1", "none"], not: ["json", "ndjson", "parquet", "arrow"], hint: "A line number, or none." },
    { name: "footer_lines", label: "Lines to leave out at the end", number: true, not: ["json", "ndjson", "parquet", "arrow"] },
    { name: "record_path", label: "Where the records are", of: ["json"], hint: "For example data.items." },
  ]],
  ["The cells", [
    { name: "date_format", label: "Dates", suggestions: ["%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d %b %Y", "epoch_s", "epoch_ms"], hint: "For example %d.%m.%Y; several with | between." },
    { name: "century_from", label: "Two-digit years begin at", number: true, hint: "The first of their hundred years: 1930." },
    { name: "decimal", label: "Before decimals", choices: [["", "Found by itself"], [".", "Point"], [",", "Comma"]] },
    { name: "thousands", label: "Between thousands", choices: [["", "Nothing"], [".", "Point"], [",", "Comma"], ["space", "Space"], ["apostrophe", "Apostrophe"]] },
    { name: "numbers", label: "Numbers", choices: [["", "Digits only"], ["lenient", "Also €, %, (5)"]] },
    { name: "null_values", label: "Cells that mean null", list: true, hint: "With commas between: NA,-" },
    { name: "trim", label: "Blanks around cells", choices: [["", "Where all rows have them"], ["all", "Always taken off"], ["none", "Kept"]] },
    { name: "fill_short", label: "Missing last cells are null", check: true },
  ]],
];

/* Fieldsets of controls. `onChange(values)` gets the options that differ from the defaults, ready
   to be sent. The result has `element`, `update(preview)`, `refuse(fields)`, which says at an
   option how its refusal begins (the whole of it stands where the preview would be), and
   `remedies(fields)`: buttons for what a refused option may be, where it was left alone. */
export function optionPanel(initial, onChange) {
  const controls = [];
  const values = { ...initial };
  const element = h("div", { class: "options" }, OPTIONS.map(([heading, options], index) =>
    h("details", { open: index === 0 || options.some(({ name }) => name in initial) }, h("summary", {}, heading),
      options.map((option) => {
        const made = control(option, values, () => onChange({ ...values }));
        // Which there are to choose from, only a preview knows.
        if (option.from && !(option.name in initial)) { made.element.hidden = true; }
        controls.push(made);
        return made.element;
      }))));

  function update({ format, sheets, members }) {
    for (const { option, element: shown, input } of controls) {
      const name = format ? format.name : null;
      const fits = (!option.of || name === null || option.of.includes(name)) && !(option.not && option.not.includes(name));
      const offered = option.from ? { sheets, members }[option.from] : null;
      shown.hidden = !(fits || option.name in values) || (option.from && offered.length === 0);
      if (option.from && offered.length && input.options.length !== offered.length + 1) {
        input.replaceChildren(...[["", "Found by itself"], ...offered.map((each) => [each, each])].map(([key, text]) => h("option", { value: key }, text)));
        input.value = values[option.name] || "";
      }
    }
  }

  function refuse(fields) {
    for (const { option, input, refusal } of controls) {
      const fault = fields.find((each) => each.field === option.name);
      refusal.textContent = fault ? fault.message.split(/[.;] /, 1)[0] : "";
      input.setAttribute("aria-invalid", fault ? "true" : "false");
      if (fault) { input.closest("details").open = true; }
    }
  }

  function remedies(fields) {
    const refused = controls.filter(({ option }) => !(option.name in values) && fields.some((each) => each.field === option.name));
    return refused.map(({ option, input }) => {
      const pick = (value) => {
        input.value = value;
        input.dispatchEvent(new Event("change"));
      };
      const known = option.choices || (option.suggestions || []).map((value) => [value, value]);
      const offered = known.filter(([value]) => value !== "");
      return offered.length > 0 && h("div", { class: "actions", role: "group", "aria-label": option.label },
        h("span", {}, option.label + ":"), offered.map(([value, text]) => button(text, () => pick(value))));
    });
  }
  return { element, update, refuse, remedies };
}

function control(option, values, onChange) {
  const given = values[option.name];
  const shown = option.list && given ? given.join(",") : given === undefined ? "" : String(given);
  const refusal = h("small", { class: "error", role: "alert" });
  const keep = (value) => {
    if (value === "" || value === false || value === null) { delete values[option.name]; } else { values[option.name] = value; }
    onChange();
  };
  if (option.check) {
    const input = h("input", { type: "checkbox", onchange: () => keep(input.checked) });
    input.checked = given === true;
    return { option, input, refusal, element: h("label", { class: "check" }, input, option.label) };
  }
  let list = null;
  let input;
  if (option.choices || option.from) {
    input = choice(option.choices || [["", "Found by itself"]], shown);
  } else {
    list = option.suggestions && h("datalist", { id: newId("d") }, option.suggestions.map((value) => h("option", { value })));
    input = h("input", { value: shown, placeholder: "Found by itself", list: list && list.id, inputmode: option.number ? "numeric" : null, spellcheck: "false" });
    if (option.number || option.list) { input.placeholder = ""; }
  }
  input.addEventListener("change", () => keep(read(option, input.value.trim())));
  return { option, input, refusal, element: h("div", {}, field(option.label, input, { hint: option.hint ?? null }), list, refusal) };
}

function read(option, text) {
  if (text === "") { return ""; }
  if (option.list) { return text.split(",").map((part) => part.trim()); }
  return option.number && /^\d+$/.test(text) ? Number(text) : text;
}
