/* Calls of the public API: the access token in the header, renewed once it is over, and refusals
   as one kind of error. */

import { accessToken, renew } from "./session.js";

/* What the API refused (RFC 9457); `fields` are the faults by field. */
export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || document.title || "The server answered " + status + ".");
    this.status = status;
    this.code = document.code || "unknown";
    this.fields = document.errors || [];
    this.document = document;
  }

  /* The detail, and each field's fault behind it. */
  get sentence() {
    const faults = this.fields.map((each) => (each.field ? each.field + ": " : "") + each.message);
    return faults.length ? faults.join("; ") : this.message;
  }
}

/* Whatever went wrong, as a sentence for people. */
export function sentenceOf(error) {
  if (error instanceof Problem) { return error.sentence; }
  if (error instanceof TypeError) { return "The server cannot be reached. Check the connection and try again."; }
  return error.message;
}

async function problemOf(answer) {
  try {
    return new Problem(answer.status, await answer.json());
  } catch {
    return new Problem(answer.status, {});
  }
}

/* Send a request and return its answer; raises Problem for any status but 2xx. */
export async function send(method, path, { json, body, headers = {}, signal, open = false } = {}) {
  for (let last = false; ; last = true) {
    const token = open ? null : accessToken();
    const sent = { Accept: "application/json", ...headers };
    if (token) { sent.Authorization = "Bearer " + token; }
    if (json !== undefined) { sent["Content-Type"] = "application/json"; }
    const answer = await fetch(path, {
      method, headers: sent, signal, cache: "no-store", body: json === undefined ? body : JSON.stringify(json),
    });
    if (answer.ok) { return answer; }
    if (answer.status === 401 && !open && !last && (await renew(token))) { continue; }
    throw await problemOf(answer);
  }
}

export async function get(path, options) {
  return (await send("GET", path, options)).json();
}

export async function post(path, json, options) {
  const answer = await send("POST", path, { json, ...options });
  return answer.status === 204 ? null : answer.json();
}

/* A path of encoded parts: `at("api", "tables", name)`. */
export function at(...parts) {
  return "/" + parts.map((part) => encodeURIComponent(part)).join("/");
}

/* A path with a query; null, undefined and empty values are left out. */
export function withQuery(path, values) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== "") { query.append(name, value); }
  }
  const text = query.toString();
  return text ? path + "?" + text : path;
}

/* Every item of a list that comes by pages. */
export async function all(path, options) {
  const items = [];
  for (let next = path; next; ) {
    const page = await get(next, options);
    items.push(...page.items);
    next = page.next;
  }
  return items;
}

/* Download an answer as a file. The token goes in a header, so a plain link will not do. */
export async function download(path, fileName) {
  const answer = await send("GET", path, { headers: { Accept: "*/*" } });
  const address = URL.createObjectURL(await answer.blob());
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.download = fileName;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/* Server-sent events of one path, each given to `on(event, data)`; resumes where it broke off
   until `done` came or `signal` ends it. */
export async function follow(path, on, signal) {
  let lastId = null;
  while (!signal.aborted) {
    const headers = { Accept: "text/event-stream", ...(lastId === null ? {} : { "Last-Event-ID": lastId }) };
    try {
      const answer = await send("GET", path, { headers, signal });
      for await (const event of events(answer.body)) {
        if (event.id !== null) { lastId = event.id; }
        on(event.name, JSON.parse(event.data));
        if (event.name === "done") { return; }
      }
    } catch (error) {
      if (signal.aborted) { return; }
      if (error instanceof Problem && error.status < 500 && error.status !== 429) { throw error; }
    }
    await new Promise((resolve) => { setTimeout(resolve, 1000); });
  }
}

async function* events(stream) {
  let text = "";
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) { return; }
    text = (text + value).replaceAll("\r\n", "\n");
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const event = { name: "message", data: "", id: null };
      for (const line of text.slice(0, end).split("\n")) {
        const colon = line.indexOf(":");
        const [name, rest] = [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
        if (name === "event") { event.name = rest; }
        if (name === "data") { event.data += rest; }
        if (name === "id") { event.id = rest; }
      }
      text = text.slice(end + 2);
      if (event.data) { yield event; }
    }
  }
}
