/* Places for a lineage in layers, from the left to the right; pure. */

export const [BOX_WIDTH, BOX_HEIGHT] = [172, 54];
const [GAP_X, GAP_Y, EDGE] = [48, 18, 16];
const ROUNDS = 4;

/* The layers, each a list of ids: a step to the right with each arrow, as far left as that goes.
   In a cycle the arrow that closes it is left aside. */
function inLayers(nodes, edges) {
  const targets = new Map(nodes.map(({ id }) => [id, []]));
  for (const { source, target } of edges) { targets.get(source).push(target); }
  const order = [];
  const state = new Map();
  const closing = new Set();
  const visit = (first) => {
    const path = [[first, 0]];
    state.set(first, "open");
    while (path.length) {
      const top = path[path.length - 1];
      const [id, index] = top;
      top[1] += 1;
      const next = targets.get(id)[index];
      if (next === undefined) {
        path.pop();
        state.set(id, "done");
        order.push(id);
      } else if (state.get(next) === "open") {
        closing.add(id + " " + next);
      } else if (!state.has(next)) {
        state.set(next, "open");
        path.push([next, 0]);
      }
    }
  };
  const upstreamFirst = [...nodes].sort((one, other) => one.distance - other.distance);
  for (const { id } of upstreamFirst) { if (!state.has(id)) { visit(id); } }
  const layer = new Map(nodes.map(({ id }) => [id, 0]));
  for (const id of order.reverse()) {
    for (const next of targets.get(id)) {
      if (!closing.has(id + " " + next)) { layer.set(next, Math.max(layer.get(next), layer.get(id) + 1)); }
    }
  }
  pullRight(order, targets, layer, closing);
  const layers = [];
  for (const { id } of nodes) { (layers[layer.get(id)] = layers[layer.get(id)] || []).push(id); }
  return layers.filter(Boolean);
}

/* What nothing leads to stands right before what it leads to, which keeps its arrows short. */
function pullRight(order, targets, layer, closing) {
  const fed = new Set([...targets].flatMap(([id, nexts]) => nexts.filter((next) => !closing.has(id + " " + next))));
  for (const id of order) {
    const nexts = targets.get(id).filter((next) => !closing.has(id + " " + next));
    if (!fed.has(id) && nexts.length) { layer.set(id, Math.min(...nexts.map((next) => layer.get(next))) - 1); }
  }
}

/* `nodes` with `id` and `distance` (below 0 upstream), `edges` with `source` and `target`. Returns
   { places: Map of id to { x, y }, width, height }. Each layer is put in the order of what it
   hangs on, a few times to and fro, which takes most crossings out (Sugiyama's barycentres). */
export function layered(nodes, edges) {
  const layers = inLayers(nodes, edges);
  const neighbours = new Map(nodes.map(({ id }) => [id, []]));
  for (const { source, target } of edges) {
    neighbours.get(source).push(target);
    neighbours.get(target).push(source);
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    const rank = new Map(layers.flatMap((layer) => layer.map((id, index) => [id, (index + 0.5) / layer.length])));
    for (const layer of round % 2 ? [...layers].reverse() : layers) {
      const middle = (id) => {
        const near = neighbours.get(id);
        return near.length ? near.reduce((sum, other) => sum + rank.get(other), 0) / near.length : rank.get(id);
      };
      const weight = new Map(layer.map((id) => [id, middle(id)]));
      layer.sort((one, other) => weight.get(one) - weight.get(other));
      layer.forEach((id, index) => rank.set(id, (index + 0.5) / layer.length));
    }
  }
  const tallest = Math.max(...layers.map((layer) => layer.length));
  const height = tallest * (BOX_HEIGHT + GAP_Y) - GAP_Y + 2 * EDGE;
  const places = new Map();
  layers.forEach((layer, column) => {
    const own = layer.length * (BOX_HEIGHT + GAP_Y) - GAP_Y;
    layer.forEach((id, index) => places.set(id, {
      x: EDGE + column * (BOX_WIDTH + GAP_X), y: (height - own) / 2 + index * (BOX_HEIGHT + GAP_Y),
    }));
  });
  return { places, width: layers.length * (BOX_WIDTH + GAP_X) - GAP_X + 2 * EDGE, height };
}
