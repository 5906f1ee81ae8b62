/* A file on its way to the server, piece by piece as tus 1.0.0 has it
   (https://tus.io/protocols/resumable-upload): a connection that breaks costs one piece, and the
   same file dropped again goes on where it was. */

import { get, Problem, send } from "./api.js";
import { accessToken, renew } from "./session.js";

const PIECE_BYTES = 8 * 1024 * 1024;
const TUS = { "Tus-Resumable": "1.0.0" };
const PAUSES_MS = [1000, 2000, 5000, 10_000];

function keyOf(file) {
  return ["tabularium.upload", file.name, file.size, file.lastModified].join(":");
}

/* Upload a file and return its id. `on({ sent, waiting })` follows it; `signal` gives it up. */
export async function upload(file, on, signal) {
  const key = keyOf(file);
  const id = (await begun(file, key, signal)) || (await begin(file, key, signal));
  let failures = 0;
  for (let offset = await received(id, signal); offset < file.size;) {
    on({ sent: offset, waiting: false });
    try {
      offset = await piece(id, file, offset, on, signal);
      failures = 0;
    } catch (error) {
      if (signal.aborted || (error instanceof Problem && error.status < 500 && ![409, 429].includes(error.status))) { throw error; }
      on({ sent: offset, waiting: true });
      await pause(PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)], signal);
      failures += 1;
      offset = await received(id, signal).catch((away) => {
        if (signal.aborted || (away instanceof Problem && away.status < 500)) { throw away; }
        return offset;
      });
    }
  }
  on({ sent: file.size, waiting: false });
  localStorage.removeItem(key);
  return id;
}

async function begun(file, key, signal) {
  const id = localStorage.getItem(key);
  if (id === null) { return null; }
  try {
    const known = await get("/api/uploads/" + id, { signal });
    return known.size_bytes === file.size ? id : null;
  } catch (error) {
    if (!(error instanceof Problem)) { throw error; }
    localStorage.removeItem(key);  // it was kept for a day, or belongs to another account
    return null;
  }
}

async function begin(file, key, signal) {
  const name = btoa(String.fromCharCode(...new TextEncoder().encode(file.name)));
  const headers = { ...TUS, "Upload-Length": String(file.size), "Upload-Metadata": "filename " + name };
  const { id } = await (await send("POST", "/api/uploads", { headers, signal })).json();
  localStorage.setItem(key, id);
  return id;
}

async function received(id, signal) {
  const answer = await send("HEAD", "/api/uploads/" + id, { headers: TUS, signal });
  return Number(answer.headers.get("Upload-Offset"));
}

/* Send one piece; the offset behind it. XMLHttpRequest, because fetch does not say how much of a
   body is on its way. */
async function piece(id, file, offset, on, signal) {
  for (let last = false; ; last = true) {
    const token = accessToken();
    const request = await patched(id, token, file.slice(offset, offset + PIECE_BYTES), offset, on, signal);
    if (request.status === 204) { return Number(request.getResponseHeader("Upload-Offset")); }
    if (request.status === 401 && !last && (await renew(token))) { continue; }
    let document = {};
    try { document = JSON.parse(request.responseText); } catch { /* not from us: its status says enough */ }
    throw new Problem(request.status, document);
  }
}

function patched(id, token, bytes, offset, on, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open("PATCH", "/api/uploads/" + id);
    for (const [name, value] of Object.entries({
      ...TUS, "Authorization": "Bearer " + token, "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(offset),
    })) { request.setRequestHeader(name, value); }
    request.upload.onprogress = (event) => on({ sent: offset + event.loaded, waiting: false });
    request.onload = () => resolve(request);
    request.onerror = () => reject(new TypeError("the connection broke"));
    request.onabort = () => reject(new DOMException("given up", "AbortError"));
    request.onloadend = () => signal.removeEventListener("abort", abort);
    signal.addEventListener("abort", abort);
    request.send(bytes);
  });
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
