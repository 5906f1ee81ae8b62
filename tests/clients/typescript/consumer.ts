// A user of the generated types: openapi-fetch with those of openapi-typescript, and orval's axios
// functions. `node consumer.js URL TOKEN IMPORT`; a failed check ends it with status 1.
import axios from "axios";
import createClient from "openapi-fetch";
import type { paths as Api } from "./api";
import { importsRejects } from "./orval-api.js";
import { recordsChange, recordsExport, recordsGet } from "./orval-table.js";
import type { paths as Table } from "./table";

declare const process: { argv: string[] };

const [url = "", token = "", importId = ""] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${token}` };
const ONE = "/api/tables/OfEveryType/records/{id}";

function check(holds: boolean, what: unknown): void {
  if (!holds) { throw new Error(JSON.stringify(what)); }
}

async function byFetch(): Promise<void> {
  const api = createClient<Api>({ baseUrl: url, headers });
  const table = createClient<Table>({ baseUrl: url, headers });
  const one = { params: { path: { id: 1 } } };
  const { data: before, error } = await table.GET(ONE, one);
  check(before?.text === "first" && before.double === "NaN", error ?? before);
  const { data: after } = await table.PATCH(ONE, { ...one, body: { d_text: "by fetch" } });
  check(after?.d_text === "by fetch" && after.d_uuid === before?.d_uuid, after);
  const { data: page } = await table.GET("/api/tables/OfEveryType/records", {
    params: { query: { a__gt__eq: "2", double: "NaN", fields: "text" } },
  });
  check(page?.items.map((item) => item.text).join() === "first", page);
  const { data: rejects } = await api.GET("/api/imports/{id}/rejects", {
    params: { path: { id: Number(importId) } },
    parseAs: "text",
  });
  check(rejects?.includes("out_of_range") === true, rejects);
  const { data: file } = await table.GET("/api/tables/OfEveryType/export", {
    params: { query: { format: "parquet" } },
    parseAs: "arrayBuffer",
  });
  check(file instanceof ArrayBuffer && file.byteLength > 8, file);
}

async function byOrval(): Promise<void> {
  axios.defaults.baseURL = url;
  axios.defaults.headers.common = headers;
  const { data: before } = await recordsGet(1);
  const { data: after } = await recordsChange(1, { d_text: "by orval" });
  check(after.d_text === "by orval" && after.d_uuid === before.d_uuid, after);
  const { data: text } = await recordsExport({ fields: "text", sort: "id" });
  check(String(text).includes("1,first"), text);
  const { data: rejects } = await importsRejects(Number(importId));
  check(rejects.includes("out_of_range"), rejects);
}

await byFetch();
await byOrval();
