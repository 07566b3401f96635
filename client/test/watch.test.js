import assert from "node:assert/strict";
import test from "node:test";
import { warnings, world } from "./world.js";

const at = offset => `e1:${offset}`;

test("a watch asks for positions and progress, and a barrier brings its first position", async () => {
  const { connection, opened } = world();
  const socket = await opened();
  socket.take();
  const watch = connection.watch({ type: "compute" });
  const [asked, barrier] = socket.take();
  assert.deepEqual(asked, { handler: "watch", params: { type: "compute" }, ref: watch.ref, positions: true, progress: 15 });
  assert.equal(barrier.handler, "barrier");
  assert.equal(watch.position, null);
  socket.say({ handler: "barrier", ref: barrier.ref, position: at(3) });
  assert.equal(watch.position, at(3));
});

test("a watch with a list, or with a position, needs no barrier", async () => {
  const { connection, opened } = world();
  const socket = await opened();
  socket.take();
  connection.watch({}, { initial: true });
  connection.watch({}, { since: at(2), progress: 3 });
  const [first, second, ...others] = socket.take();
  assert.equal(first.initial, true);
  assert.deepEqual([second.since, second.progress, second.initial], [at(2), 3, undefined]);
  assert.deepEqual(others, []);
});

test("a barrier of our own that fails is nobody's error", async () => {
  const { connection, opened } = world();
  const socket = await opened();
  connection.watch();
  const heard = await warnings(() => {
    socket.say({ handler: "error", ref: socket.sent.at(-1).ref, params: { error: "E_BARRIER", message: "late" } });
  });
  assert.deepEqual(heard, []);
});

test("what a watch is told reaches its own listeners and the connection's", async () => {
  const { connection, opened } = world();
  const socket = await opened();
  const heard = [];
  const one = connection.watch({ a: 1 }).on("item", message => heard.push(["one", message.data.id]));
  connection.watch({ a: 2 }).on("item", message => heard.push(["two", message.data.id]));
  connection.events.on("item", message => heard.push(["all", message.data.id]));
  socket.say({ handler: "item", resource: "nodes", id: ["created", "n1"], data: { id: "n1" }, position: at(4), ref: one.ref });
  assert.deepEqual(heard, [["one", "n1"], ["all", "n1"]]);
  assert.equal(one.position, at(4));
});

test("after a reconnect each watch goes on from its position, or begins with a list if it has none", async () => {
  const { connection, opened, reopened } = world();
  const socket = await opened();
  const known = connection.watch({ a: 1 });
  const unknown = connection.watch({ a: 2 });
  const ended = connection.watch({ a: 3 });
  ended.stop();
  socket.say({ handler: "progress", position: at(7), time: "t", ref: known.ref });
  socket.lose();
  const [init, first, second, ...others] = (await reopened()).take();
  assert.equal(init.handler, "init");
  assert.deepEqual([first.since, first.ref], [at(7), known.ref]);
  assert.deepEqual([second.initial, second.since, second.ref], [true, undefined, unknown.ref]);
  assert.deepEqual(others, []);
});

test("a broken resume is told before its list, and its position counts only with the list", async () => {
  const { connection, opened, reopened } = world();
  const socket = await opened();
  const heard = [];
  const watch = connection.watch({}, { since: at(1) });
  watch.on("resumed", message => heard.push(["resumed", message.complete])).on("list", () => heard.push("list"));
  socket.say({ handler: "resumed", complete: false, reason: "retention", position: at(9), ref: watch.ref });
  assert.equal(watch.position, at(1));
  socket.lose();
  const again = await reopened();
  assert.equal(again.sent[1].since, at(1));
  again.say({ handler: "resumed", complete: false, reason: "retention", position: at(9), ref: watch.ref });
  again.say({ handler: "list", items: [], position: at(9), ref: watch.ref });
  assert.equal(watch.position, at(9));
  again.say({ handler: "resumed", complete: true, position: at(10), ref: watch.ref });
  assert.equal(watch.position, at(10));
  assert.deepEqual(heard, [["resumed", false], ["resumed", false], "list", ["resumed", true]]);
});

test("stop ends one watch, and what was on its way is not told", async () => {
  const { connection, opened } = world();
  const socket = await opened();
  const heard = [];
  connection.events.on("item", message => heard.push(message));
  const watch = connection.watch({ a: 1 }, { resource: "skus" });
  socket.take();
  watch.stop();
  watch.stop();
  assert.deepEqual(socket.take(), [{ handler: "stop", resource: "skus", ref: watch.ref }]);
  socket.say({ handler: "item", id: ["updated", "n1"], data: {}, ref: watch.ref });
  assert.deepEqual(heard, []);
});

test("stop with params ends every watch with equal ones, whatever the order of their keys", async () => {
  const { connection, opened, reopened } = world();
  const socket = await opened();
  connection.watch({ a: 1, b: { c: [1, 2], d: 2 } });
  connection.watch({ b: { d: 2, c: [1, 2] }, a: 1 });
  const other = connection.watch({ a: 1, b: { c: [2, 1], d: 2 } });
  const bare = connection.watch(null);
  socket.take();
  connection.stop({ b: { d: 2, c: [1, 2] }, a: 1 });
  assert.deepEqual(socket.take(), [{ handler: "stop", params: { b: { d: 2, c: [1, 2] }, a: 1 } }]);
  const live = async () => (await reopened()).take().slice(1).map(message => message.ref);
  socket.lose();
  assert.deepEqual(await live(), [other.ref, bare.ref]);
  connection.stop();
  connection.wsConn.lose();
  assert.deepEqual(await live(), [other.ref]);
});

test("a refused watch is not asked for again, one whose store failed is", async () => {
  const { connection, opened, reopened } = world();
  const socket = await opened();
  const errors = [];
  const refused = connection.watch({ a: { $foo: 1 } }).on("error", message => errors.push(message.params.error));
  const waiting = connection.watch({}, { initial: true }).on("error", message => errors.push(message.params.error));
  const heard = await warnings(() => {
    socket.say({ handler: "error", params: { error: "E_MALFORMED" }, ref: refused.ref });
    socket.say({ handler: "error", params: { error: "E_STORE" }, ref: waiting.ref });
  });
  assert.deepEqual([errors, heard], [["E_MALFORMED", "E_STORE"], []]);
  socket.lose();
  assert.deepEqual((await reopened()).sent.slice(1).map(message => message.ref), [waiting.ref]);
});

test("with patches the rows are kept and whole documents told", async () => {
  const { connection, opened } = world();
  const socket = await opened();
  const items = [];
  const watch = connection.watch({}, { initial: true, patch: true }).on("item", message => items.push(message));
  assert.equal(socket.sent.at(-1).patch, true);
  const say = message => socket.say({ resource: "nodes", ref: watch.ref, ...message });
  say({ handler: "list", items: [{ id: "n1", tags: ["a"], net: { mac: "m" } }], position: at(1) });
  const patch = (data, offset) =>
    say({ handler: "patch", id: ["updated", "n1"], data, revert: [], position: at(offset) });
  patch([{ op: "add", path: "/tags/-", value: "c" }, { op: "add", path: "/tags/1", value: "b" }], 2);
  patch([{ op: "replace", path: "/net/mac", value: "x" }, { op: "remove", path: "/tags/0" }], 3);
  patch([{ op: "add", path: "/a~1b~0", value: null }, { op: "remove", path: "/net" }], 4);
  assert.deepEqual(items.map(message => message.data), [
    { id: "n1", tags: ["a", "b", "c"], net: { mac: "m" } },
    { id: "n1", tags: ["b", "c"], net: { mac: "x" } },
    { id: "n1", tags: ["b", "c"], "a/b~": null },
  ]);
  assert.deepEqual(items[0].id, ["updated", "n1"]);
  assert.equal(watch.position, at(4));
});

test("patches find their row by the field that is the key", async () => {
  const { connection, opened } = world();
  const socket = await opened();
  const items = [];
  const watch = connection.watch({}, { initial: true, patch: true, key: "instanceId" });
  watch.on("item", message => items.push(message.data));
  socket.say({ handler: "list", items: [{ id: "x", instanceId: "g1" }], position: at(1), ref: watch.ref });
  const data = [{ op: "add", path: "/name", value: "one" }];
  socket.say({ handler: "patch", id: ["updated", "g1"], data, revert: [], ref: watch.ref });
  assert.deepEqual(items, [{ id: "x", instanceId: "g1", name: "one" }]);
});

test("a patch that does not fit is answered by asking for a list and whole items", async () => {
  const { connection, opened } = world();
  const socket = await opened();
  const watch = connection.watch({}, { initial: true, patch: true });
  socket.say({ handler: "list", items: [{ id: "x", instanceId: "g1" }], position: at(1), ref: watch.ref });
  socket.take();
  socket.say({ handler: "patch", id: ["updated", "g1"], data: [], revert: [], position: at(2), ref: watch.ref });
  const [asked] = socket.take();
  assert.deepEqual([asked.ref, asked.initial, asked.patch, asked.since], [watch.ref, true, undefined, undefined]);
});
