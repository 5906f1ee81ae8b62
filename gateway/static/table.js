"use strict";

/* `/docs/tables/NAME` shows the document of one table, `/docs/tables` the tables to choose from.
   Both are only for those who may see the tables, so somebody has to sign in first; the token is
   kept for this tab, where `/docs` uses it too. */

const TOKEN = "tabularium.access";
const parts = location.pathname.replace(/\/$/, "").split("/").slice(3);
const signIn = document.getElementById("sign-in");
const byMail = document.getElementById("by-mail");
const message = document.getElementById("message");
const list = document.getElementById("tables");
const filters = document.getElementById("filters");

function say(text) {
  message.textContent = text;
}

async function read(path, token) {
  const answer = await fetch(path, { headers: { Authorization: "Bearer " + token } });
  const body = await answer.json();
  if (answer.status === 401) {
    sessionStorage.removeItem(TOKEN);
    signIn.hidden = false;
    say(body.code === "token_expired" ? "Your sign-in has expired. Sign in again." : body.detail);
    return null;
  }
  signIn.hidden = true;
  if (!answer.ok) {
    say(body.detail || body.title || "This cannot be shown.");
    return null;
  }
  return body;
}

async function showTables(token) {
  let next = "/api/tables";
  while (next) {
    const page = await read(next, token);
    if (!page) { return; }
    for (const table of page.items) {
      const link = document.createElement("a");
      link.href = "/docs/tables/" + encodeURIComponent(table.name);
      link.textContent = table.name;
      list.appendChild(document.createElement("li")).appendChild(link);
    }
    next = page.next;
  }
  if (!list.children.length) { say("There is no table yet that you may see."); }
}

function operationsOf(spec) {
  return Object.values(spec.paths).flatMap(function (path) {
    return Object.values(path).filter(function (each) { return each.operationId; });
  });
}

/* The document without the filters of columns, of which there are ten a column, but those chosen. */
function withFilters(spec, chosen) {
  const shown = JSON.parse(JSON.stringify(spec));
  for (const operation of operationsOf(shown)) {
    operation.parameters = (operation.parameters || []).filter(function (each) {
      return !each["x-filter"] || chosen.has(each.name);
    });
  }
  return shown;
}

function offerFilters(spec, ui) {
  const chosen = new Set();
  const choice = filters.querySelector("select");
  const names = operationsOf(spec).flatMap(function (operation) {
    return (operation.parameters || []).filter(function (each) { return each["x-filter"]; })
      .map(function (each) { return each.name; });
  });
  for (const name of new Set(names)) { choice.add(new Option(name, name)); }
  choice.addEventListener("change", function () {
    if (!choice.value) { return; }
    chosen.add(choice.value);
    choice.selectedOptions[0].remove();
    choice.value = "";
    ui.specActions.updateJsonSpec(withFilters(spec, chosen));
    say("Shown in every call that takes filters: " + Array.from(chosen).join(", "));
  });
  filters.hidden = false;
}

async function showTable(name, token) {
  const spec = await read("/api/tables/" + name + "/openapi.json", token);
  if (!spec) { return; }
  const ui = SwaggerUIBundle({
    spec: withFilters(spec, new Set()),
    dom_id: "#swagger-ui",
    deepLinking: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 1,
    validatorUrl: null,
    plugins: [window.codeSamples.plugin],
    requestSnippetsEnabled: window.codeSamples.requestSnippetsEnabled,
    requestSnippets: window.codeSamples.requestSnippets,
    requestInterceptor: function (request) {
      if (!request.headers.Authorization) { request.headers.Authorization = "Bearer " + token; }
      return request;
    },
  });
  offerFilters(spec, ui);
}

function show(token) {
  return parts.length ? showTable(parts[0], token) : showTables(token);
}

async function keep(token) {
  sessionStorage.setItem(TOKEN, token);
  await show(token);
}

/* The answer's body, or null with the reason said. */
async function ask(path, init, refusal) {
  say("");
  const answer = await fetch(path, Object.assign({ method: "POST" }, init));
  const body = await answer.json();
  if (answer.ok) { return body; }
  say(body.detail || refusal);
  return null;
}

function json(content) {
  return { headers: { "Content-Type": "application/json" }, body: JSON.stringify(content) };
}

document.getElementById("by-password").addEventListener("submit", async function (event) {
  event.preventDefault();
  const fields = new FormData(event.target);
  fields.set("grant_type", "password");
  const pair = await ask(
    "/api/auth/token", { body: new URLSearchParams(fields) }, "The sign-in was refused.");
  if (pair) { await keep(pair.access_token); }
});

byMail.addEventListener("submit", async function (event) {
  event.preventDefault();
  const fields = new FormData(byMail);
  const code = byMail.elements.code;
  if (!byMail.dataset.challenge) {
    const sent = await ask(
      "/api/auth/otp", json({ email: fields.get("email") }), "No code could be sent.");
    if (!sent) { return; }
    byMail.dataset.challenge = sent.challenge_id;
    code.required = true;
    code.parentElement.hidden = false;
    byMail.querySelector("button").textContent = "Sign in";
    say("A code is on its way to " + fields.get("email") + ".");
    return;
  }
  const sign = { challenge_id: byMail.dataset.challenge, code: fields.get("code") };
  const pair = await ask("/api/auth/otp/verify", json(sign), "The code was refused.");
  if (pair) { await keep(pair.access); }
});

document.getElementById("by-token").addEventListener("submit", async function (event) {
  event.preventDefault();
  say("");
  await keep(new FormData(event.target).get("token").trim());
});

const kept = sessionStorage.getItem(TOKEN);
if (kept) { show(kept); } else { signIn.hidden = false; }
