// The connection: opened, kept open, reopened; what was asked is sent in order, what is told finds its asker.

import { Emitter } from "./emitter.js";
import { Watch, canonical } from "./watch.js";

const LONGEST_DELAY = 30_000;
const FIRST_DELAY = 500;
const SLOW_DELAY = 1_000;
const STEADY = 10_000;

// Names that a message cannot take: they tell of the connection itself.
const RESERVED = new Set(["open", "close", "message", "ready", "init"]);

const WATCHED = new Set(["list", "item", "remove", "patch", "resumed", "progress"]);

const SYSTEM_CLOCK = {
  now: () => Date.now(),
  setTimeout: (callback, delay) => setTimeout(callback, delay),
  clearTimeout: timer => clearTimeout(timer),
};

export class WebSocketConnection {
  events = new Emitter();
  /** The WebSocket that is open or opening, or null. */
  wsConn = null;
  /** The id of the session, or null while it is not known. */
  id = null;

  #settings;
  #wanted = false;
  #attempt = 0;
  #opening = false;
  #isOpen = false;
  #wasOpen = false;
  #openedAt = 0;
  #failures = 0;
  #timer = null;
  #lastRef = 0;
  #watches = new Map();
  // What waits for its answer: ref -> {message, resolve, reject}, in the order of asking.
  #asked = new Map();
  // Barriers sent for the sake of a watch's position: ref -> watch.
  #barriers = new Map();

  constructor({ host, channel = "", secure, token, WebSocket = globalThis.WebSocket, clock, random } = {}) {
    const place = globalThis.location;
    if (!WebSocket) throw new TypeError("there is no WebSocket here; hand one in as the option WebSocket");
    if (!(host ?? place?.host)) throw new TypeError("the option host is missing");
    this.#settings = {
      host: host ?? place.host, channel, secure: secure ?? place?.protocol === "https:", token, WebSocket,
      clock: clock ?? SYSTEM_CLOCK, random: random ?? Math.random,
    };
  }

  /** Opens the connection and keeps it open; nothing happens when it is open or opening. */
  connect() {
    if (!this.#wanted) globalThis.addEventListener?.("online", this.#connectNow);
    this.#wanted = true;
    if (this.wsConn || this.#opening) return;
    this.#clearTimer();
    this.#open();
  }

  /** Closes for good. Unanswered reads are rejected; watches go on when `connect` is called again. */
  disconnect() {
    globalThis.removeEventListener?.("online", this.#connectNow);
    this.#wanted = false;
    this.#attempt += 1;
    this.#opening = false;
    this.#clearTimer();
    const socket = this.wsConn;
    this.#forgetSession();
    for (const { reject } of this.#asked.values()) reject(failure("E_DISCONNECTED", "the connection was closed"));
    this.#asked.clear();
    socket?.close();
  }

  /** Calls back once the socket is open; at once if it is. */
  ready(callback) {
    if (this.#isOpen) callback();
    else this.events.once("ready", callback);
  }

  /** Calls back with the id of the session once it is known; at once if it is. */
  init(callback) {
    if (this.id !== null) callback(this.id);
    else this.events.once("init", callback);
  }

  /** Every row. */
  all(options = {}) {
    return this.#read("all", undefined, options);
  }

  /** The rows that match. */
  query(params, options = {}) {
    return this.#read("query", params, options);
  }

  /** The first row that matches, or null. */
  get(params, options = {}) {
    return this.#read("get", params, options);
  }

  /** Changes from now on; see the README for the options. */
  watch(params, options = {}) {
    const watch = new Watch(this.#nextRef(), params, options, it => this.#stopOne(it));
    this.#watches.set(watch.ref, watch);
    if (this.#isOpen) this.#sendWatch(watch);
    return watch;
  }

  /** Ends every watch with equal params. */
  stop(params, { resource } = {}) {
    const wanted = canonical(params);
    for (const watch of this.#watches.values()) {
      if (watch.resource === resource && canonical(watch.params) === wanted) this.#watches.delete(watch.ref);
    }
    if (this.#isOpen) this.#send({ handler: "stop", resource, params });
  }

  /** A position at which everything committed before this call has been told here. */
  barrier({ resource } = {}) {
    return this.#ask({ handler: "barrier", resource, ref: this.#nextRef() });
  }

  // ---- Asking ----

  #read(handler, params, { resource, ...options }) {
    const isPlain = Object.keys(options).length === 0;
    return this.#ask({ handler, resource, params, options: isPlain ? undefined : options, ref: this.#nextRef() });
  }

  #ask(message) {
    const promise = new Promise((resolve, reject) => this.#asked.set(message.ref, { message, resolve, reject }));
    // Who uses the events alone leaves the promise alone; a rejection must not end their process.
    promise.catch(() => {});
    if (this.#isOpen) this.#send(message);
    return promise;
  }

  #sendWatch(watch, again = false) {
    const request = watch.request({ again });
    this.#send(request);
    if (!watch.needsBarrier(request)) return;
    const ref = this.#nextRef();
    this.#barriers.set(ref, watch);
    this.#send({ handler: "barrier", resource: watch.resource, ref });
  }

  #stopOne(watch) {
    if (!this.#watches.delete(watch.ref) || !this.#isOpen) return;
    this.#send({ handler: "stop", resource: watch.resource, ref: watch.ref });
  }

  #send(message) {
    this.wsConn.send(JSON.stringify(message));
  }

  #nextRef() {
    this.#lastRef += 1;
    return this.#lastRef;
  }

  // ---- The socket ----

  async #open() {
    this.#opening = true;
    this.#attempt += 1;
    const attempt = this.#attempt;
    try {
      const { token } = this.#settings;
      const credential = typeof token === "function" ? await token() : token;
      // Somebody may have disconnected while the token was asked for.
      if (attempt !== this.#attempt) return;
      this.#attach(new this.#settings.WebSocket(this.#url(credential)));
    } catch (error) {
      if (attempt !== this.#attempt) return;
      this.events.emit("error", error);
      this.#retry(0);
    } finally {
      if (attempt === this.#attempt) this.#opening = false;
    }
  }

  #url(credential) {
    const { secure, host, channel } = this.#settings;
    const path = channel.replace(/^\/+/, "").split("/").map(encodeURIComponent).join("/");
    const query = credential ? `?access_token=${encodeURIComponent(credential)}` : "";
    return `${secure ? "wss" : "ws"}://${host}/${path}${query}`;
  }

  #attach(socket) {
    this.wsConn = socket;
    const ours = () => this.wsConn === socket;
    socket.onopen = event => ours() && this.#opened(event);
    socket.onmessage = event => ours() && this.#received(event.data);
    socket.onerror = event => ours() && this.events.emit("error", event);
    socket.onclose = event => {
      if (ours()) this.#lost(event.code);
      this.events.emit("close", event);
    };
  }

  #opened(event) {
    this.#isOpen = true;
    this.#openedAt = this.#settings.clock.now();
    this.#send({ handler: "init", ref: this.#nextRef() });
    const waiting = [...this.#watches.values(), ...this.#asked.values()];
    // Before the first connection nothing was told yet, and everything goes in the order of asking.
    if (!this.#wasOpen) waiting.sort((a, b) => (a.ref ?? a.message.ref) - (b.ref ?? b.message.ref));
    for (const one of waiting) {
      if (one instanceof Watch) this.#sendWatch(one, this.#wasOpen);
      else this.#send(one.message);
    }
    this.#wasOpen = true;
    this.events.emit("open", event);
    this.events.emit("ready");
  }

  #lost(code) {
    const wasSteady = this.#isOpen && this.#settings.clock.now() - this.#openedAt >= STEADY;
    if (wasSteady) this.#failures = 0;
    this.#forgetSession();
    if (this.#wanted) this.#retry(code === 1013 ? SLOW_DELAY : 0);
  }

  #forgetSession() {
    this.wsConn = null;
    this.#isOpen = false;
    this.id = null;
    this.#barriers.clear();
  }

  #retry(least) {
    const { clock, random } = this.#settings;
    const most = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#failures);
    this.#failures += 1;
    this.#clearTimer();
    this.#timer = clock.setTimeout(() => {
      this.#timer = null;
      this.#open();
    }, Math.max(least, random() * most));
  }

  #connectNow = () => {
    if (this.#timer !== null) this.connect();
  };

  #clearTimer() {
    if (this.#timer !== null) this.#settings.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  // ---- Being told ----

  #received(text) {
    const message = parse(text);
    this.events.emit("message", message ?? text, text);
    if (message === null) return;
    if (this.#barriers.has(message.ref)) return this.#passed(message);
    const watch = this.#watches.get(message.ref);
    if (watch) return this.#tellWatch(watch, message);
    if (this.#isOfEndedWatch(message)) return;
    this.#tell(message);
    this.#settle(message);
  }

  /** What was on its way when the watch was stopped. */
  #isOfEndedWatch({ handler, ref }) {
    return ref !== undefined && !this.#asked.has(ref) && WATCHED.has(handler);
  }

  #passed(message) {
    const watch = this.#barriers.get(message.ref);
    this.#barriers.delete(message.ref);
    // One that was not reached in time is nobody's error: the next progress brings the position.
    if (message.handler === "barrier") watch.receive(message);
  }

  #tellWatch(watch, message) {
    // The server tries again by itself when its store failed; everything else ends the watch.
    if (message.handler === "error" && message.params?.error !== "E_STORE") this.#watches.delete(watch.ref);
    const told = watch.receive(message);
    if (told === null) return this.#sendWatch(watch);
    for (const one of told) {
      watch.emit(one);
      // An error that the watch's own listener has heard needs no warning.
      if (one.handler !== "error" || !watch.hears(one) || this.events.has("error")) this.#tell(one);
    }
  }

  #tell(message) {
    const { handler } = message;
    if (typeof handler === "string" && !RESERVED.has(handler)) this.events.emit(handler, message);
    if (handler === "session") {
      this.id = message.id;
      this.events.emit("init", message.id);
    }
  }

  #settle(message) {
    const asked = this.#asked.get(message.ref);
    if (!asked) return;
    this.#asked.delete(message.ref);
    if (message.handler === "error") asked.reject(failure(message.params.error, message.params.message, message.params));
    else asked.resolve(answer(message));
  }
}

function answer(message) {
  switch (message.handler) {
    case "list": return message.items;
    case "item": return message.data ?? null;
    case "barrier": return message.position;
    default: return null;
  }
}

/** The server's `error.params`; also an Error, so that it has a stack where it is thrown on. */
function failure(code, message, params = {}) {
  return Object.assign(new Error(message), { error: code, status: 0, summary: message, ...params });
}

function parse(text) {
  try {
    const message = JSON.parse(text);
    return message !== null && typeof message === "object" && !Array.isArray(message) ? message : null;
  } catch {
    return null;
  }
}
