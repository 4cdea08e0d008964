// The tables: what they show, and how they are filtered and sorted.

import { byId, bytes, count, duration, element, plural, rate, setAttribute, setText, short, sync } from "./format.js";

// Rows that are shown before somebody asks for more.
const FEW = 50;

const numberColumn = (title, value, show) => ({ title, value, show, kind: "number" });
const textColumn = (title, value, kind = "") => ({ title, value, show: (v) => v ?? "–", kind });
const nameColumn = (title, value) => textColumn(title, value, "name");
const identity = { title: "Identity", value: (one) => one.peer, show: short, kind: "name", full: true };
const state = {
  title: "State",
  value: (one) => (one.up ? -1 : 1) * (one.up_seconds ?? 1e12),
  show: (_, one) =>
    one.up ? `up ${duration(one.up_seconds)}` : one.failure ? `down: ${one.failure}` : "not up yet",
  mark: (one) => (one.up ? "on" : "off"),
};
const sent = numberColumn("Sent", (one) => one.sent_bytes, bytes);
const received = numberColumn("Received", (one) => one.received_bytes, bytes);
const moving = (perSecond) => (perSecond < 1 ? "–" : rate(perSecond));
const rates = [
  numberColumn("Sent/s", (one) => one.sent_rate, moving),
  numberColumn("Received/s", (one) => one.received_rate, moving),
];
const roundTrip = numberColumn("Round trip", (one) => one.round_trip_seconds, duration);
const ago = (seconds) => (seconds === null ? "–" : `${duration(seconds)} ago`);

// Whose it is, where the console has several nodes.
const node = { ...textColumn("Node", (one) => one.node), optional: true };

export const PARTS = {
  streams: {
    title: "Streams",
    empty: "No stream is open. One begins when a client connects to an inlet.",
    columns: [
      node,
      nameColumn("Client", (one) => one.client ?? (one.peer ? "not told" : null)),
      textColumn("Portal", (one) => one.portal_name, "tight"),
      { ...identity, title: "From", optional: true },
      nameColumn("To", (one) => one.target ?? one.leads_to),
      {
        title: "State",
        value: (one) => Number(one.suspended),
        show: (_, one) => (one.suspended ? "waits for a path" : "open"),
        mark: (one) => (one.suspended ? "off" : "on"),
      },
      numberColumn("Age", (one) => one.age_seconds, duration),
      roundTrip,
      ...rates,
      sent,
      received,
    ],
  },
  portals: {
    title: "Portals",
    empty: "The node has no inlet and no outlet.",
    columns: [
      node,
      textColumn("Portal", (one) => one.kind, "tight"),
      nameColumn("Name", (one) => one.name),
      nameColumn("Leads to", (one) => one.leads_to),
      numberColumn("Streams", (one) => one.streams, count),
      numberColumn("Waiting", (one) => one.suspended, count),
      numberColumn("Begun", (one) => one.streams_begun, count),
      ...rates,
      sent,
      received,
    ],
  },
  connections: {
    title: "Connections",
    empty: "The node is connected with no other one.",
    columns: [
      node,
      nameColumn("With", (one) => one.name),
      textColumn("Direction", (one) => one.direction, "tight"),
      textColumn("Carried by", (one) => one.transport, "tight"),
      state,
      numberColumn("Times up", (one) => one.times_up, count),
      roundTrip,
      ...rates,
      sent,
      received,
    ],
  },
  channels: {
    title: "Channels",
    empty: "No secure channel is open.",
    columns: [
      node,
      identity,
      textColumn("Direction", (one) => one.direction, "tight"),
      state,
      numberColumn("Times up", (one) => one.times_up, count),
      textColumn("Over", (one) => one.over_name),
      nameColumn("Route", (one) => one.route),
    ],
  },
  registrations: {
    title: "Registrations",
    empty: "No hub is asked to forward to this node.",
    columns: [
      node,
      nameColumn("Hub", (one) => one.hub),
      nameColumn("Forwards to", (one) => one.destination),
      { ...identity, title: "Address", value: (one) => one.address, show: (v) => v ?? "–", full: false },
      state,
      numberColumn("Times", (one) => one.times_up, count),
    ],
  },
  forwarders: {
    title: "Forwarders",
    empty: "The node forwards for nobody.",
    columns: [
      node,
      { ...identity, title: "For", value: (one) => one.identity },
      nameColumn("Route", (one) => one.route),
      textColumn("Over", (one) => one.over_name),
      numberColumn("Age", (one) => one.age_seconds, duration),
    ],
  },
  workers: {
    title: "Workers",
    empty: "The node has no worker with a name.",
    columns: [
      node,
      nameColumn("Address", (one) => one.address),
      textColumn("Class", (one) => one.class, "tight"),
      textColumn("Reached from outside by", (one) => one.reached_from.join("; ") || "nobody", "text"),
    ],
  },
  refusals: {
    title: "Refusals",
    empty: "Nothing was refused, and nothing went wrong.",
    columns: [
      node,
      nameColumn("Rule", (one) => one.rule),
      numberColumn("Count", (one) => one.count, count),
      numberColumn("Last", (one) => one.last_seconds_ago, ago),
      textColumn("What the log says", (one) => one.last, "text"),
    ],
  },
};

// Which is shown, and how.
const view = { part: null, filter: "", sort: {}, all: false };
let latest = {};

const panel = () => byId("panel");

export function begin() {
  const tabs = byId("tabs");
  for (const [id, { title }] of Object.entries(PARTS)) {
    const tab = element("button", { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": "panel" });
    tab.append(element("span", {}, title), element("span", { class: "number" }, "0"));
    tab.addEventListener("click", () => select(id));
    tabs.append(tab);
  }
  tabs.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const ids = Object.keys(PARTS);
    const to = { Home: 0, End: ids.length - 1 }[event.key]
      ?? (step && (ids.indexOf(view.part) + step + ids.length) % ids.length);
    if (to === undefined) return;
    event.preventDefault();
    select(ids[to]);
    byId(`tab-${ids[to]}`).focus();
  });
  byId("filter").addEventListener("input", (event) => {
    view.filter = event.target.value.trim().toLowerCase();
    show(latest);
  });
  byId("more").addEventListener("click", () => {
    view.all = !view.all;
    show(latest);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && event.target.tagName !== "INPUT") {
      event.preventDefault();
      byId("filter").focus();
    }
  });
}

// Shows a part, and of that what has `filter` in it.
export function select(id, filter) {
  view.part = id;
  view.all = false;
  if (filter !== undefined) {
    view.filter = filter.toLowerCase();
    byId("filter").value = filter;
  }
  show(latest);
}

// The node lists the latest of many, and with its forwarders those of other hubs, which it counts apart.
function total(state, id) {
  const apart = id === "forwarders" ? state.node?.stand_ins ?? 0 : 0;
  return Math.max((state.node?.[id] ?? 0) + apart, (state[id] ?? []).length);
}

export function show(state) {
  latest = state;
  // At first: a hub has no streams of its own.
  view.part ??= state.portals.length > 0 || state.connections.length === 0 ? "streams" : "connections";
  const { columns: possible, empty } = PARTS[view.part];
  const rows = state[view.part] ?? [];
  const columns = possible.filter((one) => !one.optional || rows.some((row) => one.value(row) !== null));
  for (const id of Object.keys(PARTS)) {
    const tab = byId(`tab-${id}`);
    const chosen = id === view.part;
    setAttribute(tab, "aria-selected", chosen);
    setAttribute(tab, "tabindex", chosen ? 0 : -1);
    setText(tab.lastChild, count(total(state, id)));
  }
  setAttribute(panel(), "aria-labelledby", `tab-${view.part}`);
  const table = panel().querySelector("table");
  const shape = [view.part, ...columns.map(({ title }) => title)].join();
  if (table.dataset.shape !== shape) {
    table.dataset.shape = shape;
    table.tBodies[0].replaceChildren();
    head(table.tHead, columns);
  }
  const found = sorted(rows.filter(matches), columns);
  const shown = view.all ? found : found.slice(0, FEW);
  marks(table.tHead, columns);
  sync(table.tBodies[0], shown, (one) => one.id, () => line(columns), (row, one) => fill(row, one, columns));
  showCounts(state, rows, found, shown, empty);
}

function head(to, columns) {
  const cells = columns.map((column) => {
    const button = element("button", { type: "button" }, column.title);
    button.addEventListener("click", () => {
      const { at, down } = view.sort[view.part] ?? {};
      const first = column.kind === "number";
      view.sort[view.part] = { at: column.title, down: at === column.title ? !down : first };
      show(latest);
    });
    return element("th", { scope: "col", class: column.kind ?? "" }, button);
  });
  to.replaceChildren(element("tr", {}, ...cells));
}

function marks(to, columns) {
  const { at, down } = view.sort[view.part] ?? {};
  [...to.rows[0].cells].forEach((cell, index) => {
    setAttribute(cell, "aria-sort", columns[index].title === at ? (down ? "descending" : "ascending") : null);
  });
}

const matches = (one) => !view.filter || one.words.includes(view.filter);

function sorted(rows, columns) {
  const { at, down } = view.sort[view.part] ?? {};
  const column = columns.find(({ title }) => title === at);
  if (!column) return rows;
  const { value } = column;
  const order = (a, b) => {
    const [one, other] = [value(a), value(b)];
    if (one === other) return 0;
    // What is not known comes last, either way.
    if (one === null || one === undefined) return 1;
    if (other === null || other === undefined) return -1;
    const less = typeof one === "number" ? one - other : String(one).localeCompare(String(other));
    return down ? -less : less;
  };
  return [...rows].sort(order);
}

const line = (columns) => element("tr", {}, ...columns.map(() => element("td")));

function fill(row, one, columns) {
  columns.forEach((column, index) => {
    const cell = row.cells[index];
    const value = column.value(one);
    setText(cell, column.show(value, one));
    setAttribute(cell, "class", [column.kind, column.mark?.(one)].filter(Boolean).join(" ") || null);
    if (column.full) setAttribute(cell, "title", value);
  });
}

function showCounts(state, rows, found, shown, empty) {
  const nothing = byId("empty");
  nothing.hidden = found.length > 0;
  setText(nothing, rows.length === 0 ? empty : "Nothing matches the filter.");
  panel().querySelector("table").hidden = found.length === 0;
  const all = total(state, view.part);
  const parts = [];
  if (found.length !== rows.length) parts.push(`${count(found.length)} match`);
  if (shown.length < found.length) parts.push(`${count(shown.length)} shown`);
  if (all > rows.length) parts.push(`the latest ${count(rows.length)} of ${count(all)} are listed`);
  setText(byId("count"), parts.join(", "));
  const more = byId("more");
  more.hidden = found.length <= FEW;
  setText(more, view.all ? `Show the first ${FEW}` : `Show all ${plural(found.length, "row")}`);
}
