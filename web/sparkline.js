/* The last runs of a feed as small bars: height by rows, colour by what became of them. */

import { svg } from "./dom.js";
import { counted } from "./format.js";

const [HEIGHT, STEP, WIDTH] = [28, 7, 5];
const RUNS = 30;

/* `history` as the API has it, newest first; drawn with the newest last. */
export function sparkline(history) {
  const runs = history.slice(0, RUNS).reverse();
  const most = Math.max(1, ...runs.map((run) => run.rows.loaded));
  const bars = runs.map((run, index) => {
    const height = Math.max(3, Math.round((HEIGHT * run.rows.loaded) / most));
    const bad = run.state === "failed" || run.state === "cancelled";
    return svg("rect", {
      x: index * STEP, width: WIDTH, rx: 1.5, class: bad ? "bad" : run.unchanged ? "same" : "good",
      y: bad ? 0 : HEIGHT - height, height: bad ? HEIGHT : height,
    });
  });
  const failed = runs.filter(({ state }) => state === "failed").length;
  const label = runs.length === 0 ? "No run yet" : counted(runs.length, "run") + ", " + (failed === 0 ? "none" : failed) + " failed; the last one loaded "
    + counted(runs[runs.length - 1].rows.loaded, "row");
  return svg("svg", { class: "spark", role: "img", "aria-label": label, viewBox: "0 0 " + RUNS * STEP + " " + HEIGHT, width: RUNS * STEP, height: HEIGHT }, bars);
}
