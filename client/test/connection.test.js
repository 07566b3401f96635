import assert from "node:assert/strict";
import test from "node:test";
import { WebSocketConnection } from "../index.js";
import { warnings, world } from "./world.js";

test("the address is made of host, channel, scheme and token", async () => {
  const url = async options => {
    const { connection, settled, sockets } = world(options);
    connection.connect();
    await settled();
    return sockets[0].url;
  };
  assert.equal(await url({}), "ws://h:1/nodes");
  assert.equal(await url({ channel: "/a/b c", secure: true, token: "x y" }), "wss://h:1/a/b%20c?access_token=x%20y");
  assert.equal(await url({ channel: "", token: async () => "late" }), "ws://h:1/?access_token=late");
});

test("without a WebSocket of the platform one must be handed in", () => {
  const known = globalThis.WebSocket;
  delete globalThis.WebSocket;
  try {
    assert.throws(() => new WebSocketConnection({ host: "h" }), /WebSocket/);
  } finally {
    if (known) globalThis.WebSocket = known;
  }
  assert.throws(() => new WebSocketConnection({ WebSocket: class {} }), /host/);
});

test("init goes first, and what was called earlier follows in its order", async () => {
  const { connection, opened } = world();
  connection.query({ a: 1 }, { limit: 2, resource: "skus" });
  connection.watch({ b: 1 }, { initial: true });
  connection.all();
  connection.get("n1");
  const sent = (await opened()).take();
  assert.deepEqual(sent.map(message => message.handler), ["init", "query", "watch", "all", "get"]);
  assert.deepEqual(sent[1], { handler: "query", resource: "skus", params: { a: 1 }, options: { limit: 2 }, ref: 1 });
  assert.equal(new Set(sent.map(message => message.ref)).size, 5);
});

test("connect has no effect while open or opening", async () => {
  const { connection, opened, sockets } = world();
  connection.connect();
  await opened();
  connection.connect();
  assert.equal(sockets.length, 1);
  assert.equal(connection.wsConn, sockets[0]);
});

test("ready and init call back once, and at once when it has happened", async () => {
  const { connection, opened } = world();
  const heard = [];
  connection.ready(() => heard.push("ready"));
  connection.init(id => heard.push(id));
  const socket = await opened();
  assert.deepEqual(heard, ["ready"]);
  socket.say({ handler: "session", id: "s1", ref: socket.sent[0].ref });
  connection.ready(() => heard.push("ready again"));
  connection.init(id => heard.push(`${id} again`));
  assert.deepEqual(heard, ["ready", "s1", "ready again", "s1 again"]);
  socket.say({ handler: "session", id: "s2" });
  assert.equal(heard.length, 4);
});

test("every message is told under its handler, and as message", async () => {
  const { connection, opened } = world();
  const heard = [];
  for (const event of ["message", "weather", "open", "close"]) connection.events.on(event, it => heard.push([event, it]));
  const once = () => heard.push("once");
  connection.events.once("weather", once);
  const socket = await opened();
  heard.length = 0;
  socket.say({ handler: "weather", data: 1 });
  socket.say({ handler: "open", data: 2 });
  socket.say("plain text");
  assert.deepEqual(heard, [
    ["message", { handler: "weather", data: 1 }], ["weather", { handler: "weather", data: 1 }], "once",
    ["message", { handler: "open", data: 2 }], ["message", "plain text"],
  ]);
});

test("a listener that was taken off hears nothing", async () => {
  const { connection, opened } = world();
  const heard = [];
  const listener = () => heard.push(1);
  connection.events.on("weather", listener).once("weather", listener).off("weather", listener);
  (await opened()).say({ handler: "weather" });
  assert.deepEqual(heard, []);
});

test("reads are answered by promise, whatever the order", async () => {
  const { connection, opened } = world();
  const socket = await opened();
  socket.take();
  const all = connection.all();
  const hit = connection.get("n1");
  const miss = connection.get("zz");
  const blank = connection.get({ id: null });
  const barrier = connection.barrier();
  const [a, h, m, b, p] = socket.take().map(message => message.ref);
  socket.say({ handler: "item", resource: "nodes", ref: b });
  socket.say({ handler: "remove", resource: "nodes", params: { id: "zz" }, ref: m });
  socket.say({ handler: "item", resource: "nodes", id: { id: "n1" }, data: { id: "n1" }, ref: h });
  socket.say({ handler: "list", resource: "nodes", items: [{ id: "n1" }], ref: a });
  socket.say({ handler: "barrier", ref: p, position: "e1:4" });
  assert.deepEqual(await Promise.all([all, hit, miss, blank, barrier]), [[{ id: "n1" }], { id: "n1" }, null, null, "e1:4"]);
});

test("a refused read rejects with what the server says", async () => {
  const { connection, opened } = world();
  connection.events.on("error", () => {});
  const socket = await opened();
  const asked = connection.query({ a: { $foo: 1 } });
  const params = { error: "E_MALFORMED", status: 400, summary: "no", name: "Error", message: "no" };
  socket.say({ handler: "error", resource: "nodes", ref: socket.sent.at(-1).ref, params });
  await assert.rejects(asked, params);
});

test("an error that nobody listens to is a warning and never a throw", async () => {
  const { connection, opened, settled } = world();
  const socket = await opened();
  const heard = await warnings(async () => {
    connection.query({});
    socket.say({ handler: "error", ref: socket.sent.at(-1).ref, params: { error: "E_STORE", message: "m" } });
    socket.onerror({ type: "error" });
    await settled();
  });
  assert.equal(heard.length, 2);
});

test("the delay before another attempt grows to 30 s and shrinks after a steady session", async () => {
  const { connection, clock, socket: _, ...rest } = world({ random: () => 1 });
  let socket = await rest.opened();
  const delays = [];
  for (let attempt = 0; attempt < 8; attempt += 1) {
    socket.lose();
    delays.push(clock.timers[0].delay);
    assert.equal(clock.timers.length, 1);
    socket = await rest.reopened();
  }
  assert.deepEqual(delays, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  clock.pass(9_999);
  socket.lose();
  assert.equal(clock.timers[0].delay, 30_000);
  socket = await rest.reopened();
  clock.pass(10_000);
  socket.lose();
  assert.equal(clock.timers[0].delay, 500);
  assert.equal(connection.wsConn, null);
});

test("the delay is by chance, and at least a second after 1013", async () => {
  const { clock, opened } = world({ random: () => 0 });
  const socket = await opened();
  socket.lose(1013);
  assert.equal(clock.timers[0].delay, 1_000);
  const other = world({ random: () => 0.25 });
  (await other.opened()).lose();
  assert.equal(other.clock.timers[0].delay, 125);
});

test("a token is asked for anew before each attempt, and a failure to get one is tried again", async () => {
  const tokens = ["one", new Error("no token"), "two"];
  const token = async () => {
    const next = tokens.shift();
    if (next instanceof Error) throw next;
    return next;
  };
  const { connection, clock, sockets, settled, opened } = world({ token });
  const errors = [];
  connection.events.on("error", error => errors.push(error.message));
  (await opened()).lose(4401);
  clock.pass(30_000);
  await settled();
  assert.deepEqual(errors, ["no token"]);
  clock.pass(30_000);
  await settled();
  assert.deepEqual(sockets.map(socket => socket.url.split("=")[1]), ["one", "two"]);
});

test("disconnect kills the timer, rejects what is unanswered and closes for good", async () => {
  const { connection, clock, sockets, settled, opened } = world();
  const socket = await opened();
  const asked = connection.all();
  socket.lose();
  connection.disconnect();
  assert.equal(clock.timers.length, 0);
  await assert.rejects(asked, { error: "E_DISCONNECTED" });
  connection.connect();
  await settled();
  sockets[1].open();
  assert.deepEqual(sockets[1].sent.map(message => message.handler), ["init"]);
  connection.disconnect();
  assert.ok(sockets[1].isClosed);
  assert.equal(connection.wsConn, null);
  clock.pass(60_000);
  await settled();
  assert.equal(sockets.length, 2);
});

test("disconnect while the token is asked for opens nothing", async () => {
  let give;
  const { connection, sockets, settled } = world({ token: () => new Promise(resolve => (give = resolve)) });
  connection.connect();
  connection.disconnect();
  give("late");
  await settled();
  assert.equal(sockets.length, 0);
});

test("coming online tries at once", async () => {
  const listeners = new Map();
  globalThis.addEventListener = (event, listener) => listeners.set(event, listener);
  globalThis.removeEventListener = event => listeners.delete(event);
  try {
    const { connection, sockets, settled, opened, clock } = world();
    const socket = await opened();
    listeners.get("online")();
    assert.equal(sockets.length, 1);
    socket.lose();
    listeners.get("online")();
    await settled();
    assert.deepEqual([sockets.length, clock.timers.length], [2, 0]);
    connection.disconnect();
    assert.equal(listeners.size, 0);
  } finally {
    delete globalThis.addEventListener;
    delete globalThis.removeEventListener;
  }
});

test("unanswered reads are asked again after a reconnect, behind the watches", async () => {
  const { connection, opened, reopened } = world();
  const socket = await opened();
  const asked = connection.all();
  const done = connection.get("n1");
  connection.watch({}, { initial: true });
  socket.say({ handler: "item", data: { id: "n1" }, id: {}, ref: socket.sent[2].ref });
  await done;
  socket.lose();
  const again = await reopened();
  assert.deepEqual(again.sent.map(message => message.handler), ["init", "watch", "all"]);
  again.say({ handler: "list", items: [], ref: again.sent[2].ref });
  assert.deepEqual(await asked, []);
});
