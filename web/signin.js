/* Signing in: by password, or by a code that is mailed. */

import { post, sentenceOf } from "./api.js";
import { button, field, h, show } from "./dom.js";
import * as session from "./session.js";

export function signIn() {
  const room = h("section", { class: "narrow" });
  byPassword(room);
  return room;
}

/* A form whose refusals stand above its button. */
function form(heading, explanation, fields, label, work) {
  const refusal = h("p", { class: "error", role: "alert" });
  const submit = h("button", { type: "submit", class: "primary" }, label);
  const element = h("form", { novalidate: true, onsubmit: async (event) => {
    event.preventDefault();
    if (submit.getAttribute("aria-busy") === "true") { return; }
    submit.setAttribute("aria-busy", "true");
    refusal.textContent = "";
    try { await work(); } catch (error) { refusal.textContent = sentenceOf(error); }
    submit.removeAttribute("aria-busy");
  } }, h("h1", {}, heading), explanation && h("p", { class: "quiet" }, explanation), fields, refusal, submit);
  return element;
}

function stay() {
  return h("input", { type: "checkbox", id: "stay" });
}

function stayLabel(box) {
  return h("label", { class: "check" }, box, " Keep me signed in on this computer");
}

function byPassword(room) {
  const name = h("input", { name: "username", autocomplete: "username", autocapitalize: "none", spellcheck: "false", required: true });
  const password = h("input", { name: "password", type: "password", autocomplete: "current-password", required: true });
  const box = stay();
  show(room, form("Sign in", null, [
    field("User name or e-mail address", name), field("Password", password), stayLabel(box),
  ], "Sign in", async () => {
    const tokens = await post("/api/token", { username: name.value, password: password.value }, { open: true });
    session.begin(tokens, { lasting: box.checked });
  }), h("p", { class: "or" }, button("Mail me a code instead", () => byCode(room), { kind: "plain" })));
}

function byCode(room) {
  const email = h("input", { name: "email", type: "email", autocomplete: "email", required: true });
  show(room, form("Sign in by mail", "A code of six digits is sent to your address. Whoever is new gets an account.", [
    field("E-mail address", email),
  ], "Send the code", async () => {
    const challenge = await post("/api/auth/otp", { email: email.value.trim() }, { open: true });
    enterCode(room, email.value.trim(), challenge);
  }), h("p", { class: "or" }, button("Sign in with a password", () => byPassword(room), { kind: "plain" })));
  email.focus();
}

function enterCode(room, email, challenge) {
  const code = h("input", { name: "code", inputmode: "numeric", autocomplete: "one-time-code", maxlength: 6, class: "code", required: true });
  const box = stay();
  const minutes = Math.round(challenge.expires_in / 60);
  show(room, form("Enter the code", "It was sent to " + email + " and is good for " + minutes + " minutes.", [
    field("Code", code), stayLabel(box),
  ], "Sign in", async () => {
    const given = { challenge_id: challenge.challenge_id, code: code.value.trim() };
    session.begin(await post("/api/auth/otp/verify", given, { open: true }), { lasting: box.checked });
  }), h("p", { class: "or" }, button("Send another code", () => byCode(room), { kind: "plain" })));
  code.focus();
}
