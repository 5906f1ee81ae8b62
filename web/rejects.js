/* The refused rows of an import as a grid: corrected in place, and sent as a correction. */

import { download, follow, post, send, sentenceOf } from "./api.js";
import { button, h, link } from "./dom.js";
import { count, counted } from "./format.js";
import { grid } from "./grid.js";
import { notify } from "./layout.js";
import { guard, render } from "./router.js";

const SHOWN = 200;
const REPORT = ["_line", "_column", "_code", "_message", "_raw"];

/* The report's records, one after the other: CSV with quotes where they are needed (RFC 4180). */
async function* records(stream) {
  let record = [];
  let cell = "";
  let quoted = false;
  let closed = false;
  const reader = stream.pipeThrough(new TextDecoderStream("utf-8")).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) { break; }
    for (const character of value) {
      if (quoted) {
        if (character === "\"") { quoted = false; closed = true; } else { cell += character; }
      } else if (character === "\"") {
        if (closed) { cell += "\""; }
        quoted = true;
        closed = false;
      } else if (character === "," || character === "\n") {
        record.push(cell);
        cell = "";
        closed = false;
        if (character === "\n") { yield record; record = []; }
      } else if (character !== "\r") {
        cell += character;
      }
    }
  }
  if (record.length || cell) { yield [...record, cell]; }
}

/* The first rows, each once with all that was found wrong with it. */
async function rejected(id, signal) {
  const stop = new AbortController();
  signal.addEventListener("abort", () => stop.abort());
  const answer = await send("GET", "/api/imports/" + id + "/rejects", { headers: { Accept: "text/csv" }, signal: stop.signal });
  let header = null;
  const rows = new Map();
  let more = false;
  for await (const record of records(answer.body)) {
    if (header === null) { header = record.slice(0, -REPORT.length); continue; }
    const [line, column, , message, raw] = record.slice(-REPORT.length);
    if (!rows.has(line) && rows.size === SHOWN) { more = true; break; }
    const row = rows.get(line) || { line: Number(line), head: count(Number(line)), cells: record.slice(0, -REPORT.length), marks: {}, changed: {} };
    const at = Math.max(0, header.indexOf(column));
    row.marks[at] = (row.marks[at] ? row.marks[at] + "; " : "") + message + (raw ? ": " + raw : "");
    rows.set(line, row);
  }
  stop.abort();
  return { columns: header || [], rows: [...rows.values()], more };
}

/* The section of an import's page; `open` says whether they may be corrected still. */
export async function rejectSection(run, { open, signal }) {
  const { columns, rows, more } = await rejected(run.id, signal);
  const pending = new Set();
  guard(() => pending.size > 0);
  const submit = button("", async () => {
    const changed = [...pending].map(({ line, changed: values }) => ({ line, values }));
    try {
      const made = await post("/api/imports/" + run.id + "/corrections", { rows: changed });
      pending.clear();
      state();
      await follow(made.links.events, (name, now) => name === "done" && told(now), signal);
      render({ focus: false });
    } catch (error) {
      notify(sentenceOf(error), "bad");
    }
  }, { kind: "primary", id: "send-corrections" });
  const state = () => {
    submit.disabled = pending.size === 0;
    submit.textContent = pending.size ? "Send " + counted(pending.size, "corrected row") : "Send corrected rows";
  };
  state();
  const edit = async (row, place, text) => {
    row.changed[columns[place]] = text;
    pending.add(row);
    state();
    return text;
  };
  const element = h("section", {},
    h("h2", {}, "Refused rows"),
    h("p", { class: "quiet" }, open
      ? "Correct a cell (Enter, or a second click) and send the rows: what is in order then enters this import."
      : "They can be downloaded, corrected and imported."),
    grid({
      label: "Refused rows", corner: "line", rows, edit: open ? edit : null,
      columns: columns.map((name) => ({ name, nullable: true })),
    }),
    more && h("p", { class: "quiet" }, "The first " + count(SHOWN) + " are shown; the file has all."),
    h("div", { class: "actions" }, open && submit,
      button("Download all as CSV", () => download("/api/imports/" + run.id + "/rejects", "import-" + run.id + "-refused.csv")),
      open && corrected(run, signal)));
  return element;
}

/* The downloaded file comes back corrected. */
function corrected(run, signal) {
  const input = h("input", { type: "file", class: "unseen", id: "corrected", onchange: async () => {
    const body = new FormData();
    body.append("file", input.files[0]);
    try {
      const made = await (await send("POST", "/api/imports/" + run.id + "/corrections", { body, signal })).json();
      await follow(made.links.events, (name, now) => name === "done" && told(now), signal);
      render({ focus: false });
    } catch (error) {
      notify(sentenceOf(error), "bad");
    }
    input.value = "";
  } });
  return [input, h("label", { class: "button", for: "corrected" }, "Send the corrected file")];
}

function told(run) {
  const where = link("/app/imports/" + run.id, "The correction");
  if (run.state !== "succeeded" && run.error) {
    notify(run.error.detail, "bad", where);
    return;
  }
  const left = run.rows.rejected ? " " + counted(run.rows.rejected, "row") + " still refused." : "";
  notify(counted(run.rows.loaded, "corrected row") + " entered the import." + left, run.rows.rejected ? "bad" : "good", where);
}

