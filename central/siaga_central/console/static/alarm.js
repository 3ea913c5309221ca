// Sounds while a P1 incident waits for somebody, until it is taken or silenced here; made by Web Audio alone.
// `data-alarm` on the body: quiet, sounding, silenced, or blocked (it should sound and the browser forbids it).
const body = document.body;
const EVERY_MS = 2000;
// A P1 is to be taken within 20 s: silence gives time to read and to ask, and is no way to leave it lying.
const UNTAKEN_QUIET_MS = 120_000;
// P1 incidents that wait: row key -> [what silence is kept for, whether nobody has it]; a new word ends silence.
const waiting = new Map(body.dataset.urgent.split(" ").filter(Boolean).map(read));
let audio = null;
let ringing = null;

const isOn = () => audio?.state === "running";

function read(entry) {
  const [key, sound, untaken] = entry.split("@");
  return [key, [sound, untaken === "untaken"]];
}

/** Row key@what for -> when it was silenced; of this login alone: who comes next has silenced nothing. */
function silenced() {
  try {
    const kept = JSON.parse(localStorage.getItem("silenced"));
    return kept.login === body.dataset.login ? kept.at : {};
  } catch {
    return {};
  }
}

const keep = (at) => localStorage.setItem("silenced", JSON.stringify({ login: body.dataset.login, at }));

function isQuiet(at, isUntaken) {
  const sinceMs = Date.now() - at; // not a number if it was not silenced
  return isUntaken ? sinceMs >= 0 && sinceMs < UNTAKEN_QUIET_MS : !Number.isNaN(sinceMs);
}

function tones(pairs) {
  for (const [start, pitch] of pairs) {
    const tone = audio.createOscillator();
    const gain = audio.createGain();
    const begin = audio.currentTime + start;
    tone.frequency.value = pitch;
    gain.gain.setValueAtTime(0.2, begin);
    gain.gain.exponentialRampToValueAtTime(0.001, begin + 0.2);
    tone.connect(gain).connect(audio.destination);
    tone.start(begin);
    tone.stop(begin + 0.2);
  }
}

/** One sign for a new row that is no P1. */
export function chime() {
  if (isOn()) tones([[0, 660], [0.22, 880]]);
}

const ring = () => tones([[0, 880], [0.25, 660], [0.5, 880], [0.75, 660]]);

function show() {
  const quiet = silenced();
  const loud = [...waiting].filter(([key, [sound, isUntaken]]) => !isQuiet(quiet[`${key}@${sound}`], isUntaken));
  const state = !waiting.size ? "quiet" : !loud.length ? "silenced" : isOn() ? "sounding" : "blocked";
  if (body.dataset.alarm !== state) body.dataset.alarm = state;
  if (state === "sounding" && !ringing) {
    ring();
    ringing = setInterval(ring, EVERY_MS);
  } else if (state !== "sounding" && ringing) {
    clearInterval(ringing);
    ringing = null;
  }
  const bar = document.getElementById("mute"); // not there for those who see no incidents
  if (bar) bar.hidden = isOn();
  document.getElementById("alarm").hidden = !loud.length;
  const chip = document.getElementById("sound");
  chip.setAttribute("aria-pressed", String(isOn()));
  chip.textContent = isOn() ? chip.dataset.on : chip.dataset.off;
}

/** The incident of row `key` now waits in the lane for action with priority P1, or does not. */
export function urgent(key, isWaiting, sound, isUntaken) {
  if (isWaiting) waiting.set(key, [sound, isUntaken]);
  else if (waiting.delete(key)) forget(key);
  show();
}

function forget(key) {
  const quiet = Object.entries(silenced());
  const rest = quiet.filter(([it]) => !it.startsWith(`${key}@`));
  if (rest.length < quiet.length) keep(Object.fromEntries(rest));
}

/** Quiet for the incidents that wait now, in every tab; the next one sounds again, so does a new word. */
export function silence() {
  keep(Object.fromEntries([...waiting].map(([key, [sound]]) => [`${key}@${sound}`, Date.now()])));
  show();
}

/** Ask the browser for sound; it grants that only within a key press or click. */
export async function enable() {
  localStorage.removeItem("mute");
  await audio?.resume();
  show();
}

async function toggle() {
  if (!isOn()) return enable();
  localStorage.setItem("mute", "yes");
  await audio.suspend();
  show();
}

/** Begin; sound is tried at once, and again at each key or click until the browser allows it. */
export function begin() {
  if ("AudioContext" in window) {
    audio = new AudioContext();
    audio.addEventListener("statechange", show);
    if (localStorage.getItem("mute")) audio.suspend();
    const wish = () => { if (!isOn() && !localStorage.getItem("mute")) enable(); };
    for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, wish);
  }
  // The key and the chip decide for themselves: they must not first be taken for a wish.
  document.getElementById("sound").addEventListener("pointerdown", (event) => event.stopPropagation());
  document.getElementById("sound").addEventListener("click", toggle);
  addEventListener("storage", show); // silenced in another tab
  setInterval(show, 1000); // silence ends by itself
  show();
}
