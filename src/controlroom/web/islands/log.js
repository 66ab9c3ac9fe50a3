// The log viewer: draws only the lines in sight, whatever the log's length; follows, searches, wraps, links to lines.
//
// What is in sight is told by `top`, the number of the first line, with a fraction; the scroll bar is a picture of it. A
// browser lays out at most some 16 million pixels, so for longer logs the bar is a scale and the wheel moves lines itself.

import { copyBySelection } from "./dialogs.js";
import { lineElement, missingElement } from "./log-lines.js";
import { LogStore } from "./log-store.js";

const ROW = 20;
const TALLEST = 8_000_000;
const SEARCH_MS = 250;
const HIDDEN_MS = 5000;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 15000;

export function startLog() {
  let viewer = show(null);
  document.addEventListener("controlroom:refreshed", (event) => {
    viewer = followAttempt(event.detail, viewer);
  });
}

function show(before) {
  before?.end();
  const root = document.querySelector("[data-log]");
  if (!root) return null;
  const viewer = new LogViewer(root);
  viewer.start();
  return viewer;
}

// A run that was waiting when the page was opened gets a log, and one that is tried again another.
function followAttempt(fresh, viewer) {
  const section = document.querySelector(".log-section");
  const now = fresh.querySelector(".log-section");
  const wanted = now?.querySelector("[data-log]")?.dataset.log;
  if (!section || !wanted || wanted === viewer?.store.attemptId) return viewer;
  section.replaceChildren(...document.importNode(now, true).childNodes);
  return show(viewer);
}

class LogViewer {
  constructor(root) {
    this.root = root;
    this.scroll = root.querySelector("[data-log-scroll]");
    this.space = root.querySelector("[data-log-space]");
    this.view = root.querySelector("[data-log-view]");
    this.rows = document.createElement("div");
    this.rows.className = "log-rows";
    this.view.append(this.rows);
    const isLate = root.dataset.logLate === "yes";
    this.store = new LogStore(root.dataset.log, Number(root.dataset.logLines), () => this.draw(), isLate);
    this.top = 0;
    this.linked = null;
    this.wraps = false;
    this.follows = root.dataset.logEnded === "no";
    this.firstError = root.dataset.logError === undefined ? null : Number(root.dataset.logError);
    this.expected = 0;
    this.retryMs = FIRST_RETRY_MS;
    this.ending = new AbortController();
    this.resizing = new ResizeObserver(() => this.draw());
  }

  end() {
    this.ending.abort();
    this.resizing.disconnect();
    this.store.complete = true;
    this.stop();
  }

  start() {
    this.scroll.addEventListener("scroll", () => this.scrolled());
    this.scroll.addEventListener("wheel", (event) => this.wheeled(event), { passive: false });
    this.scroll.addEventListener("keydown", (event) => this.keyed(event));
    this.rows.addEventListener("click", (event) => this.clicked(event));
    this.tool("search").addEventListener("input", () => this.filterSoon());
    this.tool("level").addEventListener("change", () => this.filter());
    this.tool("wrap").addEventListener("click", () => this.toggleWrap());
    this.tool("follow").addEventListener("click", () => this.setFollow(!this.follows));
    this.tool("link").addEventListener("click", () => this.copyLink());
    this.tool("first-error").addEventListener("click", () => this.goTo(this.firstError));
    const { signal } = this.ending;
    window.addEventListener("hashchange", () => this.goToHash(), { signal });
    document.addEventListener("visibilitychange", () => this.restOrWake(), { signal });
    this.resizing.observe(this.scroll);
    this.setFollow(this.follows);
    this.goToHash();
    this.draw();
    this.connect();
  }

  tool(name) {
    return this.root.querySelector(`[data-log-${name}]`);
  }

  // --- where we are ---

  get height() {
    return this.scroll.clientHeight;
  }

  get lastTop() {
    return Math.max(0, this.store.length - this.height / ROW);
  }

  get isScaled() {
    return this.store.length * ROW > TALLEST;
  }

  scrolled() {
    const range = this.space.clientHeight - this.height;
    if (Math.abs(this.scroll.scrollTop - this.expected) < 1.5) return;
    this.expected = this.scroll.scrollTop;
    this.moveTo(range > 0 ? (this.scroll.scrollTop / range) * this.lastTop : 0, { byBar: true });
  }

  wheeled(event) {
    if (!this.isScaled || event.ctrlKey || event.shiftKey) return;
    const isAtEdge = event.deltaY < 0 ? this.top <= 0 : this.top >= this.lastTop;
    if (isAtEdge) return; // the page itself scrolls on
    event.preventDefault();
    const pixels = event.deltaMode === 1 ? event.deltaY * ROW : event.deltaY;
    this.moveTo(this.top + pixels / ROW);
  }

  keyed(event) {
    const page = Math.floor(this.height / ROW) - 1;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    if (event.key === "End") this.setFollow(true);
    this.moveTo(step === Infinity ? this.lastTop : step === -Infinity ? 0 : this.top + step);
  }

  moveTo(top, { byBar = false } = {}) {
    const before = this.top;
    this.top = Math.min(Math.max(0, top), this.lastTop);
    if (this.follows && this.top < before && this.top < this.lastTop - 1) this.setFollow(false);
    this.draw({ byBar });
  }

  goTo(line) {
    if (line === null) return;
    if (this.store.isFiltered) this.clearFilter();
    this.store.grow(line + 1 > this.store.total ? this.store.total : line + 1);
    this.linked = line;
    this.setFollow(false);
    history.replaceState(null, "", `#L${line + 1}`);
    this.tool("link").hidden = false;
    this.top = Math.min(Math.max(0, this.store.indexOfLine(line) - 5), this.lastTop);
    this.draw();
  }

  goToHash() {
    const match = /^#L(\d{1,12})$/.exec(location.hash);
    if (match) this.goTo(Math.max(0, Number(match[1]) - 1));
  }

  clicked(event) {
    const link = event.target.closest("a");
    if (!link) return;
    event.preventDefault();
    const line = Number(link.dataset.line);
    if (this.store.isFiltered) {
      this.goTo(line);
      return;
    }
    this.linked = line;
    history.replaceState(null, "", `#L${line + 1}`);
    this.tool("link").hidden = false;
    this.setFollow(false);
    this.draw();
  }

  async copyLink() {
    try {
      await navigator.clipboard.writeText(location.href);
    } catch {
      copyBySelection(location.href);
    }
    const word = this.tool("link").querySelector("span");
    word.textContent = "Copied";
    setTimeout(() => (word.textContent = "Copy link"), 1500);
  }

  // --- what is shown ---

  filterSoon() {
    clearTimeout(this.filterTimer);
    this.filterTimer = setTimeout(() => this.filter(), SEARCH_MS);
  }

  filter() {
    clearTimeout(this.filterTimer);
    this.top = 0;
    this.store.setFilter(this.tool("level").value, this.tool("search").value.trim());
  }

  clearFilter() {
    this.tool("level").value = "debug";
    this.tool("search").value = "";
    this.store.setFilter("debug", "");
  }

  toggleWrap() {
    this.wraps = !this.wraps;
    this.tool("wrap").setAttribute("aria-pressed", String(this.wraps));
    this.root.classList.toggle("log-wrapped", this.wraps);
    this.draw();
  }

  setFollow(follows) {
    this.follows = follows;
    this.tool("follow").setAttribute("aria-pressed", String(follows));
    if (follows) this.draw();
  }

  // --- drawing ---

  draw(how = {}) {
    this.byBar = this.byBar || how.byBar;
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      this.drawNow(this.byBar);
      this.byBar = false;
    });
  }

  drawNow(byBar) {
    const { store } = this;
    this.top = this.follows ? this.lastTop : Math.min(this.top, this.lastTop);
    const whole = Math.min(store.length * ROW, TALLEST);
    this.space.style.height = `${Math.max(whole, this.height)}px`;
    this.view.style.height = `${this.height}px`;
    if (!byBar) this.placeBar();
    const first = Math.floor(this.top);
    const last = Math.min(store.length, first + Math.ceil(this.height / ROW) + 1);
    store.want(first - 100, last + 100);
    this.rows.replaceChildren(...this.lines(first, last));
    this.shiftRows(first);
    this.tellCount();
    this.tool("first-error").hidden = this.firstError === null;
    this.note(store.problem || this.emptyWords());
  }

  placeBar() {
    const range = this.space.clientHeight - this.height;
    const wanted = this.lastTop > 0 ? (this.top / this.lastTop) * range : 0;
    if (Math.abs(this.scroll.scrollTop - wanted) < 1) return;
    this.scroll.scrollTop = wanted;
    this.expected = this.scroll.scrollTop;
  }

  // The first line may be partly above the edge; at the very end, wrapped lines stand on the lower edge instead.
  shiftRows(first) {
    const height = this.rows.offsetHeight;
    const isAtEnd = this.top >= this.lastTop - 0.01;
    const firstHeight = this.rows.firstElementChild?.offsetHeight ?? ROW;
    const shift = isAtEnd && height > this.height ? height - this.height : (this.top - first) * firstHeight;
    this.rows.style.transform = `translateY(${-shift}px)`;
  }

  *lines(first, last) {
    for (let index = first; index < last; index += 1) {
      const line = this.store.at(index);
      yield line ? lineElement(line, this.store.search, this.linked) : missingElement(index);
    }
  }

  tellCount() {
    const { store } = this;
    const found = store.found.length.toLocaleString("en");
    const total = store.total.toLocaleString("en");
    const lines = store.total === 1 ? "line" : "lines";
    const more = store.isSearching ? "…" : store.next !== null ? "+" : "";
    const words = store.isFiltered ? `${found}${more} of ${total} ${lines}` : `${total} ${lines}`;
    const place = this.tool("count");
    if (place.textContent !== words) place.textContent = words;
  }

  emptyWords() {
    const { store } = this;
    if (store.length > 0) return "";
    if (store.isFiltered) return store.isSearching || store.next !== null ? "Searching…" : "No line fits.";
    return store.complete || this.root.dataset.logEnded === "yes" ? "The bot has written nothing." : "Nothing written yet.";
  }

  note(words) {
    const place = this.tool("note");
    place.hidden = words === "";
    if (place.textContent !== words) place.textContent = words;
  }

  // --- the stream ---

  connect() {
    this.stop();
    if (this.store.late && !this.store.complete) {
      this.store.complete = true;
      this.store.fetchBlock(0);
    }
    if (this.store.complete) return;
    const opened = new EventSource(`/api/v1/attempts/${this.store.attemptId}/log/stream?first=${this.store.total}`);
    this.source = opened;
    const take = (event) => {
      this.retryMs = FIRST_RETRY_MS;
      const part = JSON.parse(event.data);
      for (const line of part.lines) {
        if (this.firstError === null && line.level === "error") this.firstError = line.line;
      }
      const last = part.lines.length ? part.lines[part.lines.length - 1].line + 1 : this.store.total;
      this.store.append(part.lines, last);
    };
    opened.addEventListener("lines", take);
    opened.addEventListener("end", (event) => {
      take(event);
      this.store.complete = true;
      this.stop();
      this.draw();
    });
    opened.addEventListener("error", () => {
      if (this.source !== opened) return;
      this.stop();
      setTimeout(() => document.hidden || this.source || this.connect(), this.retryMs * (0.5 + Math.random()));
      this.retryMs = Math.min(this.retryMs * 2, LONGEST_RETRY_MS);
    });
  }

  stop() {
    this.source?.close();
    this.source = null;
  }

  restOrWake() {
    clearTimeout(this.hiddenTimer);
    if (document.hidden) this.hiddenTimer = setTimeout(() => this.stop(), HIDDEN_MS);
    else if (!this.source) this.connect();
  }
}
