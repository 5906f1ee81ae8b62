"use strict";

/* The token that Authorize gets is kept for this tab, so that a table's own page can use it. */
function keepToken(response) {
  if (response.ok && response.url.endsWith("/api/auth/token") && response.obj) {
    sessionStorage.setItem("tabularium.access", response.obj.access_token || "");
  }
}

/* Swagger UI fills optional fields of forms with the word "string" and sends it; here a field
   without a default or an example of its own begins empty. */
function emptyFields(text) {
  const whole = JSON.parse(text);
  const named = (whole.components || {}).schemas || {};
  for (const path of Object.values(whole.paths)) {
    for (const operation of Object.values(path)) {
      const content = (operation.requestBody || {}).content || {};
      for (const [mediaType, entry] of Object.entries(content)) {
        if (!/form/.test(mediaType)) { continue; }
        const schema = named[(entry.schema.$ref || "").split("/").pop()] || entry.schema;
        const example = /urlencoded/.test(mediaType) ? entry.example || {} : {};
        for (const [name, field] of Object.entries(schema.properties || {})) {
          if (name in example) {
            field.example = example[name];
            continue;
          }
          const filled = ["default", "example", "examples", "const", "enum"];
          if (!filled.some(function (word) { return word in field; })) { field.example = ""; }
        }
      }
    }
  }
  return JSON.stringify(whole);
}

/* Whatever way somebody signed in: a token that was sent is kept, and one that is kept is used. */
function onRequest(request) {
  const sent = (request.headers || {}).Authorization || "";
  if (sent.startsWith("Bearer ")) { sessionStorage.setItem("tabularium.access", sent.slice(7)); }
  return request;
}

function useKeptToken(ui) {
  const kept = sessionStorage.getItem("tabularium.access");
  if (kept) { ui.preauthorizeApiKey("AccessToken", kept); }
}

function onAnswer(response) {
  keepToken(response);
  if (response.ok && new URL(response.url).pathname === "/openapi.json") {
    response.text = emptyFields(response.text);
  }
  return response;
}

/* Swagger UI sends optional form fields that nobody filled as empty texts unless each is unticked;
   here they are left out unless ticked. */
function LeaveOutEmptyFields(system) {
  function quiet(Original) {
    return function (props) {
      const options = Object.assign({}, props.isIncludedOptions, { defaultValue: false });
      const changed = Object.assign({}, props, { isIncludedOptions: options });
      return system.React.createElement(Original, changed);
    };
  }
  return { wrapComponents: { ParameterIncludeEmpty: quiet } };
}

/* Swagger UI's dialog gives the focus to its last field and so begins scrolled to its end; people
   who sign in look for the first. */
document.addEventListener("click", function (event) {
  if (!event.target.closest(".btn.authorize, .authorization__btn")) { return; }
  requestAnimationFrame(function () {
    const first = document.querySelector(".dialog-ux .auth-container input[type=text]");
    if (first) {
      first.focus();
      document.querySelector(".dialog-ux .modal-ux-content").scrollTop = 0;
    }
  });
});

window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: false,
  validatorUrl: null,
  plugins: [LeaveOutEmptyFields, window.codeSamples.plugin],
  requestSnippetsEnabled: window.codeSamples.requestSnippetsEnabled,
  requestSnippets: window.codeSamples.requestSnippets,
  requestInterceptor: onRequest,
  responseInterceptor: onAnswer,
  onComplete: function () {
    const scopes = [];
    const schemes = window.ui.specSelectors.securityDefinitions();
    if (schemes) {
      schemes.forEach(function (scheme) {
        const offered = scheme.getIn(["flows", "password", "scopes"]);
        if (offered) { offered.keySeq().forEach(function (name) { scopes.push(name); }); }
      });
    }
    window.ui.initOAuth({ scopes: scopes });
    useKeptToken(window.ui);
  },
});
