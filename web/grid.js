/* A grid of cells: arrows move, Enter or a second click edits, Escape leaves (as the ARIA practices
   have it, https://www.w3.org/WAI/ARIA/apg/patterns/grid/). */

import { button, h, show } from "./dom.js";

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-10, 0], PageDown: [10, 0] };

/* `columns`: { name, head (nodes in place of the name), sub (below it), numeric, sort ("ascending",
   "descending", "none" or null), nullable }. `rows`: { head, cells: [text or null], marks: { place:
   message } }. `edit(row, place, text or null)`, where it is given, keeps what was typed and
   resolves to the text to show, or null; it raises what refuses it. `may(place)`: which may be edited. */
export function grid({ label, corner = "", columns, rows, edit = null, may = () => true }) {
  const body = h("tbody");
  const table = h("table", { role: "grid", class: "grid", "aria-label": label, "aria-readonly": edit === null },
    h("thead", {}, h("tr", {},
      h("th", { scope: "col", class: "corner" }, corner || h("span", { class: "unseen" }, "Row")),
      columns.map((column) => h("th", { scope: "col", class: column.numeric ? "number" : null, "aria-sort": column.sort || null },
        column.head || column.name, column.sub && h("small", {}, column.sub))))),
    body);
  const cells = rows.map((row, y) => {
    const line = columns.map((column, x) => gridCell(row, column, x));
    body.append(h("tr", { dataset: { row: y } }, h("th", { scope: "row" }, row.head), line));
    return line;
  });
  if (cells.length && columns.length) { cells[0][0].tabIndex = 0; }

  function place(cell) {
    for (let y = 0; y < cells.length; y += 1) {
      const x = cells[y].indexOf(cell);
      if (x >= 0) { return [y, x]; }
    }
    return null;
  }

  function moveTo(y, x) {
    const line = cells[Math.max(0, Math.min(cells.length - 1, y))];
    const cell = line[Math.max(0, Math.min(line.length - 1, x))];
    for (const other of table.querySelectorAll("td[tabindex='0']")) { other.tabIndex = -1; }
    cell.tabIndex = 0;
    cell.focus();
  }

  function begin(cell) {
    const at = place(cell);
    if (edit === null || at === null || !may(at[1])) { return; }
    editCell(cell, rows[at[0]], columns[at[1]], at[1], edit, (dy) => moveTo(at[0] + dy, at[1]));
  }

  body.addEventListener("keydown", (event) => {
    if (event.target.tagName !== "TD") { return; }
    const at = place(event.target);
    if (event.key === "Enter" || event.key === "F2") {
      event.preventDefault();
      begin(event.target);
    } else if (event.key in MOVES) {
      event.preventDefault();
      moveTo(at[0] + MOVES[event.key][0], at[1] + MOVES[event.key][1]);
    } else if (event.key === "Home" || event.key === "End") {
      event.preventDefault();
      moveTo(at[0], event.key === "Home" ? 0 : columns.length - 1);
    }
  });
  let again = null;  // a second click edits, by mouse and by finger
  body.addEventListener("pointerdown", (event) => {
    const cell = event.target.closest("td");
    again = cell !== null && cell === document.activeElement ? cell : null;
  });
  body.addEventListener("click", (event) => {
    if (again !== null && again === event.target.closest("td")) { begin(again); }
  });
  body.addEventListener("focusin", (event) => {
    if (event.target.tagName === "TD" && event.target.tabIndex !== 0) { moveTo(...place(event.target)); }
  });
  return h("div", { class: "scroll", role: "group", "aria-label": label + ", scrolls sideways" }, table);
}

function gridCell(row, column, x) {
  const cell = h("td", { tabindex: -1, class: column.numeric ? "number" : null });
  fillCell(cell, row.cells[x], row.marks && row.marks[x]);
  return cell;
}

export function fillCell(cell, text, mark = null) {
  cell.classList.toggle("bad", Boolean(mark));
  show(cell, text === null ? h("span", { class: "null" }, "null") : text,
    mark && h("small", { class: "mark" }, mark));
  cell.title = text !== null && text.length > 40 && !mark ? text : "";
}

/* Enter keeps what was typed, Escape does not; leaving the cell keeps it, too. */
function editCell(cell, row, column, x, edit, move) {
  const before = row.cells[x];
  const input = h("input", { value: before === null ? "" : before, "aria-label": column.name });
  const refusal = h("small", { class: "mark", role: "alert" });
  let over = false;

  async function keep(text, dy) {
    if (over) { return; }
    if (text === before || (before === null && text === "")) {
      close(before, row.marks && row.marks[x], dy);
      return;
    }
    over = true;
    input.readOnly = true;
    try {
      const shown = await edit(row, x, text);
      row.cells[x] = shown;
      cell.classList.add("changed");
      close(shown, row.marks && row.marks[x], dy);
    } catch (error) {
      over = false;
      input.readOnly = false;
      refusal.textContent = error.sentence || error.message;
      cell.classList.add("bad");
      input.focus();
    }
  }

  function close(text, mark, dy) {
    over = true;
    fillCell(cell, text, mark);
    cell.classList.remove("open");
    if (dy !== null) { move(dy); }
  }

  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") { event.preventDefault(); keep(input.value, 1); }
    if (event.key === "Escape") { event.preventDefault(); close(before, row.marks && row.marks[x], 0); }
  });
  cell.addEventListener("focusout", function left(event) {
    if (over) { cell.removeEventListener("focusout", left); return; }
    if (!cell.contains(event.relatedTarget)) { keep(input.value, null); }
  });
  cell.classList.add("open");
  show(cell, h("span", { class: "editor" }, input,
    column.nullable && before !== null && button("null", () => keep(null, 0), { kind: "plain", title: "Set to null" })), refusal);
  input.focus();
  input.select();
}
