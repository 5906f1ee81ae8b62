/* A new import: a file is dropped and uploaded; then a preview stands beside the options that
   change it, and the rows are rehearsed or landed. */

import { all, post, sentenceOf } from "./api.js";
import { button, choice, field, h, show } from "./dom.js";
import { size } from "./format.js";
import { nothing } from "./layout.js";
import { optionPanel } from "./options.js";
import { formatSentence, previewGrid, problemList } from "./preview.js";
import { go, guard } from "./router.js";
import { upload } from "./upload.js";

const PREVIEW_ROWS = 50;
const MODES = [["append", "Add the rows"], ["upsert", "Merge them by a key"], ["replace", "Replace all rows"]];

export async function newImport({ main, query, signal }) {
  const room = h("div");
  show(main, h("div", { class: "head" }, h("h1", {}, "New import")), room);
  const file = await chosen(room, signal);
  const id = await sent(room, file, signal);
  if (id === null) {
    go(location.pathname + location.search, { replace: true });
    return;
  }
  const tables = (await all("/api/tables?limit=1000", { signal })).filter(({ level }) => level !== "viewer");
  bench(room, { id, file, tables, into: query.get("table"), signal });
}

/* A place to drop a file, which is also a button to choose one. */
function chosen(room, signal) {
  return new Promise((resolve) => {
    const input = h("input", { type: "file", id: "file", class: "unseen", onchange: () => input.files.length && resolve(input.files[0]) });
    const zone = h("label", { class: "drop", for: "file" },
      h("b", {}, "Drop a file here"), h("span", {}, "or choose one"),
      h("small", {}, "CSV, JSON, Excel, OpenDocument, Parquet, Arrow; also compressed or in an archive. Nothing is loaded before you have seen it."));
    const over = (event) => {
      event.preventDefault();
      zone.classList.toggle("over", event.type === "dragover");
    };
    for (const name of ["dragover", "dragleave", "drop"]) { document.addEventListener(name, over, { signal }); }
    document.addEventListener("drop", (event) => event.dataTransfer.files.length && resolve(event.dataTransfer.files[0]), { signal });
    show(room, input, zone);
  });
}

/* Upload the file with a bar; its id, or null when it was given up. */
async function sent(room, file, signal) {
  const stop = new AbortController();
  signal.addEventListener("abort", () => stop.abort());
  guard(() => !stop.signal.aborted);
  const bar = h("progress", { max: Math.max(file.size, 1), value: 0, "aria-label": "Upload" });
  const text = h("span", {}, "");
  show(room, h("div", { class: "card" },
    h("p", {}, h("b", {}, file.name), " ", h("span", { class: "quiet" }, size(file.size))), bar, h("p", { class: "quiet" }, text),
    button("Give up", () => stop.abort())));
  try {
    return await upload(file, (now) => {
      bar.value = now.sent;
      text.textContent = now.waiting
        ? "The connection is lost. It goes on by itself, from " + size(now.sent) + "."
        : size(now.sent) + " of " + size(file.size);
    }, stop.signal);
  } catch (error) {
    if (stop.signal.aborted && !signal.aborted) { return null; }
    throw error;
  } finally {
    guard(() => false);
  }
}

function tableName(file) {
  const stem = file.name.replace(/\.(gz|zst|bz2|xz|zip|tar|tgz)$/i, "").replace(/\.[^.]*$/, "");
  return stem.normalize("NFC").replace(/[^\p{L}\p{M}\p{N}_]+/gu, "_").replace(/^[_\d]+|_+$/g, "").slice(0, 40) || "table";
}

/* The preview, the options beside it, and where the rows go. */
function bench(room, { id, file, tables, into, signal }) {
  const known = tables.find(({ name }) => name === into);
  const wanted = {
    reading: {}, types: {}, mapping: {}, fresh: !known, table: known ? known.name : "", name: tableName(file),
    mode: "append", key: [], on_error: "skip", ignore: false,
  };
  let preview = null;
  let asking = null;
  const seen = h("section", { class: "seen", "aria-label": "What will come of it", "aria-live": "polite" });
  const panel = optionPanel({}, (reading) => { wanted.reading = reading; look(); });
  const place = destination(wanted, tables, look);
  const refusal = h("p", { class: "error", role: "alert" });
  const land = button("Land it", () => submit(false), { kind: "primary" });
  const rehearse = button("Rehearse first", () => submit(true), { title: "Judges every row and loads none" });
  show(room,
    h("p", { class: "crumbs" }, h("b", {}, file.name), " · ", size(file.size)),
    h("div", { class: "bench" }, seen,
      h("aside", { "aria-label": "Options" }, place.element, panel.element,
        h("div", { class: "card landing" }, refusal, h("div", { class: "actions" }, land, rehearse)))));

  function rowOptions() {
    const { fresh, types, mapping, mode, key } = wanted;
    return {
      ...(fresh ? { create_table: true } : {}),
      ...(fresh && Object.keys(types).length ? { types } : {}),
      ...(Object.keys(mapping).length ? { mapping } : {}),
      ...(!fresh && mode !== "append" ? { mode } : {}),
      ...(!fresh && mode === "upsert" ? { key } : {}),
      ...(!fresh && wanted.ignore ? { on_new_column: "ignore" } : {}),
    };
  }

  async function look() {
    if (asking) { asking.abort(); }
    asking = new AbortController();
    const mine = asking;
    signal.addEventListener("abort", () => mine.abort());
    seen.setAttribute("aria-busy", "true");
    const unfinished = !wanted.fresh && wanted.mode === "upsert" && wanted.key.length === 0;
    const body = { upload: id, rows: PREVIEW_ROWS, ...wanted.reading, ...rowOptions(), ...(wanted.fresh ? {} : { table: wanted.table }) };
    if (unfinished) { delete body.mode; delete body.key; }
    try {
      preview = await post("/api/previews", body, { signal: mine.signal });
      draw();
      panel.refuse([]);
    } catch (error) {
      if (mine.signal.aborted) { return; }
      preview = null;
      panel.refuse(error.fields || []);
      show(seen, h("p", { class: "state bad", role: "alert" }, sentenceOf(error)), panel.remedies(error.fields || []));
    }
    seen.removeAttribute("aria-busy");
    refusal.textContent = "";
    land.disabled = rehearse.disabled = preview === null || unfinished;
  }

  function draw() {
    panel.update(preview);
    place.update(preview);
    const known = tables.find(({ name }) => name === wanted.table);
    show(seen,
      h("p", { class: "quiet" }, formatSentence(preview.format)),
      problemList(preview),
      preview.columns.length === 0 ? nothing("There is no column in it.") : previewGrid(preview, {
        types: wanted.types, mapping: wanted.mapping,
        targets: wanted.fresh ? null : known.columns.map(({ name }) => name),
        setType: (column, type) => { wanted.types[column] = type; look(); },
        setTarget: (source, name) => { wanted.mapping[source] = name; look(); },
      }),
      preview.rows.length < preview.rows_read && h("p", { class: "quiet" }, "The first " + preview.rows.length + " rows are shown."));
  }

  async function submit(dry) {
    refusal.textContent = "";
    const body = {
      upload: id, ...preview.options, ...wanted.reading, ...rowOptions(),
      table: wanted.fresh ? wanted.name.trim() : wanted.table, on_error: wanted.on_error, ...(dry ? { dry_run: true } : {}),
    };
    try {
      const made = await post("/api/imports", body);
      go("/app/imports/" + made.id);
    } catch (error) {
      refusal.textContent = sentenceOf(error);
    }
  }
  look();
}

/* Where the rows go: a new table or one that is there, and what becomes of its rows. */
function destination(wanted, tables, onChange) {
  const name = h("input", { value: wanted.name, spellcheck: "false", oninput: () => { wanted.name = name.value; } });
  const table = choice(tables.map((each) => [each.name, each.name]), wanted.table || (tables[0] && tables[0].name));
  const mode = choice(MODES, wanted.mode);
  const key = h("div", { class: "field" });
  const ignore = h("input", { type: "checkbox", onchange: () => { wanted.ignore = ignore.checked; onChange(); } });
  const onError = choice([["skip", "Leave them out"], ["abort", "Load nothing then"]], wanted.on_error);
  const fresh = h("div", {}, field("Name of the table", name));
  const ignoring = h("label", { class: "check" }, ignore, "Leave out columns that the table has not");
  const there = h("div", {}, field("Table", table), field("Its rows", mode), key, ignoring);
  const kinds = choice([["new", "A new table"], ["old", "A table that is there"]], wanted.fresh ? "new" : "old");

  function keys() {
    const known = tables.find((each) => each.name === wanted.table);
    const sets = known ? [...known.columns.filter(({ unique }) => unique).map((column) => [column.name]), ...known.unique] : [];
    if (wanted.mode !== "upsert") { wanted.key = []; show(key); return; }
    const texts = sets.map((names) => names.join(", "));
    if (sets.length === 0) { wanted.key = []; show(key, h("p", { class: "error" }, "The table has no unique column to be a key.")); return; }
    if (!texts.includes(wanted.key.join(", "))) { wanted.key = sets[0]; }
    const select = choice(texts.map((text) => [text, text]), wanted.key.join(", "));
    select.addEventListener("change", () => { wanted.key = sets[texts.indexOf(select.value)]; onChange(); });
    show(key, field("Key", select));
  }

  function update() {
    fresh.hidden = !wanted.fresh;
    there.hidden = wanted.fresh;
  }
  kinds.addEventListener("change", () => {
    wanted.fresh = kinds.value === "new";
    wanted.table = wanted.fresh ? "" : table.value;
    Object.assign(wanted, { types: {}, mapping: {} });
    keys();
    update();
    onChange();
  });
  table.addEventListener("change", () => { Object.assign(wanted, { table: table.value, mapping: {} }); keys(); onChange(); });
  mode.addEventListener("change", () => { wanted.mode = mode.value; keys(); onChange(); });
  onError.addEventListener("change", () => { wanted.on_error = onError.value; });
  keys();
  update();
  return {
    element: h("div", { class: "card" }, tables.length > 0 && field("Where the rows go", kinds), fresh, there, field("Bad rows", onError)),
    update,
  };
}
