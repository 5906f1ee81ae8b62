"use strict";

/* What Swagger UI shows of a call that was made: beside curl, the same call in Python (httpx) and
   in JavaScript (fetch). Both pages load this before they start Swagger UI. */
(function () {
  function headersOf(request) {
    return request.get("headers") ? request.get("headers").toJS() : {};
  }

  /* JSON is Python but for three words and unpaired surrogates, which no example holds. */
  function python(request) {
    const body = request.get("body");
    const url = JSON.stringify(request.get("url"));
    const lines = ["import httpx", "", "answer = httpx.request(", "    " + JSON.stringify(request.get("method")) + ","];
    lines.push("    " + url + ",");
    lines.push("    headers=" + JSON.stringify(headersOf(request)) + ",");
    if (typeof body === "string") { lines.push("    content=" + JSON.stringify(body) + ","); }
    if (body && typeof body !== "string") { lines.push("    # and the fields of the form as `data=` and `files=`"); }
    return lines.concat([")", "answer.raise_for_status()", "print(answer.text)"]).join("\n");
  }

  function javascript(request) {
    const body = request.get("body");
    const options = { method: request.get("method"), headers: headersOf(request) };
    if (typeof body === "string") { options.body = body; }
    const note = body && typeof body !== "string" ? "// and a FormData of the form's fields as `body`\n" : "";
    return note + "const answer = await fetch(" + JSON.stringify(request.get("url")) + ", " +
      JSON.stringify(options, null, 2) + ");\n" +
      "if (!answer.ok) { throw new Error(await answer.text()); }\nconsole.log(await answer.text());";
  }

  window.codeSamples = {
    requestSnippetsEnabled: true,
    requestSnippets: {
      generators: {
        curl_bash: { title: "curl", syntax: "bash" },
        python: { title: "Python", syntax: "python" },
        javascript: { title: "JavaScript", syntax: "javascript" },
      },
      defaultExpanded: true,
      languages: null,
    },
    plugin: { fn: { requestSnippetGenerator_python: python, requestSnippetGenerator_javascript: javascript } },
  };
})();
