// A WebSocket and a clock that the tests turn by hand.

import { WebSocketConnection } from "../index.js";

export class FakeSocket {
  sent = [];
  isClosed = false;

  constructor(url) {
    this.url = url;
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.isClosed = true;
    this.onclose({ code: 1005 });
  }

  open() {
    this.onopen({});
    return this;
  }

  say(message) {
    this.onmessage({ data: typeof message === "string" ? message : JSON.stringify(message) });
  }

  lose(code = 1006) {
    this.onclose({ code });
  }

  /** What was sent since the last look. */
  take() {
    return this.sent.splice(0);
  }
}

export class FakeClock {
  time = 0;
  timers = [];

  now() {
    return this.time;
  }

  setTimeout(callback, delay) {
    const timer = { callback, at: this.time + delay, delay };
    this.timers.push(timer);
    return timer;
  }

  clearTimeout(timer) {
    this.timers = this.timers.filter(other => other !== timer);
  }

  pass(milliseconds) {
    this.time += milliseconds;
    const due = this.timers.filter(timer => timer.at <= this.time);
    this.timers = this.timers.filter(timer => timer.at > this.time);
    for (const timer of due) timer.callback();
  }
}

/** A connection in such a world; `sockets` are those it has made. */
export function world(options = {}) {
  const sockets = [];
  const clock = new FakeClock();
  class Socket extends FakeSocket {
    constructor(url) {
      super(url);
      sockets.push(this);
    }
  }
  const connection =
    new WebSocketConnection({ host: "h:1", channel: "nodes", WebSocket: Socket, clock, random: () => 0.5, ...options });
  const settled = () => new Promise(resolve => setImmediate(resolve));
  return {
    connection, clock, sockets, settled,
    get socket() {
      return sockets.at(-1);
    },
    async opened() {
      connection.connect();
      await settled();
      return sockets.at(-1).open();
    },
    /** Lets the reconnect timer fire and opens what it made. */
    async reopened() {
      clock.pass(30_000);
      await settled();
      return sockets.at(-1).open();
    },
  };
}

/** The console's warnings while this runs. */
export async function warnings(run) {
  const heard = [];
  const warn = console.warn;
  console.warn = (...values) => heard.push(values);
  try {
    await run();
  } finally {
    console.warn = warn;
  }
  return heard;
}
