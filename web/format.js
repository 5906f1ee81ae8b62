/* Numbers, sizes, times and words, as people read them. */

const whole = new Intl.NumberFormat("en");
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function count(value) {
  return whole.format(value);
}

/* "1 row", "2,000 rows". */
export function counted(value, noun, plural = noun + "s") {
  return count(value) + " " + (value === 1 ? noun : plural);
}

export function size(bytes) {
  let unit = 0;
  while (bytes >= 1024 && unit < UNITS.length - 1) { bytes /= 1024; unit += 1; }
  return (unit === 0 ? bytes : bytes.toFixed(bytes < 10 ? 1 : 0)) + " " + UNITS[unit];
}

export function seconds(value) {
  if (value < 10) { return value.toFixed(1) + " s"; }
  if (value < 90) { return Math.round(value) + " s"; }
  if (value < 5400) { return Math.round(value / 60) + " min"; }
  return (value / 3600).toFixed(1) + " h";
}

const STEPS = [["year", 31_536_000], ["month", 2_592_000], ["day", 86_400], ["hour", 3600], ["minute", 60]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/* A moment, told from now, with the exact one as its title. */
export function moment(text) {
  const element = document.createElement("time");
  const at = new Date(text);
  const away = (at.getTime() - Date.now()) / 1000;
  const step = STEPS.find(([, length]) => Math.abs(away) >= length);
  element.dateTime = text;
  element.title = at.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "long" });
  element.textContent = step ? relative.format(Math.round(away / step[1]), step[0]) : "just now";
  return element;
}

const WORDS = {
  type_mismatch: "not of the column's type",
  out_of_range: "out of range",
  too_long: "too long",
  too_short: "too short",
  not_null: "missing value",
  duplicate_in_file: "duplicate in the file",
  duplicate_in_table: "already in the table",
  too_many_fields: "too many cells",
  too_few_fields: "too few cells",
  bad_encoding: "unreadable characters",
  nul_byte: "NUL character",
  stray_quote: "stray quote",
  ambiguous_quote: "ambiguous quote",
  below_min: "below the minimum",
  above_max: "above the maximum",
  pattern_mismatch: "not of the pattern",
  not_in_enum: "not an allowed value",
  unknown_reference: "unknown reference",
};

/* A reject code, as a person would put it. */
export function reason(code) {
  return WORDS[code] || code.replaceAll("_", " ");
}

const NUMBERS = /^(SMALLINT|INTEGER|INT|BIGINT|NUMERIC|DECIMAL|REAL|DOUBLE|FLOAT)/;

export function isNumber(type) {
  return NUMBERS.test(type || "");
}

/* A cell of a record as text, or null. */
export function cell(value) {
  if (value === null || value === undefined) { return null; }
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
