// The page: asks for the node's state, works out rates, and shows them.

import { byId, bytes, count, duration, element, plural, portalName, rate, setAttribute, setText, sync } from "./format.js";
import * as picture from "./picture.js";
import * as tables from "./tables.js";

// How often the node is asked, and how much of what it said is drawn, in milliseconds.
const EVERY = 2000;
const HISTORY = 120000;

const history = [];
let before = new Map();
let paused = false;
let timer;
let heard = null;
// What is wrong, if something is: for people, and in a word or two.
let trouble = null;

// ----- asking --------------------------------------------------------------------------------

async function ask() {
  clearTimeout(timer);
  const state = await fetched().catch(silence);
  if (state) draw(state);
  showTrouble();
  if (!paused && !document.hidden) timer = setTimeout(ask, EVERY);
}

async function fetched() {
  const answer = await fetch("api/v1/", { cache: "no-store", signal: AbortSignal.timeout(10000) });
  if (answer.ok) return answer.json();
  // A refusal says what to do.
  throw new Error((await answer.text()).trim().slice(0, 300) || `status ${answer.status}`);
}

function silence(error) {
  const since = heard ? ` since ${heard.toLocaleTimeString()}` : "";
  trouble = { text: `The node has not answered${since} (${error.message}). Trying again.`, state: "no answer" };
}

function draw(state) {
  heard = new Date();
  trouble = null;
  try {
    show(state);
  } catch (error) {
    // It is this page's fault, and not the node's.
    console.error(error);
    trouble = { text: `What the node has answered cannot be shown (${error.message}). Reload the page.`, state: "not shown" };
  }
}

function showTrouble() {
  byId("alert").hidden = !trouble;
  setText(byId("alert"), trouble?.text ?? "");
  setText(byId("state"), trouble?.state ?? (paused ? "paused" : "live"));
  setAttribute(byId("state"), "class", trouble ? "state lost" : paused ? "state paused" : "state");
}

// ----- what follows from two answers ---------------------------------------------------------

function show(state) {
  const now = performance.now();
  const seen = new Map();
  const rates = (one, id = one.id) => {
    const last = before.get(id);
    const passed = last ? (now - last.now) / 1000 : 0;
    const per = (field) => (passed > 0 ? Math.max(0, one[field] - last[field]) / passed : 0);
    one.sent_rate = per("sent_bytes");
    one.received_rate = per("received_bytes");
    one.rate = one.sent_rate + one.received_rate;
    seen.set(id, { now, sent_bytes: one.sent_bytes, received_bytes: one.received_bytes });
  };
  rates(state.node, "node");
  for (const part of ["connections", "portals", "streams"]) state[part].forEach((one) => rates(one));
  before = seen;
  giveNames(state);
  history.push({ now, sent: state.node.sent_rate, received: state.node.received_rate });
  while (history[0].now < now - HISTORY) history.shift();
  about(state);
  tiles(state);
  picture.show(state);
  tables.show(state);
}

// Gives everything a name to be shown and found by.
function giveNames(state) {
  const portals = new Map(state.portals.map((one) => [one.id, one]));
  const links = new Map();
  for (const one of state.connections) links.set(one.id, one.name);
  for (const one of state.channels) links.set(one.id, `channel with ${one.peer ?? "unknown"}`);
  for (const one of state.streams) {
    const portal = portals.get(one.portal);
    one.portal_name = portal ? portalName(portal) : "–";
    one.leads_to = portal?.leads_to ?? null;
  }
  for (const one of [...state.channels, ...state.forwarders]) one.over_name = links.get(one.over) ?? null;
  state.workers.forEach((one) => { one.id = `${one.node} ${one.address}`; });
  state.refusals.forEach((one) => { one.id = `${one.node} ${one.rule}`; });
  for (const part of Object.keys(tables.PARTS)) {
    for (const one of state[part]) {
      one.words = Object.values(one).flat().filter((value) => typeof value === "string").join(" ").toLowerCase();
    }
  }
}

// ----- above and below -----------------------------------------------------------------------

function about({ node, nodes, process, listeners }) {
  setText(byId("version"), node.version);
  setText(byId("identity"), node.identities.join(" "));
  setAttribute(byId("identity"), "title", node.identities.join("\n"));
  const up = process.began === null ? null : Date.now() / 1000 - process.began;
  const parts = [
    nodes.length > 1 && plural(nodes.length, "node"),
    `process ${process.pid}`,
    up !== null && `up ${duration(up)}`,
    process.resident_bytes !== null && `${bytes(process.resident_bytes)} of memory`,
    process.cpu_seconds !== null && `${duration(process.cpu_seconds)} of processors`,
    process.open_descriptors !== null && `${count(process.open_descriptors)} of ${count(process.most_descriptors)} descriptors`,
    listeners.length > 0 && `listening on ${listeners.map((one) => one.address).join(", ")}`,
  ];
  setText(byId("process"), parts.filter(Boolean).join(" · "));
}

const median = (numbers) => {
  const known = numbers.filter((number) => number !== null).sort((a, b) => a - b);
  return known.length > 0 ? known[Math.floor(known.length / 2)] : null;
};

function tiles(state) {
  const { node, connections, channels, portals, refusals, streams } = state;
  const sum = (list, field) => list.reduce((all, one) => all + one[field], 0);
  const up = (list) => list.filter((one) => one.up).length;
  const suspended = sum(portals, "suspended");
  const down = (list) => {
    const number = list.length - up(list);
    return number > 0 ? { attention: `${count(number)} down` } : null;
  };
  const outgoing = connections.filter((one) => one.up && one.direction === "outgoing");
  const ways = `${count(outgoing.length)} out, ${count(up(connections) - outgoing.length)} in`;
  const trips = [...outgoing, ...connections.filter((one) => one.direction === "incoming")];
  const trip = median(trips.map((one) => one.round_trip_seconds));
  const tripOfStreams = median(streams.map((one) => one.round_trip_seconds));
  const refused = sum(refusals, "count");
  // With those of other hubs, as in the list.
  const forwarders = node.forwarders + node.stand_ins;
  const all = [
    { id: "throughput", title: "Throughput with neighbours", chart: true },
    {
      id: "streams", title: "Streams", value: count(node.streams),
      note: suspended > 0 ? { attention: `${count(suspended)} waiting` } : { text: `${count(sum(portals, "streams_begun"))} begun` },
    },
    { id: "channels", title: "Secure channels", value: count(up(channels)), note: down(channels) ?? { text: "established" } },
    { id: "connections", title: "Connections", value: count(up(connections)), note: down(connections) ?? { text: ways } },
    forwarders > 0
      ? {
        id: "forwarders", title: "Forwarders", value: count(forwarders),
        note: { text: node.stand_ins > 0 ? `${count(node.stand_ins)} of other hubs` : "for other nodes" },
      }
      : {
        id: "trip", title: "Round trip", value: duration(trip),
        note: { text: tripOfStreams === null ? "median of neighbours" : `streams ${duration(tripOfStreams)}` },
      },
    {
      id: "refusals", title: "Refusals", value: count(refused),
      note: { text: refused > 0 ? `by ${plural(new Set(refusals.map((one) => one.rule)).size, "rule")}` : "none so far" },
    },
  ];
  sync(byId("tiles"), all, ({ id }) => id, makeTile, fillTile);
}

function makeTile({ chart }) {
  const made = element("div", { class: chart ? "tile wide" : "tile" });
  if (!chart) {
    made.append(element("dt"), element("dd", { class: "value" }), element("dd", { class: "note" }));
    return made;
  }
  const pair = (kind) => {
    const one = element("dd");
    one.append(element("div", { class: "value" }), element("div", { class: "note" }, element("span", { class: `line-${kind}` }), kind));
    return one;
  };
  made.append(element("dt"), element("div", { class: "pair" }, pair("sent"), pair("received")));
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  setAttribute(svg, "viewBox", "0 0 120 40");
  setAttribute(svg, "preserveAspectRatio", "none");
  setAttribute(svg, "aria-hidden", "true");
  for (const kind of ["received", "sent"]) {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    setAttribute(path, "class", kind);
    svg.append(path);
  }
  made.append(svg);
  return made;
}

function fillTile(made, { title, value, note, chart }) {
  setText(made.querySelector("dt"), title);
  if (chart) return drawRates(made);
  setText(made.querySelector(".value"), value);
  const text = made.querySelector(".note");
  setText(text, note.attention ?? note.text);
  setAttribute(text, "class", note.attention ? "note attention" : "note");
}

function drawRates(made) {
  const last = history[history.length - 1];
  const values = made.querySelectorAll(".value");
  setText(values[0], rate(last.sent));
  setText(values[1], rate(last.received));
  const most = Math.max(1000, ...history.flatMap(({ sent, received }) => [sent, received]));
  for (const kind of ["sent", "received"]) {
    const points = history.map((one) => {
      const x = 120 - ((last.now - one.now) / HISTORY) * 120;
      return `${x.toFixed(1)} ${(38 - (one[kind] / most) * 34).toFixed(1)}`;
    });
    setAttribute(made.querySelector(`path.${kind}`), "d", `M${points.join("L")}`);
  }
}

// ----- buttons -------------------------------------------------------------------------------

const THEMES = ["auto", "light", "dark"];

function stored() {
  // Without storage, the choice lasts as long as the page.
  try { return localStorage.getItem("ockam-theme"); } catch { return null; }
}

function setTheme(theme) {
  setAttribute(document.documentElement, "data-theme", theme === "auto" ? null : theme);
  setText(byId("theme"), `Theme: ${theme}`);
  try { localStorage.setItem("ockam-theme", theme); } catch { /* as above */ }
}

function begin() {
  let theme = THEMES.includes(stored()) ? stored() : "auto";
  setTheme(theme);
  byId("theme").addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    setTheme(theme);
  });
  byId("pause").addEventListener("click", () => {
    paused = !paused;
    setAttribute(byId("pause"), "aria-pressed", paused);
    setText(byId("pause"), paused ? "Go on" : "Pause");
    showTrouble();
    if (!paused) ask();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && !paused) ask(); });
  tables.begin();
  picture.begin((part, filter) => {
    tables.select(part, filter);
    byId("tabs").scrollIntoView({ block: "nearest" });
    byId(`tab-${part}`).focus();
  });
  ask();
}

begin();
