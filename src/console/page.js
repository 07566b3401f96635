"use strict";

const MOST_ROWS = 500;
const MOST_COLUMNS = 24;

const element = id => document.getElementById(id);

// ---- What is shown ---------------------------------------------------------------------------------------

let resources = [];
let resource = null;          // the chosen one, as /api describes it
let watch = null;             // {ref, params, position}; a new one for every resource and filter
let records = new Map();      // key -> document: all that match
let shown = new Map();        // key -> {line, cells, texts}: those in the table
let columns = [];
let chosen = null;            // the key in the detail pane
let changed = new Map();      // key -> "created" | "updated" | "removed": what the next frame paints
let lines = [];               // log lines that the next frame paints
let beats = new Array(60).fill(0);
let token = new URLSearchParams(location.search).get("access_token") || sessionStorage.getItem("token") || "";

// ---- The connection --------------------------------------------------------------------------------------

let socket = null;
let failures = 0;
let retry = 0;
let references = 0;

function connect() {
  clearTimeout(retry);
  tell("", "connecting");
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const query = token ? "?access_token=" + encodeURIComponent(token) : "";
  socket = new WebSocket(`${scheme}://${location.host}/${query}`);
  socket.onopen = () => {
    failures = 0;
    tell("live", "live");
    if (watch) sendWatch();
  };
  socket.onmessage = message => receive(JSON.parse(message.data));
  socket.onclose = event => {
    socket = null;
    if (event.code === 4401) return askToken();
    const delay = Math.random() * Math.min(15000, 500 * 2 ** failures++) + (event.code === 1013 ? 1000 : 0);
    tell("down", `connection lost, again in ${Math.ceil(delay / 1000)} s`);
    retry = setTimeout(connect, delay);
  };
}

function send(message) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function sendWatch() {
  const start = watch.position ? { since: watch.position } : { initial: true };
  const options = resource.append_only ? { options: { limit: MOST_ROWS } } : {};
  send({ handler: "watch", resource: resource.name, params: watch.params, ref: watch.ref,
         positions: true, progress: 10, ...start, ...options });
}

function tell(state, words) {
  element("connection").className = "connection " + state;
  element("connection").lastElementChild.textContent = words;
}

function receive(message) {
  if (!watch || message.ref !== watch.ref) return;
  switch (message.handler) {
    case "list":
      replace(message.items);
      break;
    case "item":
      beats[beats.length - 1] += 1;
      if (resource.append_only) append(message.data);
      else change(String(message.id[1]), message.data, message.id[0]);
      break;
    case "remove":
      beats[beats.length - 1] += 1;
      change(String(message.id), undefined, "removed");
      break;
    case "error":
      say(message.params.message);
      break;
  }
  // The position of a broken resume counts only with the list that follows it.
  if (message.position && message.complete !== false) watch.position = message.position;
}

// ---- Records ---------------------------------------------------------------------------------------------

function keyOf(record) {
  const parts = resource.key.map(field => record[field]);
  if (parts.some(part => part === undefined || part === null)) return String(record.id);
  if (parts.length === 1) return String(parts[0]);
  return parts.map(part => String(part).replace(/[\\,]/g, "\\$&")).join(",");
}

function replace(items) {
  say("");
  records = new Map();
  lines = [];
  changed.clear();
  if (resource.append_only) lines = items.slice(-MOST_ROWS);
  else for (const item of items) records.set(keyOf(item), item);
  clearTable();
  for (const item of (resource.append_only ? lines : items).slice(0, MOST_ROWS)) learnColumns(item);
  drawHead();
  if (!resource.append_only) {
    for (const [key, record] of records) {
      if (shown.size === MOST_ROWS) break;
      element("table").tBodies[0].append(drawRow(key, record));
    }
  }
  paintSoon();
}

function change(key, record, word) {
  if (word === "removed") records.delete(key);
  else records.set(key, record);
  changed.set(key, word);
  paintSoon();
}

function append(line) {
  lines.push(line);
  if (lines.length > MOST_ROWS) lines.shift();
  paintSoon();
}

// ---- Painting: once a frame, however many changes came ---------------------------------------------------

let painting = false;

function paintSoon() {
  if (painting) return;
  painting = true;
  requestAnimationFrame(() => {
    painting = false;
    paint();
  });
}

function paint() {
  const body = element("table").tBodies[0];
  const scroll = element("scroll");
  let wider = false;
  for (const key of changed.keys()) if (records.has(key)) wider = learnColumns(records.get(key)) || wider;
  for (const line of lines) wider = learnColumns(line) || wider;
  if (wider) redraw();
  for (const [key, word] of changed) paintRow(body, key, word);
  changed.clear();
  if (resource && resource.append_only) {
    const atEnd = scroll.scrollTop + scroll.clientHeight >= scroll.scrollHeight - 40;
    for (const line of lines) body.append(drawRow(keyOf(line), line));
    lines = [];
    while (body.rows.length > MOST_ROWS) forget(body.rows[0]);
    if (atEnd) scroll.scrollTop = scroll.scrollHeight;
  }
  if (chosen !== null) drawDetail();
  drawCounts();
}

function paintRow(body, key, word) {
  const row = shown.get(key);
  const record = records.get(key);
  if (record === undefined) {
    if (!row) return;
    shown.delete(key);
    row.line.className = "gone";
    setTimeout(() => row.line.remove(), 900);
  } else if (row) {
    lightUp(row, record);
  } else {
    const line = drawRow(key, record);
    line.classList.toggle("fresh", word === "created");
    body.prepend(line);
    if (shown.size > MOST_ROWS) forget(body.rows[body.rows.length - 1]);
  }
}

function forget(line) {
  if (shown.get(line.dataset.key)?.line === line) shown.delete(line.dataset.key);
  line.remove();
}

function lightUp(row, record) {
  columns.forEach((column, index) => {
    const text = textOf(record[column.name]);
    if (row.texts[index] === text) return;
    row.texts[index] = text;
    const cell = row.cells[index];
    // Two animations that look the same: changing the name starts it anew.
    const again = cell.classList.contains("lit-a") ? "lit-b" : "lit-a";
    fillCell(cell, column, record[column.name], text);
    cell.classList.add(again);
  });
}

// ---- The table -------------------------------------------------------------------------------------------

const FIRST = ["timestamp", "time", "level", "message", "name", "type", "_status", "status", "state", "tags", "subject", "updatedAt", "updated_at"];
const CODE = /^[0-9a-f-]{20,}$/;
const STATES = ["_status", "status", "state", "level"];
const TONES = {
  succeeded: "good", ok: "good", live: "good", active: "good", up: "good",
  running: "busy", warning: "busy", timeout: "busy", discovering: "busy",
  failed: "bad", error: "bad", critical: "bad", cancelled: "bad", down: "bad",
};

/// Adds the fields that no record had before; tells whether there were any.
function learnColumns(record) {
  if (record === null || typeof record !== "object" || Array.isArray(record)) record = { data: record };
  let wider = false;
  for (const [name, value] of Object.entries(record)) {
    if (columns.length >= MOST_COLUMNS || columns.some(column => column.name === name)) continue;
    const isKey = resource.key.includes(name) && !resource.append_only;
    if (resource.append_only && name === "id") continue;
    const isTime = typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(value);
    const isCode = typeof value === "string" && CODE.test(value);
    const kind = isKey ? "key" : isTime ? "time" : value !== null && typeof value === "object" ? "data"
      : isCode ? "code" : typeof value === "number" ? "number" : name === "message" ? "message" : "text";
    const first = FIRST.indexOf(name);
    const rank = isKey ? -1 : first >= 0 ? first : { text: 50, number: 50, code: 55, data: 60, time: 70 }[kind];
    columns.push({ name, kind, rank });
    wider = true;
  }
  if (wider) columns.sort((a, b) => a.rank - b.rank);
  return wider;
}

function textOf(value) {
  if (value === undefined || value === null) return "";
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value) && value.every(part => typeof part !== "object")) return value.join(", ");
  return JSON.stringify(value);
}

function fillCell(cell, column, value, text) {
  cell.className = column.kind === "text" && CODE.test(text) ? "code" : column.kind;
  cell.title = text.length > 24 ? text.slice(0, 1000) : "";
  if (STATES.includes(column.name) && text) {
    const pill = document.createElement("span");
    pill.className = "pill " + (TONES[text] || "");
    pill.textContent = text;
    cell.replaceChildren(pill);
  } else if (column.kind === "time" && text) {
    const time = new Date(text);
    const today = time.toDateString() === new Date().toDateString();
    cell.textContent = isNaN(time) ? text : today ? time.toLocaleTimeString() : time.toLocaleString();
    cell.title = text;
  } else {
    cell.textContent = text.length > 160 ? text.slice(0, 160) + "…" : text;
  }
}

function drawRow(key, record) {
  const line = document.createElement("tr");
  line.dataset.key = key;
  const source = record !== null && typeof record === "object" && !Array.isArray(record) ? record : { data: record };
  const texts = columns.map(column => textOf(source[column.name]));
  const cells = columns.map((column, index) => {
    const cell = document.createElement("td");
    fillCell(cell, column, source[column.name], texts[index]);
    return cell;
  });
  line.append(...cells);
  line.classList.toggle("chosen", key === chosen);
  line.onclick = () => choose(key, records.get(key) ?? source);
  shown.set(key, { line, cells, texts, record: source });
  return line;
}

function drawHead() {
  const head = document.createElement("tr");
  head.append(...columns.map(column => {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = column.name;
    return cell;
  }));
  element("table").tHead.replaceChildren(head);
}

/// The same rows with the columns of now.
function redraw() {
  drawHead();
  for (const [key, row] of [...shown]) row.line.replaceWith(drawRow(key, records.get(key) ?? row.record));
}

function clearTable() {
  columns = [];
  shown = new Map();
  element("table").tBodies[0].replaceChildren();
  element("table").tHead.replaceChildren();
}

// ---- Beside the table ------------------------------------------------------------------------------------

function drawCounts() {
  const count = resource && resource.append_only ? shown.size : records.size;
  element("count").textContent = count.toLocaleString();
  element("counted").textContent = resource && resource.append_only ? "newest lines"
    : count > MOST_ROWS ? `rows, ${MOST_ROWS} shown` : "rows";
  element("empty").hidden = count > 0 || !watch;
  element("empty").textContent = watch && watch.params ? "Nothing matches now. What comes to match appears here."
    : "Nothing here yet. What happens appears here.";
}

function drawRate() {
  const recent = beats.slice(-6, -1).reduce((sum, beat) => sum + beat, 0) / 5;
  element("rate").textContent = recent >= 10 ? Math.round(recent) : recent.toFixed(1).replace(/\.0$/, "");
  const most = Math.max(4, ...beats);
  const points = beats.map((beat, index) => `${(index * 120 / 59).toFixed(1)} ${(27 - 25 * beat / most).toFixed(1)}`);
  element("spark").firstElementChild.setAttribute("d", `M0 28 L${points.join(" L")} L120 28 Z`);
  beats = [...beats.slice(1), 0];
}

function say(words) {
  element("notice").hidden = !words;
  element("notice").textContent = words;
}

function choose(key, record) {
  shown.get(chosen)?.line.classList.remove("chosen");
  chosen = key === chosen ? null : key;
  shown.get(chosen)?.line.classList.add("chosen");
  element("detail").hidden = chosen === null;
  if (chosen !== null) drawDetail(record);
}

function drawDetail(record = records.get(chosen)) {
  element("key").textContent = chosen;
  if (record !== undefined) element("document").textContent = JSON.stringify(record, null, 2);
  else if (!resource.append_only) element("key").textContent = `${chosen} (removed)`;
}

// ---- What the reader does --------------------------------------------------------------------------------

function show(name) {
  const next = resources.find(candidate => candidate.name === name) ?? resources[0];
  if (!next) return say("There is no resource to show.");
  stop();
  resource = next;
  element("condition").value = "";
  for (const link of element("resources").querySelectorAll("a")) {
    if (link.hash === "#" + encodeURIComponent(next.name)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${next.name} · Tidings`;
  element("name").textContent = next.name;
  const api = document.createElement("a");
  api.href = next.links.self;
  api.textContent = next.links.self;
  element("links").replaceChildren(api, ` · ws ${next.links.channels.join(" ")}`);
  start(undefined);
}

function start(params) {
  stop();
  records = new Map();
  lines = [];
  changed.clear();
  beats.fill(0);
  if (chosen !== null) choose(chosen);
  clearTable();
  element("scroll").scrollTo(0, 0);
  say("");
  element("clear").hidden = !params;
  watch = { ref: ++references, params, position: null };
  sendWatch();
}

function stop() {
  if (watch) send({ handler: "stop", resource: resource.name, ref: watch.ref });
  watch = null;
}

/// `type=compute rank>=2 name~rack !=`, or a filter as JSON; undefined for no condition.
function parseCondition(text) {
  text = text.trim();
  if (!text) return undefined;
  if (text.startsWith("{")) return JSON.parse(text);
  const terms = text.match(/[^\s=<>!~]+\s*(?:!=|>=|<=|=|>|<|~)\s*(?:"[^"]*"|\S+)/g) ?? [];
  if (terms.join("").replace(/\s/g, "") !== text.replace(/\s/g, "")) throw new Error("use field=value, or JSON");
  return { $and: terms.map(parseTerm) };
}

function parseTerm(term) {
  const [, field, operator, raw] = term.match(/^([^\s=<>!~]+)\s*(!=|>=|<=|=|>|<|~)\s*(.*)$/);
  const quoted = raw.match(/^"(.*)"$/);
  const text = quoted ? quoted[1] : raw;
  let value = text;
  if (!quoted && /^(true|false|-?\d+(\.\d+)?)$/.test(raw)) value = JSON.parse(raw);
  // Types never convert, and nobody types quotes: what looks like a number may be meant as text.
  const either = value === text ? [text] : [value, text];
  switch (operator) {
    case "=": return { [field]: raw === "null" ? { $exists: false } : { $in: either } };
    case "!=": return { [field]: raw === "null" ? { $exists: true } : { $nin: either } };
    case "~": return { [field]: { $contains: text } };
    default: return { [field]: { [{ ">": "$gt", ">=": "$gte", "<": "$lt", "<=": "$lte" }[operator]]: value } };
  }
}

function askToken() {
  tell("down", "not let in");
  element("credential").hidden = false;
  element("token").focus();
}

element("filter").onsubmit = event => {
  event.preventDefault();
  if (!resource) return;
  try {
    start(parseCondition(element("condition").value));
  } catch (error) {
    say(`This filter cannot be read: ${error.message}.`);
  }
};
element("clear").onclick = () => {
  element("condition").value = "";
  start(undefined);
};
element("credential").onsubmit = event => {
  event.preventDefault();
  token = element("token").value.trim();
  sessionStorage.setItem("token", token);
  element("credential").hidden = true;
  begin();
};
element("close").onclick = () => choose(chosen);
addEventListener("keydown", event => {
  if (event.key === "Escape" && chosen !== null) choose(chosen);
});
addEventListener("hashchange", () => show(decodeURIComponent(location.hash.slice(1))));
addEventListener("online", () => {
  if (!socket) connect();
});

// ---- The beginning ---------------------------------------------------------------------------------------

async function begin() {
  let response;
  try {
    response = await fetch("/api", { headers: token ? { Authorization: `Bearer ${token}` } : {} });
  } catch {
    tell("down", "the server cannot be reached, again in 2 s");
    setTimeout(begin, 2000);
    return;
  }
  if (response.status === 401) return askToken();
  if (!response.ok) return say(`The list of resources cannot be read (${response.status}).`);
  resources = (await response.json()).filter(candidate => candidate.links.channels.length);
  element("resources").replaceChildren(...resources.map(candidate => {
    const entry = document.createElement("li");
    const link = document.createElement("a");
    link.href = "#" + encodeURIComponent(candidate.name);
    const name = document.createElement("span");
    name.textContent = candidate.name;
    const kind = document.createElement("small");
    kind.textContent = candidate.source === "down" ? "source down" : candidate.append_only ? "log" : "";
    link.append(name, kind);
    entry.append(link);
    return entry;
  }));
  if (!socket) connect();
  show(decodeURIComponent(location.hash.slice(1)));
}

setInterval(drawRate, 1000);
begin();
