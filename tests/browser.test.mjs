// The page in a real browser: it loads, rows appear, and a change lights up. Plain DevTools protocol.
//
//   TIDINGS_TEST_URL=http://127.0.0.1:9100 node --experimental-websocket --test tests/browser.test.mjs
//
// The server is a demo. TIDINGS_TEST_PICTURES is a directory where pictures of every resource are left, in light
// and in dark.

import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";

const url = process.env.TIDINGS_TEST_URL;
const pictures = process.env.TIDINGS_TEST_PICTURES;
const PATIENCE = 30_000;
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
  "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0"];

/// Starts Chromium; its DevTools address is on its standard error.
function start(profile) {
  const browser = spawn("chromium", [...FLAGS, `--user-data-dir=${profile}`, "about:blank"],
    { stdio: ["ignore", "ignore", "pipe"] });
  const address = new Promise((resolve, reject) => {
    let said = "";
    browser.stderr.on("data", data => {
      said += data;
      const found = said.match(/DevTools listening on (ws:\S+)/);
      if (found) resolve(found[1]);
    });
    browser.once("error", reject);
    browser.once("exit", () => reject(new Error(`the browser ended: ${said}`)));
  });
  return { browser, address };
}

/// One connection to the browser.
class DevTools {
  static async open(address) {
    const tools = new DevTools();
    tools.waiting = new Map();
    tools.heard = [];
    tools.number = 0;
    tools.socket = new WebSocket(address);
    tools.socket.onmessage = ({ data }) => tools.receive(JSON.parse(data));
    await new Promise((resolve, reject) => Object.assign(tools.socket, { onopen: resolve, onerror: reject }));
    return tools;
  }

  receive(message) {
    if (!message.id) return this.heard.push(message);
    const { resolve, reject } = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if (message.error) reject(new Error(message.error.message));
    else resolve(message.result);
  }

  call(method, params = {}) {
    const id = ++this.number;
    this.socket.send(JSON.stringify({ id, method, params, sessionId: this.session }));
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
  }

  async evaluate(expression) {
    const { result, exceptionDetails } = await this.call("Runtime.evaluate", { expression, returnByValue: true });
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.text}`);
    return result.value;
  }

  async until(what, expression) {
    for (const end = Date.now() + PATIENCE; Date.now() < end;) {
      const value = await this.evaluate(expression);
      if (value) return value;
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    throw new Error(`never: ${what}`);
  }

  async picture(name) {
    const { data } = await this.call("Page.captureScreenshot");
    await writeFile(join(pictures, `${name}.png`), data, "base64");
  }
}

async function rename(id, name) {
  const headers = { "content-type": "application/merge-patch+json" };
  const response = await fetch(`${url}/api/nodes/${id}`, { method: "PATCH", headers, body: JSON.stringify({ name }) });
  if (!response.ok) throw new Error(`the change was refused: ${response.status}`);
}

async function look(page) {
  const { targetId } = await page.call("Target.createTarget", { url: "about:blank" });
  page.session = (await page.call("Target.attachToTarget", { targetId, flatten: true })).sessionId;
  for (const domain of ["Page", "Runtime", "Log", "Network"]) await page.call(`${domain}.enable`);
  await page.call("Emulation.setDeviceMetricsOverride", { width: 1360, height: 860, deviceScaleFactor: 1, mobile: false });
  await page.call("Page.navigate", { url: `${url}/#nodes` });

  await page.until("rows of nodes", `document.querySelectorAll("tbody tr").length > 10`);
  await page.until("the connection is live", `document.querySelector("#connection").className.includes("live")`);

  // The simulation never renames anything, and racks stay.
  const filter = encodeURIComponent(`{"type":"rack"}`);
  const [{ id, name }] = await (await fetch(`${url}/api/nodes?filter=${filter}&limit=1`)).json();
  const fresh = `browser-${Date.now()}`;
  await rename(id, fresh);
  const cell = `[...document.querySelectorAll("td")].find(cell => cell.textContent === "${fresh}")`;
  await page.until("the change is shown, lit up", `/lit-/.test(${cell}?.className)`);
  await rename(id, name);

  await page.evaluate(`location.hash = "#logs"`);
  await page.until("lines of logs", `document.querySelector("#name").textContent === "logs" && document.querySelectorAll("tbody tr").length > 0`);

  if (pictures) {
    for (const scheme of ["light", "dark"]) {
      await page.call("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
      for (const name of ["nodes", "workflows", "logs", "catalogs"]) {
        await page.evaluate(`location.hash = "#${name}"`);
        await new Promise(resolve => setTimeout(resolve, 8000));
        if (name !== "logs") await page.until("something lights up", `document.querySelector("[class*=lit-], .fresh")`);
        await page.picture(`${name}-${scheme}`);
      }
    }
  }

  const faults = page.heard.filter(({ method, params }) => method === "Runtime.exceptionThrown"
    || (method === "Log.entryAdded" && params.entry.level === "error"));
  if (faults.length) throw new Error(`the page complains: ${JSON.stringify(faults[0].params)}`);
  const foreign = page.heard.filter(({ method, params }) => method === "Network.requestWillBeSent"
    && ![url, "data:", "about:"].some(own => params.request.url.startsWith(own)));
  if (foreign.length) throw new Error(`the page asks elsewhere: ${foreign[0].params.request.url}`);
}

test("the page shows rows, and a change lights up", { skip: url ? false : "no TIDINGS_TEST_URL" }, async context => {
  const profile = await mkdtemp(join(tmpdir(), "tidings-browser-"));
  const { browser, address } = start(profile);
  try {
    await look(await DevTools.open(await address));
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    context.skip("there is no chromium");
  } finally {
    const ended = new Promise(resolve => browser.once("close", resolve));
    if (browser.kill("SIGKILL")) await ended;
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
});
