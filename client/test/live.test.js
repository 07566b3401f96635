// Against a real server: TIDINGS_TEST_URL=http://127.0.0.1:9100, with a writable resource `nodes`.

import assert from "node:assert/strict";
import test from "node:test";
import { WebSocketConnection } from "../index.js";

const url = process.env.TIDINGS_TEST_URL;

test("a live server tells every change once, also over a lost connection", { skip: url ? false : "no TIDINGS_TEST_URL" }, async () => {
  const { host } = new URL(url);
  const id = `client-${Date.now()}`;
  const write = async (method, body) => {
    const response = await fetch(`${url}/api/nodes/${id}`, { method, body: body && JSON.stringify(body) });
    assert.ok(response.ok, `${method}: ${response.status}`);
  };
  const connection = new WebSocketConnection({ host, channel: "nodes" });
  const told = [];
  const heard = count => new Promise(resolve => {
    const look = () => (told.length >= count ? resolve() : setTimeout(look, 10));
    look();
  });
  const watch = connection.watch({ id }, { initial: true, patch: true });
  watch.on("list", message => told.push(message.items));
  watch.on("item", message => told.push(message.data.name));
  watch.on("remove", message => told.push(message.id));
  connection.connect();
  await heard(1);
  await write("PUT", { id, name: "one" });
  await heard(2);
  await write("PUT", { id, name: "two" });
  await heard(3);
  connection.disconnect();
  await write("PUT", { id, name: "three" });
  connection.connect();
  await heard(4);
  assert.equal((await connection.get(id)).name, "three");
  await write("DELETE");
  await heard(5);
  await connection.barrier();
  connection.disconnect();
  assert.deepEqual(told, [[], "one", "two", "three", id]);
});
