// The hub's stream of events, opened once and kept open: by the shared worker, or by a tab that has none.
export const QUIET_MS = 12_000; // the hub beats every 3 s

export class Events {
  #source = null;
  #heardMs = 0;
  position = 0; // every event up to this one has been told

  /** `tell(kind, data, after)`: kind is rows, beat, reset or closed; rows cover the events from `after` on. */
  constructor(tell) {
    this.tell = tell;
  }

  /** Whether the stream lives: open or trying, and not silent for longer than a hub ever is. */
  get isAlive() {
    const isOpen = this.#source !== null && this.#source.readyState !== EventSource.CLOSED;
    return isOpen && performance.now() - this.#heardMs < QUIET_MS;
  }

  open(after) {
    this.close();
    this.position = after;
    this.#heardMs = performance.now();
    const source = new EventSource(`/live?after=${after}`);
    for (const kind of ["rows", "beat", "reset"]) source.addEventListener(kind, (event) => this.#hear(kind, event));
    // Short of this the browser itself tries again, from the last event it heard.
    source.addEventListener("error", () => { if (source.readyState === EventSource.CLOSED) this.tell("closed"); });
    this.#source = source;
  }

  close() {
    this.#source?.close();
    this.#source = null;
  }

  #hear(kind, event) {
    const before = this.position;
    this.#heardMs = performance.now();
    if (kind === "rows") this.position = Math.max(before, Number(event.lastEventId));
    this.tell(kind, event.data, before);
  }
}
