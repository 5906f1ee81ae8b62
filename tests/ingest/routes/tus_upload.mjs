// Sends a file in two goes, the second by an upload that only knows the first one's address.
import fs from "node:fs";
import { createRequire } from "node:module";

const [modules, endpoint, authorization, path, stopAt] = process.argv.slice(2);
const tus = createRequire(`${modules}/`)("tus-js-client");

function sent(options, stopAt) {
  return new Promise((resolve, reject) => {
    const upload = new tus.Upload(fs.createReadStream(path), {
      headers: { Authorization: authorization },
      chunkSize: 1 << 20,
      retryDelays: [0, 0, 0, 0, 0],
      onError: reject,
      onSuccess: () => resolve(upload),
      onChunkComplete: (_size, accepted, total) => {
        if (accepted >= stopAt && accepted < total) {
          upload.abort().then(() => resolve(upload), reject);
        }
      },
      ...options,
    });
    upload.start();
  });
}

const metadata = { filename: "people.csv", filetype: "text/csv" };
const first = await sent({ endpoint, metadata }, Number(stopAt));
const second = await sent({ uploadUrl: first.url }, Infinity);
console.log(second.url);
