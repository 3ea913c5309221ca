// One stream for all tabs of a session: browsers open six connections to a hub over HTTP/1.1, and each
// tab would hold one. A tab says `follow` with the number of the last event it shows, and `leave` at its end.
import { Events } from "./events.js";

const KEPT = 100; // packets told again to a tab whose page is a little older than the stream
const ports = new Set();
let told = []; // {after, seq, data}, oldest first and without a gap

const events = new Events((kind, data, after) => {
  if (kind === "rows") told = [...told, { after, seq: events.position, data }].slice(-KEPT);
  if (kind === "reset") events.close(); // every page loads itself anew and then says where it is
  for (const port of ports) port.postMessage({ kind, data });
});

function open(after) {
  told = [];
  events.open(after);
}

function follow(port, after) {
  ports.add(port);
  port.postMessage({ kind: "here" });
  if (!events.isAlive) return open(after);
  if (after >= events.position) return;
  if (!told.length || told[0].after > after) return open(after); // all tabs hear the same rows once more
  for (const { seq, data } of told) if (seq > after) port.postMessage({ kind: "rows", data });
}

self.addEventListener("connect", ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    if (data.kind === "follow") follow(port, data.after);
    else ports.delete(port);
    if (!ports.size) events.close();
  };
});
