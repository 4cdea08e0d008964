// The picture: programs at this end, portals, secure channels and neighbours, and what leads where.

import { arrange } from "./layout.js";
import { byId, duration, element, plural, portalName, rate, setAttribute, setText, short, sync } from "./format.js";

// Boxes of one column; what is beyond them is put together in one.
const MOST = 7;

const TITLES = ["Programs", "This node", "Secure channels of this node", "Neighbours"];
const TITLES_OF_SEVERAL = ["Programs", "These nodes", "Their secure channels", "Neighbours"];

// Bytes a second of a connection on which nothing but signs of life passes.
const SIGNS_OF_LIFE = 500;

// The columns that are this node.
const HERE = [1, 2];

let drawn = [];
let choose = () => {};

// `chosen` is told of the part and the filter that a box stands for.
export function begin(chosen) {
  choose = chosen;
  const picture = byId("picture");
  new ResizeObserver(() => lines(picture)).observe(picture);
}

export function show(state) {
  const picture = byId("picture");
  const { boxes, edges } = graph(state);
  const titles = state.nodes.length > 1 ? TITLES_OF_SEVERAL : TITLES;
  const columns = titles.map((title, index) => fold(boxes.filter((box) => box.column === index), index));
  const stands = new Map(columns.flatMap(({ stands }) => [...stands]));
  const used = columns.flatMap(({ shown }, index) => (shown.length > 0 ? [{ index, shown }] : []));
  const { arranged, routes } = arrange(used.map(({ shown }) => shown), joined(edges, stands));
  const here = used.flatMap(({ index }, at) => (HERE.includes(index) ? [at + 1] : []));
  const frame = here.length > 0 ? [{ index: "frame", at: `${here[0]} / ${here[here.length - 1] + 1}` }] : [];
  const placed = used.map(({ index }, at) => ({ index, shown: arranged[at], at: at + 1 }));
  const groups = used.length === 0 ? [{ index: "nothing", at: 1 }] : [...frame, ...placed];
  picture.style.setProperty("--columns", Math.max(1, used.length));
  let canvas = picture.querySelector("svg");
  canvas?.remove();
  sync(picture, groups, ({ index }) => index, ({ index }) => group(index), (made, { index, shown, at }) => {
    made.style.gridColumn = at;
    const title = made.querySelector("h3");
    if (title) setText(title, titles[index]);
    const list = made.querySelector("ul");
    if (list) sync(list, shown, (box) => box.id, place, fill);
  });
  canvas ??= document.createElementNS("http://www.w3.org/2000/svg", "svg");
  canvas.setAttribute("aria-hidden", "true");
  picture.prepend(canvas);
  drawn = routes;
  lines(picture);
}

// One edge for all between two boxes that are shown, of which `stands` says which each box is.
function joined(edges, stands) {
  const joined = new Map();
  for (const edge of edges) {
    const [from, to] = [stands.get(edge.from), stands.get(edge.to)];
    if (!from || !to) continue;
    const name = `${from} ${to}`;
    const other = joined.get(name) ?? { from, to, rate: 0, off: true };
    joined.set(name, { from, to, rate: other.rate + (edge.rate ?? 0), off: other.off && edge.off });
  }
  return [...joined.values()];
}

// What is in the picture: boxes in columns, and what leads from one to another.
function graph(state) {
  const boxes = [];
  const edges = [];
  const flows = new Map();
  for (const stream of state.streams) {
    const name = `${stream.portal} ${stream.over}`;
    const flow = flows.get(name) ?? { portal: stream.portal, over: stream.over, rate: 0, off: true };
    flow.rate += stream.rate;
    flow.off &&= stream.suspended;
    flows.set(name, flow);
  }
  for (const portal of state.portals) {
    const inlet = portal.kind.endsWith("inlet");
    // Of several nodes, each has what its name says.
    const name = portal.node ?? portalName(portal);
    const waiting = portal.suspended > 0 ? `${portal.suspended} waiting` : null;
    const end = { id: `end/${portal.id}`, column: 0, part: "streams", filter: portal.node ?? portal.name };
    boxes.push(inlet
      ? { ...end, title: plural(portal.streams, "client"), lines: [`of ${name}`] }
      : { ...end, title: portal.leads_to, lines: [`target of ${name}`] });
    boxes.push({
      id: portal.id, column: 1, part: "portals", filter: portal.node ?? portal.name,
      title: name, rate: portal.rate, mark: waiting,
      lines: [plural(portal.streams, "stream")],
    });
    edges.push({ from: end.id, to: portal.id, rate: portal.rate, off: false });
    const carries = flows.has(`${portal.id} ${portal.over}`);
    if (inlet && portal.over && !carries) edges.push({ from: portal.id, to: portal.over, off: false });
  }
  for (const flow of flows.values()) edges.push({ from: flow.portal, to: flow.over, rate: flow.rate, off: flow.off });
  // What passes a connection of a hub, it forwards, unless a channel or a stream of its own is there.
  const own = new Set([...state.channels, ...state.streams].map((one) => one.over));
  for (const { node, forwarders, stand_ins } of state.nodes.filter((one) => one.forwarders + one.stand_ins > 0)) {
    const hub = `hub/${node}`;
    const lines = [plural(forwarders, "forwarder")];
    if (stand_ins > 0) lines.push(`${stand_ins} of other hubs`);
    boxes.push({
      id: hub, column: 1, part: "forwarders", filter: node ?? "", title: node ?? "Forwarding service", lines,
    });
    for (const { id, rate, up } of state.connections.filter((one) => one.node === node && !own.has(one.id))) {
      edges.push({ from: hub, to: id, rate: rate < SIGNS_OF_LIFE ? 0 : rate, off: !up });
    }
  }
  const carried = new Map();
  for (const { over, rate } of flows.values()) carried.set(over, (carried.get(over) ?? 0) + rate);
  for (const channel of state.channels) {
    const sum = carried.get(channel.id) ?? 0;
    boxes.push({
      id: channel.id, column: 2, part: "channels", filter: channel.peer ?? channel.route,
      title: channel.peer ? short(channel.peer) : "unknown peer", rate: sum, off: !channel.up,
      mark: channel.up ? null : "down", lines: [`${channel.direction}, end to end`],
    });
    if (channel.over) edges.push({ from: channel.id, to: channel.over, rate: sum, off: !channel.up });
  }
  const forwards = new Set(state.registrations.filter((one) => one.up).map((one) => one.over));
  const order = (one) => (one.direction === "outgoing" ? 0 : 1);
  for (const link of [...state.connections].sort((a, b) => order(a) - order(b))) {
    const notes = [link.up ? `${link.transport}, ${link.direction}` : link.direction];
    if (forwards.has(link.id)) notes.push("forwards to this node");
    if (link.hub) notes.push("hub of the cluster");
    if (link.round_trip_seconds !== null && link.up) notes.push(`round trip ${duration(link.round_trip_seconds)}`);
    boxes.push({
      id: link.id, column: 3, part: "connections", filter: link.name, title: link.name.replace(/^tcp#/, ""),
      rate: link.rate, off: !link.up, mark: link.up ? null : "down, trying again", lines: notes,
    });
  }
  const destinations = new Map();
  for (const one of state.registrations) {
    const id = `registered/${one.node}/${one.destination}`;
    destinations.set(id, one);
    if (one.over) edges.push({ from: id, to: one.over, off: !one.up });
  }
  for (const [id, { node, destination }] of destinations) {
    boxes.push({
      id, column: 1, part: "registrations", filter: destination,
      title: destination.replaceAll("_", " "), lines: [node ? `of ${node}` : "reached through a hub"],
    });
  }
  return { boxes, edges };
}

// The boxes of a column that are shown, and which of them stands for which.
function fold(boxes, index) {
  if (boxes.length <= MOST) return { shown: boxes, stands: boxes.map(({ id }) => [id, id]) };
  const shown = boxes.slice(0, MOST - 1);
  const rest = boxes.slice(MOST - 1);
  const off = rest.filter((box) => box.off).length;
  const more = {
    id: `more/${index}`, column: index, part: rest[0].part, filter: "", title: `${rest.length} more`,
    rate: rest.reduce((sum, box) => sum + (box.rate ?? 0), 0), mark: off > 0 ? `${off} down` : null,
    lines: [],
  };
  const stands = [...shown.map(({ id }) => [id, id]), ...rest.map(({ id }) => [id, more.id])];
  return { shown: [...shown, more], stands };
}

function group(index) {
  if (index === "nothing") {
    return element("p", { class: "nothing" }, "No route yet. The picture begins with an inlet, an outlet, or a neighbour.");
  }
  if (index === "frame") return element("div", { class: "frame" });
  const made = element("div", { class: "column-group" });
  made.append(element("h3"), element("ul", { class: "column" }));
  return made;
}

function place(box) {
  if (box.gap) return element("li", { class: "gap" });
  const button = element("button", { type: "button", class: "box" });
  button.append(element("b"), element("div"));
  const item = element("li", {}, button);
  button.addEventListener("click", () => choose(item.box.part, item.box.filter));
  return item;
}

function fill(item, box) {
  if (box.gap) return setAttribute(item, "data-id", box.id);
  item.box = box;
  const button = item.firstChild;
  button.dataset.id = box.id;
  setAttribute(button, "class", box.off ? "box off" : "box");
  setText(button.firstChild, box.title);
  const notes = box.lines.map((text) => ({ text, kind: "" }));
  if (box.mark) notes.unshift({ text: `▲ ${box.mark}`, kind: "mark" });
  if (box.rate >= (box.part === "connections" ? SIGNS_OF_LIFE : 1)) notes.push({ text: rate(box.rate), kind: "rate" });
  sync(button.lastChild, notes.map((note, index) => ({ ...note, index })), ({ index }) => index,
    () => element("span"), (span, { text, kind }) => {
      setText(span, text);
      setAttribute(span, "class", kind || null);
    });
}

// The way of a line from one place to the next, through those between.
function path(stops, origin) {
  const [x, y] = [(edge) => edge - origin.left, (stop) => stop.top + stop.height / 2 - origin.top];
  let way = `M${x(stops[0].right)} ${y(stops[0])}`;
  stops.slice(1).forEach((stop, before) => {
    const [x1, y1, x2, y2] = [x(stops[before].right), y(stops[before]), x(stop.left), y(stop)];
    const bend = Math.max(24, (x2 - x1) / 2);
    way += `C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
    if (before + 2 < stops.length) way += `H${x(stop.right)}`;
  });
  return way;
}

// Draws the lines between the boxes where they are now.
function lines(picture) {
  const canvas = picture.querySelector("svg");
  if (!canvas) return;
  const origin = picture.getBoundingClientRect();
  const places = new Map([...picture.querySelectorAll(".box, .gap")].map((one) => [one.dataset.id, one]));
  const paths = drawn.flatMap(({ from, gaps, to, rate, off }) => {
    const stops = [from, ...gaps, to].map((id) => places.get(id)?.getBoundingClientRect());
    if (stops.includes(undefined)) return [];
    const way = path(stops, origin);
    const busy = !off && rate >= 1;
    const width = busy ? Math.min(7, 2 + Math.log10(rate) / 1.6) : 1.5;
    const line = { key: `${from} ${to}`, way, width, kind: off ? "off" : busy ? "" : "idle" };
    return busy ? [line, { key: `${line.key} moving`, way, width: width / 2.5, kind: "moving" }] : [line];
  });
  const make = () => document.createElementNS("http://www.w3.org/2000/svg", "path");
  sync(canvas, paths, ({ key }) => key, make, (path, { way, width, kind }) => {
    setAttribute(path, "d", way);
    setAttribute(path, "stroke-width", width.toFixed(1));
    setAttribute(path, "class", kind || null);
  });
}
