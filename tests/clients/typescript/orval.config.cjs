const client = { client: "axios-functions", mode: "single" };
module.exports = {
  api: { input: "./api.json", output: { target: "./orval-api.ts", ...client } },
  table: { input: "./table.json", output: { target: "./orval-table.ts", ...client } },
};
