"use strict";

const table = location.pathname.replace(/\/$/, "").split("/").pop();
const form = document.getElementById("sign-in");
const message = document.getElementById("message");

async function show(token) {
  const answer = await fetch("/api/tables/" + table + "/openapi.json", {
    headers: { Authorization: "Bearer " + token },
  });
  if (answer.status === 401) {
    sessionStorage.removeItem("tabularium.access");
    form.hidden = false;
    return;
  }
  const document_ = await answer.json();
  if (!answer.ok) {
    message.textContent = document_.detail || document_.title || "This table cannot be shown.";
    form.hidden = false;
    return;
  }
  form.hidden = true;
  message.textContent = "";
  SwaggerUIBundle({
    spec: document_,
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

form.addEventListener("submit", async function (event) {
  event.preventDefault();
  message.textContent = "";
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
    message.textContent = body.detail || "The sign-in was refused.";
    return;
  }
  sessionStorage.setItem("tabularium.access", body.access_token);
  await show(body.access_token);
});

const kept = sessionStorage.getItem("tabularium.access");
if (kept) { show(kept); } else { form.hidden = false; }
