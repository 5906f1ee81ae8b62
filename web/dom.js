/* Elements out of plain calls. Every text becomes a text node: nothing here, and nothing in the
   page, turns a string into markup. */

const SVG = "http://www.w3.org/2000/svg";

/* Attributes by their names; `on…` functions listen; `class`, `dataset` and `style` (an object)
   are set as properties; true gives a bare attribute, null, undefined and false none. */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) { continue; }
    if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), value);
    } else if (name === "dataset") {
      Object.assign(element.dataset, value);
    } else if (name === "style") {
      for (const [property, text] of Object.entries(value)) { element.style.setProperty(property, text); }
    } else if (name === "value") {
      element.value = value;
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) { continue; }
    element.append(child instanceof Node ? child : String(child));
  }
}

export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  if (tag !== "select") { return fill(element, attributes, children); }
  append(element, children);  // a select takes its value once its options are there
  return fill(element, attributes, []);
}

export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/* Put children in place of what an element holds. */
export function show(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/* A link within the page, which the router follows. */
export function link(path, ...children) {
  return h("a", { href: path }, ...children);
}

let ids = 0;

export function newId(prefix = "e") {
  ids += 1;
  return prefix + ids;
}

/* A labelled control, with a hint below it. */
export function field(label, control, { hint = null, wide = false } = {}) {
  const id = control.id || newId("f");
  control.id = id;
  const below = hint === null ? null : h("small", { id: id + "-hint" }, hint);
  if (below) { control.setAttribute("aria-describedby", below.id); }
  return h("div", { class: wide ? "field wide" : "field" }, h("label", { for: id }, label), control, below);
}

export function choice(options, value, attributes = {}) {
  return h("select", { ...attributes, value }, options.map(([key, text]) => h("option", { value: key }, text)));
}

/* A button that is busy while its work runs, so that nothing is sent twice. */
export function button(text, work, { kind = "", ...attributes } = {}) {
  const element = h("button", { type: "button", class: kind, ...attributes, onclick: async () => {
    if (element.getAttribute("aria-busy") === "true") { return; }
    element.setAttribute("aria-busy", "true");
    try { await work(element); } finally { element.removeAttribute("aria-busy"); }
  } }, text);
  return element;
}
