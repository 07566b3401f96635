// Tidings in its container: it is ready, and whoever watches a resource of the demo hears what happens in the
// database, or in the broker, that the resource is in.
//
//   TIDINGS_TEST_URL=http://127.0.0.1:9100 node --experimental-websocket --test tests/container.test.mjs

import assert from "node:assert/strict";
import test from "node:test";

const url = process.env.TIDINGS_TEST_URL;
const options = { skip: url ? false : "TIDINGS_TEST_URL names no server", timeout: 60_000 };

/// The first change that a watch of the resource hears.
function change(resource) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace("http", "ws")}/${resource}`);
    socket.onopen = () => socket.send(JSON.stringify({ handler: "watch" }));
    socket.onerror = () => reject(new Error(`no watch of ${resource}`));
    socket.onclose = () => reject(new Error(`the watch of ${resource} has ended`));
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.handler === "error") reject(new Error(data));
      if (message.handler !== "item") return;
      socket.onclose = null;
      socket.close();
      resolve(message);
    };
  });
}

test("the_server_in_the_container_is_ready", options, async () => {
  const response = await fetch(`${url}/readyz`);
  assert.equal(response.status, 200, await response.text());
});

for (const resource of ["nodes", "workflows", "catalogs", "logs"]) {
  test(`a_watch_of_${resource}_hears_what_happens`, options, async () => {
    assert.ok((await change(resource)).data);
  });
}
