"use strict";

/* The token that Authorize gets is kept for this tab, so that a table's own page can use it. */
function keepToken(response) {
  if (response.ok && response.url.endsWith("/api/auth/token") && response.obj) {
    sessionStorage.setItem("tabularium.access", response.obj.access_token || "");
  }
  return response;
}

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
  responseInterceptor: keepToken,
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
  },
});
