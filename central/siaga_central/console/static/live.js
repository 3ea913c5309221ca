// Keeps an open page up to date. The page came with the rows as of event `data-seq`; the stream goes on from there.
import * as alarm from "./alarm.js";
import { QUIET_MS } from "./events.js";
import { Link } from "./link.js";
import { refresh } from "./parts.js";
import "./forms.js";

const body = document.body;
const units = body.dataset.units.split(",");
const offsetMs = Number(body.dataset.nowMs) - Date.now(); // the hub's clock, not this machine's
const lastOf = new Map(); // row key -> number of the event it was last drawn for
const stoodAs = new Map(); // row key -> lane and new word it was last seen with
let seq = Number(body.dataset.seq);
let heardMs = performance.now();
let link = null;
let ticks = 0;

function age(sinceMs) {
  const seconds = Math.max(0, Math.floor((Date.now() + offsetMs - sinceMs) / 1000));
  for (const [unit, size] of [[3, 86_400], [2, 3600], [1, 60]]) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${units[unit]}`;
  }
  return `${seconds} ${units[0]}`;
}

function tick() {
  for (const element of document.querySelectorAll("[data-age]")) {
    const text = age(Number(element.dataset.age));
    if (element.textContent !== text) element.textContent = text;
  }
  for (const figure of document.querySelectorAll("[data-stale-from]")) {
    const isOld = Date.now() + offsetMs > Number(figure.dataset.staleFrom);
    figure.classList.toggle("stale", isOld);
    figure.querySelector(".old").hidden = !isOld;
  }
  const isLost = performance.now() - heardMs > QUIET_MS;
  showLink(!isLost);
  // How much of a clip has come is no event: ask while one is on its way.
  ticks += 1;
  if (ticks % 3 === 0 && document.querySelector('[data-state="asked"], [data-state="coming"]')) refresh();
  if (isLost) link.again();
}

function showLink(isUp) {
  const bar = document.getElementById("lost");
  if (bar.hidden !== isUp) bar.hidden = isUp;
  const chip = document.getElementById("link");
  const word = isUp ? chip.dataset.on : chip.dataset.off;
  if (chip.textContent !== word) chip.textContent = word;
}

function parse(html) {
  // Markup made and escaped by the hub; a template's content runs no script.
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.content.firstElementChild;
}

function place(item, packetSeq) {
  if ((lastOf.get(item.key) ?? 0) > packetSeq) return false;
  lastOf.set(item.key, packetSeq);
  const old = document.getElementById(item.key);
  const lane = item.lane && document.querySelector(`[data-lane="${item.lane}"]`);
  const row = item.lane ? parse(item.html) : null;
  const isUrgent = item.lane === "act" && row.dataset.priority === "P1";
  alarm.urgent(item.key, isUrgent, row?.dataset.sound, row?.dataset.untaken !== undefined);
  const stood = stoodAs.get(item.key) ?? (old && standing(old.closest("[data-lane]")?.dataset.lane, old));
  const stands = standing(item.lane, row);
  stoodAs.set(item.key, stands);
  const calls = item.lane === "act" || row?.dataset.due !== undefined; // also who is to be rung back again now
  const isNews = calls && !isUrgent && stands !== stood;
  if (!lane) {
    old?.remove();
    return isNews;
  }
  const wasChosen = old?.classList.contains("chosen");
  const hadFocus = old?.contains(document.activeElement);
  old?.remove();
  const after = [...lane.children].find((other) => isBehind(other.dataset, item));
  lane.insertBefore(row, after ?? null);
  if (wasChosen) row.classList.add("chosen");
  if (hadFocus) row.querySelector(".open")?.focus();
  return isNews;
}

/** Whether a row stands behind `item`: by place, then by key, as the page itself came. */
function isBehind({ order, key }, item) {
  return Number(order) > item.order || (Number(order) === item.order && key > item.key);
}

const standing = (lane, row) => `${lane} ${row?.dataset.sound ?? ""}`;

function onBeat() {
  heardMs = performance.now();
  showLink(true);
}

function onRows(data) {
  const packet = JSON.parse(data);
  onBeat();
  if (packet.seq <= seq) return; // the page came with it, or another tab asked for it again
  let isNew = false;
  for (const item of packet.items) isNew = place(item, packet.seq) || isNew;
  for (const [lane, count] of Object.entries(packet.counts)) {
    const shown = document.querySelector(`[data-count="${lane}"]`);
    if (shown) shown.textContent = count;
  }
  seq = Math.max(seq, packet.seq);
  body.dataset.seq = seq;
  if (isNew) alarm.chime();
  if (packet.touched.includes("hub")) refresh("/bantuan"); // what stands above every page
  if (packet.touched.includes(body.dataset.incident)) refresh();
  if ("watch" in body.dataset && packet.touched.length) refresh();
}

async function onClosed() {
  const answer = await fetch("/bantuan").catch(() => null);
  if (answer?.status === 401) location.assign("/masuk");
}

function choose(step) {
  const rows = [...document.querySelectorAll(".row")];
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.classList.contains("chosen"));
  const next = rows[Math.min(rows.length - 1, Math.max(0, at + step))];
  rows[at]?.classList.remove("chosen");
  next.classList.add("chosen");
  next.querySelector(".open")?.focus();
  next.scrollIntoView({ block: "nearest" });
}

const keys = {
  j: () => choose(1),
  k: () => choose(-1),
  a: () => document.querySelector("[data-key-a]")?.click(),
  b: alarm.enable,
  s: alarm.silence,
  n: () => (document.querySelector("[data-key-n]") ?? { focus: () => location.assign("/panggilan/baru") }).focus(),
  "?": () => location.assign("/bantuan"),
};
function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, textarea, select, video")) return;
  const act = keys[event.key.toLowerCase()];
  if (act) { event.preventDefault(); act(); }
}

addEventListener("click", (event) => { if (event.target.closest("[data-print]")) print(); });

if (body.dataset.live === "yes") {
  for (const anchor of document.querySelectorAll("nav a:not(.brand)")) {
    if (anchor.getAttribute("href") === location.pathname) anchor.setAttribute("aria-current", "page");
  }
  alarm.begin();
  const reload = () => location.reload();
  link = new Link(body.dataset.stream, () => seq, { rows: onRows, beat: onBeat, reset: reload, closed: onClosed });
  setInterval(tick, 1000);
  addEventListener("keydown", onKey);
  addEventListener("pagehide", () => link.leave());
  addEventListener("pageshow", (event) => { if (event.persisted) link.join(); });
}
