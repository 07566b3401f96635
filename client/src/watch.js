// One watch: what it asks for, how far it has been told, and, where patches come, the rows they belong to.

import { Emitter } from "./emitter.js";
import { applyPatch } from "./patch.js";

/** Params in a form in which equal ones are equal: the order of keys does not matter, and none is {}. */
export function canonical(params) {
  return JSON.stringify(params ?? {}, (_, value) =>
    value !== null && typeof value === "object" && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value);
}

export class Watch {
  #events = new Emitter();
  #options;
  #rows = null;
  #onStop;
  // From the beginning, or after a broken resume, until the list is here: no position counts before it.
  #awaitsList;

  constructor(ref, params, options, onStop) {
    this.ref = ref;
    this.params = params;
    this.resource = options.resource;
    /** From here on the server would go on; null while it is not known. */
    this.position = options.since ?? null;
    this.#options = options;
    this.#onStop = onStop;
    this.#awaitsList = Boolean(options.initial) && !options.since;
    if (options.patch) this.#rows = new Map();
  }

  on(event, listener) {
    this.#events.on(event, listener);
    return this;
  }

  once(event, listener) {
    this.#events.once(event, listener);
    return this;
  }

  off(event, listener) {
    this.#events.off(event, listener);
    return this;
  }

  /** Ends this watch; nothing of it is told after that. */
  stop() {
    this.#onStop(this);
  }

  /** What asks for it now; `again` after a connection was lost. */
  request({ again = false } = {}) {
    const { initial, progress = 15, limit } = this.#options;
    const start = this.position !== null ? { since: this.position } : initial || again ? { initial: true } : {};
    return {
      handler: "watch", resource: this.resource, params: this.params, ref: this.ref, positions: true,
      ...(progress ? { progress } : {}), ...(this.#rows ? { patch: true } : {}),
      ...(limit === undefined ? {} : { options: { limit } }), ...start,
    };
  }

  /** Whether a request as the one just sent leaves the position unknown. */
  needsBarrier(request) {
    return !request.initial && request.since === undefined;
  }

  /** Takes a message in; gives the messages to be told, or null when the watch must be asked for anew. */
  receive(message) {
    if (message.handler === "list") this.#awaitsList = false;
    if (message.handler === "resumed") this.#awaitsList = message.complete === false;
    if (message.position !== undefined && !this.#awaitsList) this.position = message.position;
    return this.#rows ? this.#keep(message) : [message];
  }

  /** Tells its own listeners. */
  emit(message) {
    if (this.hears(message)) this.#events.emit(message.handler, message);
  }

  /** Whether somebody listens here. */
  hears(message) {
    return this.#events.has(message.handler);
  }

  #keep(message) {
    const { handler, id, data } = message;
    if (handler === "list") {
      const key = this.#options.key ?? "id";
      this.#rows = new Map(message.items.map(item => [String(item[key]), item]));
    } else if (handler === "item") {
      this.#rows.set(id[1], data);
    } else if (handler === "remove") {
      this.#rows.delete(id);
    } else if (handler === "patch") {
      return this.#whole(message);
    }
    return [message];
  }

  #whole(message) {
    const { data, revert, ...others } = message;
    const key = message.id[1];
    try {
      if (!this.#rows.has(key)) throw new Error(`the row ${key} is not known`);
      const whole = applyPatch(this.#rows.get(key), data);
      this.#rows.set(key, whole);
      return [message, { ...others, handler: "item", data: whole }];
    } catch {
      // Its key is in another field than we were told. Whole items from now on, and a fresh list first.
      this.#rows = null;
      this.position = null;
      this.#options = { ...this.#options, initial: true };
      this.#awaitsList = true;
      return null;
    }
  }
}
