// How quantities are written, and elements that are kept over updates.

const digits = (number) =>
  number >= 100 || Number.isInteger(number) ? String(Math.round(number))
    : number >= 10 ? number.toFixed(1) : number.toFixed(2);

export function bytes(count) {
  if (count === null || count === undefined) return "–";
  let scaled = count;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (scaled < 999.5) return `${digits(unit === "B" ? Math.round(scaled) : scaled)} ${unit}`;
    scaled /= 1000;
  }
  return `${digits(scaled)} TB`;
}

export const rate = (perSecond) => `${bytes(perSecond)}/s`;

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const whole = Math.floor(seconds);
  if (seconds < 0.001) return `${digits(seconds * 1e6)} µs`;
  if (seconds < 1) return `${digits(seconds * 1e3)} ms`;
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor(whole / 60) % 60} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor(whole / 3600) % 24} h`;
}

export const count = (number) => (number ?? 0).toLocaleString("en");

export const plural = (number, one, many = `${one}s`) =>
  `${count(number)} ${number === 1 ? one : many}`;

// Enough of an identity to tell it from others.
export const short = (identity) =>
  identity && identity.length > 14 ? `${identity.slice(0, 13)}…` : identity ?? "–";

// "inlet 127.0.0.1:4001"; an outlet that nobody has named is called "outlet".
export const portalName = ({ kind, name }) => (kind === name ? kind : `${kind} ${name}`);

export const byId = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Sets the text only if it differs, so that a selection survives.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (value === null || value === undefined) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

// Has `parent` contain one child for each item, in this order. Children are kept by key, and the
// focus with them.
export function sync(parent, items, key, make, update) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let position = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let child = before.get(name);
    before.delete(name);
    if (!child) {
      child = make(item);
      child.dataset.key = name;
    }
    update(child, item);
    if (child === position) position = position.nextElementSibling;
    else parent.insertBefore(child, position);
  }
  for (const gone of before.values()) gone.remove();
}
