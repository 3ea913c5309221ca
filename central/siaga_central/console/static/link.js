// A tab's way to the events: the worker it shares with other tabs, or a stream of its own where there is none.
import { Events } from "./events.js";

// A worker answers `follow` at once. Chromium does not always say that one could not be loaded.
const ANSWER_MS = 3000;

/** Follow the events after `seq()`; `on` holds what to do on rows, beat, reset and closed. */
export class Link {
  #on;
  #seq;
  #port = null;
  #own = null;
  #waiting = 0;

  constructor(name, seq, on) {
    this.#seq = seq;
    this.#on = on;
    if ("SharedWorker" in window) this.#share(name);
    else this.#openOwn();
  }

  /** Nothing was heard for too long: ask once more, and do without a worker that does not answer. */
  again() {
    if (this.#own) {
      if (!this.#own.isAlive) this.#own.open(this.#seq());
    } else this.#follow();
  }

  /** The page goes away, perhaps to come back by `join`. */
  leave() {
    clearTimeout(this.#waiting);
    this.#waiting = 0;
    this.#port?.postMessage({ kind: "leave" });
    this.#own?.close();
  }

  /** The page is there again. */
  join() {
    if (this.#own) this.#own.open(this.#seq());
    else this.#follow();
  }

  #share(name) {
    const worker = new SharedWorker("/static/shared.js", { name, type: "module" });
    worker.addEventListener("error", () => this.#openOwn());
    this.#port = worker.port;
    this.#port.onmessage = ({ data }) => {
      clearTimeout(this.#waiting);
      this.#waiting = 0;
      this.#on[data.kind]?.(data.data);
    };
    this.#follow();
  }

  #follow() {
    this.#waiting ||= setTimeout(() => this.#openOwn(), ANSWER_MS);
    this.#port.postMessage({ kind: "follow", after: this.#seq() });
  }

  #openOwn() {
    if (this.#own) return;
    this.leave();
    if (this.#port) this.#port.onmessage = null;
    this.#port = null;
    this.#own = new Events((kind, data) => this.#on[kind]?.(data));
    this.#own.open(this.#seq());
  }
}
