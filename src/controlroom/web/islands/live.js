// Live pages. The server tells a page that something happened which concerns it, and when it is its turn; the page then
// fetches itself (or `data-live-from`, where it answers a form), and only the parts that differ are replaced: `data-part` by
// their HTML, rows of `data-rows` by their key, so that nothing jumps under the reader's eyes.
//
// `position` is that of the newest event that the page was told of. A fetch names it and gets what shows at least that, so
// whatever was told last is fetched after it was told.

import { noteServerTime, tellTimes } from "./moments.js";

const SETTLE_MS = 100;
const LEAST_PAUSE_MS = 700;
const FAILED_PAUSE_MS = 5000;
const ANEW_SPREAD_MS = 3000;
const HIDDEN_MS = 5000;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30000;

let source = null;
let position = document.documentElement.dataset.livePosition || null;
let retryMs = FIRST_RETRY_MS;
let pending = null;
let isFetching = false;
let isStale = false;
let isOwnDoing = false;
let turnAt = 0;
let fetchedAt = -LEAST_PAUSE_MS;
let shownTag = null;
let hiddenTimer = null;
const waiting = new Map();

export function startLive() {
  const area = document.querySelector("[data-live]");
  if (!document.querySelector(".live")) return;
  if (!area) {
    showState("off", "Not live");
    document.querySelector(".live").hidden = true;
    return;
  }
  if (!document.hidden) connect(area);
  document.addEventListener("visibilitychange", () => restOrWake(area));
  document.addEventListener("controlroom:changed", () => scheduleOwn(area));
  window.addEventListener("pagehide", () => disconnect());
  window.addEventListener("pageshow", (event) => event.persisted && restOrWake(area));
  area.querySelector("[data-new-rows]")?.addEventListener("click", () => showWaiting(area));
}

// A hidden page fetches nothing, and gives its connection back: browsers allow few to one host, and one has many tabs. Shown
// again it goes on from its position, so that it is told whether there is anything to catch up with.
function restOrWake(area) {
  clearTimeout(hiddenTimer);
  if (document.hidden) {
    hiddenTimer = setTimeout(() => disconnect(), HIDDEN_MS);
    clearTimeout(pending);
    pending = null;
    return;
  }
  if (!source) connect(area);
  if (isStale) schedule(area, 0);
}

function disconnect() {
  source?.close();
  source = null;
}

function connect(area) {
  disconnect();
  const query = new URLSearchParams({ kinds: area.dataset.live, gather: "true" });
  if (area.dataset.liveSubject) query.set("subject", area.dataset.liveSubject);
  if (area.dataset.liveAbout) query.set("about", area.dataset.liveAbout);
  if (position !== null) query.set("after", position);
  const opened = new EventSource(`/api/v1/events?${query}`);
  source = opened;
  opened.addEventListener("open", () => {
    retryMs = FIRST_RETRY_MS;
    showState("on", "Live");
    if (isStale) schedule(area, Math.random() * ANEW_SPREAD_MS);
  });
  opened.addEventListener("hello", (event) => note(event));
  opened.addEventListener("changes", (event) => {
    note(event);
    schedule(area, JSON.parse(event.data).wait);
  });
  opened.addEventListener("reset", () => {
    position = null;
    isStale = true;
    reconnect(area, opened);
  });
  opened.addEventListener("error", () => reconnect(area, opened));
}

function note(event) {
  if (event.lastEventId) position = event.lastEventId;
}

function reconnect(area, opened) {
  if (source !== opened) return;
  disconnect();
  showState("wait", "Reconnecting");
  const pause = retryMs * (0.5 + Math.random());
  retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
  setTimeout(() => {
    if (source || document.hidden) return;
    // Where events do not come through, or the session has ended, the page still finds out, only more slowly.
    if (retryMs > 2 * FIRST_RETRY_MS) schedule(area, 0);
    connect(area);
  }, pause);
}

function showState(state, word) {
  const live = document.querySelector(".live");
  if (live.dataset.liveState === state) return;
  live.dataset.liveState = state;
  live.querySelector(".live-word").textContent = word;
}

// What the reader did themselves shows at once, with what is theirs alone: it waits for no turn.
function scheduleOwn(area) {
  isOwnDoing = true;
  clearTimeout(pending);
  pending = null;
  fetchedAt = -LEAST_PAUSE_MS;
  schedule(area, 0);
}

// At most one fetch at a time, when it is this page's turn, and one in LEAST_PAUSE_MS, however much happens.
function schedule(area, wait) {
  isStale = true;
  if (pending !== null) return;
  turnAt = performance.now() + wait;
  if (isFetching || document.hidden) return;
  const pause = Math.max(SETTLE_MS, turnAt - performance.now(), fetchedAt + LEAST_PAUSE_MS - performance.now());
  pending = setTimeout(() => fetchInTurn(area), pause);
}

async function fetchInTurn(area) {
  pending = null;
  isFetching = true;
  isStale = false;
  turnAt = 0;
  fetchedAt = performance.now();
  const isOwn = isOwnDoing;
  isOwnDoing = false;
  try {
    await refresh(area, isOwn ? { "X-Background": "own" } : liveHeaders());
  } catch {
    isStale = true;
    isOwnDoing ||= isOwn;
    turnAt = performance.now() + FAILED_PAUSE_MS * (0.5 + Math.random());
  }
  isFetching = false;
  if (isStale && (source || isOwnDoing)) schedule(area, turnAt - performance.now());
}

// `X-Background`: no use of the session, for nobody asked for it. With a position the server may answer by a rendering that
// others get too; without events there is none to go by, and the page asks for one of its own.
function liveHeaders() {
  const headers = { "X-Background": "live" };
  if (source && position !== null) headers["X-Live-Position"] = position;
  if (shownTag) headers["If-None-Match"] = shownTag;
  return headers;
}

async function refresh(area, headers = {}) {
  const response = await fetch(area.dataset.liveFrom || location.href, { headers: { Accept: "text/html", ...headers } });
  noteServerTime(response);
  if (response.redirected && new URL(response.url).pathname === "/sign-in") {
    location.reload();
    return;
  }
  if (response.status === 304) return;
  if (!response.ok) throw new Error(String(response.status));
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  document.title = fresh.title;
  shownTag = response.headers.get("ETag");
  for (const part of document.querySelectorAll("[data-part]")) {
    const now = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (now) replacePart(part, now);
  }
  const rows = area.querySelector("[data-rows]");
  const freshRows = fresh.querySelector("[data-live] [data-rows]");
  if (rows && freshRows && !rows.closest("[data-part]")) replaceRows(area, rows, freshRows);
  tellTimes();
  document.dispatchEvent(new CustomEvent("controlroom:refreshed", { detail: fresh }));
}

function replacePart(part, now) {
  if (part.dataset.shown === now.innerHTML) return;
  const isFirst = part.dataset.shown === undefined;
  if (isFirst && sameText(part, now)) {
    part.dataset.shown = now.innerHTML;
    return;
  }
  if (part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) {
    shownTag = null; // not all of it is shown
    return;
  }
  const focused = part.contains(document.activeElement) ? focusKey(document.activeElement) : null;
  part.innerHTML = now.innerHTML;
  part.dataset.shown = now.innerHTML;
  window.htmx?.process(part);
  if (focused) [...part.querySelectorAll("a, button")].find((each) => focusKey(each) === focused)?.focus();
}

const focusKey = (element) => `${element.tagName}|${element.getAttribute("href")}|${element.textContent.trim()}`;
const sameText = (one, other) => settled(one) === settled(other);

// Times move on by themselves and are no difference.
function settled(element) {
  const copy = element.cloneNode(true);
  for (const time of copy.querySelectorAll("time[data-ago], [data-since]")) {
    time.textContent = "";
    time.removeAttribute("title");
    time.removeAttribute("data-told");
  }
  for (const row of copy.querySelectorAll(".changed, .at")) row.classList.remove("changed", "at");
  for (const each of copy.querySelectorAll("[class='']")) each.removeAttribute("class");
  if (copy.getAttribute("class") !== null) copy.removeAttribute("class");
  return copy.innerHTML;
}

function replaceRows(area, rows, freshRows) {
  const present = new Map([...rows.children].map((row) => [row.dataset.key, row]));
  const fresh = [...freshRows.children].map((row) => document.importNode(row, true));
  const arrived = [];
  for (const row of fresh) {
    const old = present.get(row.dataset.key);
    if (!old) arrived.push(row);
    else if (!sameText(old, row)) {
      old.replaceChildren(...row.childNodes);
      old.classList.remove("changed");
      void old.offsetWidth;
      old.classList.add("changed");
    }
  }
  if (area.dataset.liveNew === "yes") takeIn(area, rows, fresh, arrived);
}

function takeIn(area, rows, fresh, arrived) {
  waiting.clear();
  const isReadingBelow = window.scrollY > 80 || rows.contains(document.activeElement);
  if (arrived.length && isReadingBelow) {
    for (const row of arrived) waiting.set(row.dataset.key, row);
    announce(area);
    return;
  }
  if (arrived.length === 0 && fresh.length === rows.children.length) {
    announce(area);
    return;
  }
  order(rows, fresh);
  announce(area);
}

function order(rows, fresh) {
  const present = new Map([...rows.children].map((row) => [row.dataset.key, row]));
  const wanted = fresh.map((row) => present.get(row.dataset.key) ?? markNew(row));
  for (const [key, row] of present) if (!fresh.some((each) => each.dataset.key === key)) row.remove();
  wanted.forEach((row, index) => {
    if (rows.children[index] !== row) rows.insertBefore(row, rows.children[index] ?? null);
  });
  const frame = rows.closest(".table-frame");
  if (frame) frame.hidden = rows.children.length === 0;
}

function markNew(row) {
  row.classList.add("changed");
  return row;
}

function announce(area) {
  const button = area.querySelector("[data-new-rows]");
  if (!button) return;
  button.hidden = waiting.size === 0;
  button.textContent = `${waiting.size} new`;
}

async function showWaiting(area) {
  waiting.clear();
  document.activeElement?.blur();
  window.scrollTo({ top: 0 });
  announce(area);
  await refresh(area);
}
