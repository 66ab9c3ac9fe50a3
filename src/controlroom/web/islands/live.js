// Live pages. What happens comes as server-sent events; the page then fetches itself (or `data-live-from`, where it answers
// a form), and only the parts that differ are replaced: `data-part` by their HTML, rows of `data-rows` by their key, so that
// nothing jumps under the reader's eyes.

import { noteServerTime, tellTimes } from "./moments.js";

const LEAST_PAUSE_MS = 700;
const FAILED_PAUSE_MS = 5000;
const HIDDEN_MS = 5000;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30000;

let source = null;
let position = null;
let retryMs = FIRST_RETRY_MS;
let pending = null;
let isFetching = false;
let isStale = false;
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
  connect(area);
  document.addEventListener("visibilitychange", () => restOrWake(area));
  document.addEventListener("controlroom:changed", () => schedule(area));
  window.addEventListener("pagehide", () => disconnect());
  area.querySelector("[data-new-rows]")?.addEventListener("click", () => showWaiting(area));
}

// A hidden page gives its connection back: browsers allow few to one host, and one has many tabs.
function restOrWake(area) {
  clearTimeout(hiddenTimer);
  if (document.hidden) {
    hiddenTimer = setTimeout(() => disconnect(), HIDDEN_MS);
  } else if (!source) {
    connect(area);
    schedule(area);
  }
}

function disconnect() {
  source?.close();
  source = null;
}

function connect(area) {
  disconnect();
  const query = new URLSearchParams({ kinds: area.dataset.live });
  if (area.dataset.liveSubject) query.set("subject", area.dataset.liveSubject);
  if (position !== null) query.set("after", position);
  const opened = new EventSource(`/api/v1/events?${query}`);
  const isResumed = position !== null;
  source = opened;
  opened.addEventListener("open", () => {
    retryMs = FIRST_RETRY_MS;
    showState("on", "Live");
    if (isResumed || isStale) schedule(area);
  });
  opened.addEventListener("hello", (event) => note(event));
  opened.addEventListener("change", (event) => {
    note(event);
    const { liveAbout } = area.dataset;
    if (!liveAbout || event.data.includes(liveAbout)) schedule(area);
  });
  opened.addEventListener("reset", () => {
    position = null;
    isStale = true;
    reconnect(area, opened);
  });
  opened.addEventListener("error", () => {
    isStale = true;
    reconnect(area, opened);
  });
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
    if (retryMs > 2 * FIRST_RETRY_MS) schedule(area);
    connect(area);
  }, pause);
}

function showState(state, word) {
  const live = document.querySelector(".live");
  if (live.dataset.liveState === state) return;
  live.dataset.liveState = state;
  live.querySelector(".live-word").textContent = word;
}

// At most one fetch at a time and one in LEAST_PAUSE_MS, however much happens.
function schedule(area, pause = LEAST_PAUSE_MS) {
  isStale = true;
  if (pending !== null || isFetching) return;
  pending = setTimeout(async () => {
    pending = null;
    isFetching = true;
    isStale = false;
    let next = LEAST_PAUSE_MS;
    try {
      await refresh(area, { "X-Background": "live" }); // no use of the session: nobody asked for it
    } catch {
      isStale = true;
      next = FAILED_PAUSE_MS;
    }
    isFetching = false;
    if (isStale && source) schedule(area, next);
  }, pause);
}

async function refresh(area, headers = {}) {
  const response = await fetch(area.dataset.liveFrom || location.href, { headers: { Accept: "text/html", ...headers } });
  noteServerTime(response);
  if (response.redirected && new URL(response.url).pathname === "/sign-in") {
    location.reload();
    return;
  }
  if (!response.ok) throw new Error(String(response.status));
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  document.title = fresh.title;
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
  if (part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) return;
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
