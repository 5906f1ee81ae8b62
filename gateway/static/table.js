"use strict";

/* `/docs/tables/NAME` shows the document of one table, `/docs/tables` the tables to choose from.
   Both are only for those who may see the tables, so somebody has to sign in first; the token is
   kept for this tab, and `/docs` puts it there too. */

const TOKEN = "tabularium.access";
const parts = location.pathname.replace(/\/$/, "").split("/").slice(3);
const form = document.getElementById("sign-in");
const message = document.getElementById("message");
const list = document.getElementById("tables");

function say(text) {
  message.textContent = text;
}

async function read(path, token) {
  const answer = await fetch(path, { headers: { Authorization: "Bearer " + token } });
  const body = await answer.json();
  if (answer.status === 401) {
    sessionStorage.removeItem(TOKEN);
    form.hidden = false;
    return null;
  }
  form.hidden = true;
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

async function showTable(name, token) {
  const spec = await read("/api/tables/" + name + "/openapi.json", token);
  if (!spec) { return; }
  SwaggerUIBundle({
    spec: spec,
    dom_id: "#swagger-ui",
    deepLinking: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 1,
    validatorUrl: null,
    requestInterceptor: function (request) {
      if (!request.headers.Authorization) { request.headers.Authorization = "Bearer " + token; }
      return request;
    },
  });
}

function show(token) {
  return parts.length ? showTable(parts[0], token) : showTables(token);
}

form.addEventListener("submit", async function (event) {
  event.preventDefault();
  say("");
  const fields = new FormData(form);
  const answer = await fetch("/api/auth/token", {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "password",
      username: fields.get("username"),
      password: fields.get("password"),
    }),
  });
  const body = await answer.json();
  if (!answer.ok) {
    say(body.detail || "The sign-in was refused.");
    return;
  }
  sessionStorage.setItem(TOKEN, body.access_token);
  await show(body.access_token);
});

const kept = sessionStorage.getItem(TOKEN);
if (kept) { show(kept); } else { form.hidden = false; }
