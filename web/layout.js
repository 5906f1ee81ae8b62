/* What is around every view: the bar at the top, light and dark, short notices. */

import { get } from "./api.js";
import { button, choice, field, h, show } from "./dom.js";
import * as session from "./session.js";

const THEME = "tabularium.theme";
const PLACES = [
  ["/app/tables", "Tables"],
  ["/app/imports", "Imports"],
  ["/app/feeds", "Feeds"],
  ["/app/lineage", "Lineage"],
];

let account = null;

export function applyTheme() {
  const theme = localStorage.getItem(THEME);
  document.documentElement.dataset.theme = theme === "light" || theme === "dark" ? theme : "auto";
}

function setTheme(theme) {
  localStorage.setItem(THEME, theme);
  applyTheme();
}

export function drawTop(path) {
  const top = document.getElementById("top");
  const brand = h("a", { class: "brand", href: "/app" }, "Tabularium");
  if (!session.signedIn()) {
    account = null;
    show(top, h("header", {}, brand));
    return;
  }
  const here = (place) => path === place || path.startsWith(place + "/");
  const places = PLACES.map(([place, name]) =>
    h("a", { href: place, "aria-current": here(place) ? "page" : null }, name));
  show(top, h("header", {},
    brand,
    h("nav", { "aria-label": "Places" }, places),
    h("a", { class: "button primary", href: "/app/import" }, "New import"),
    accountMenu()));
}

function accountMenu() {
  const name = h("span", { class: "who" }, account ? named(account) : "Account");
  if (!account) {
    get("/api/auth/me").then((me) => { account = me; name.textContent = named(me); }, () => {});
  }
  const theme = choice([["auto", "As the system"], ["light", "Light"], ["dark", "Dark"]],
    document.documentElement.dataset.theme);
  theme.addEventListener("change", () => setTheme(theme.value));
  const menu = h("details", { class: "menu", onkeydown: (event) => {
    if (event.key !== "Escape" || !menu.open) { return; }
    menu.open = false;
    menu.firstElementChild.focus();
  }, onfocusout: (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) { menu.open = false; }
  } },
    h("summary", {}, name),
    h("div", { class: "panel" },
      field("Colours", theme),
      h("a", { href: "/docs" }, "Every call of the API"),
      button("Sign out", session.end)));
  return menu;
}

function named(me) {
  return me.username || me.email || me.sub;
}

const SHOWN_MS = 10_000;

/* A short notice that goes by itself; "bad" ones stay until they are closed. */
export function notify(text, kind = "good", ...more) {
  const notice = h("div", { class: "notice " + kind }, h("p", {}, text, ...more.map((each) => [" ", each])));
  notice.append(button("Close", () => notice.remove(), { kind: "plain" }));
  document.getElementById("notices").append(notice);
  if (kind !== "bad") { setTimeout(() => notice.remove(), SHOWN_MS); }
}

/* A question in a dialog of the browser; resolves to the value of the button that was chosen. */
export function ask(heading, content, answers) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-label": heading },
      h("h2", {}, heading),
      content,
      h("div", { class: "actions" }, answers.map(([value, text, kind]) =>
        h("button", { type: "button", class: kind || "", autofocus: value === "" && answers.some((each) => each[2] === "danger"), onclick: () => dialog.close(value) }, text))));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/* The empty list, with what one can do about it. */
export function nothing(text, ...more) {
  return h("p", { class: "nothing" }, text, ...more.map((each) => [" ", each]));
}

export function crumbs(...parts) {
  return h("p", { class: "crumbs" }, parts.map((part, index) => [index ? " / " : null, part]));
}

