// Keeps relative times and running durations true while a page stays open, and tells exact times in the reader's zone.
// The words are those of `web/wording.py`.

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const timeZone = document.documentElement.dataset.zone; // as the reader chose; else the browser's own
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long", timeZone });
let serverAhead = 0;

export function relative(milliseconds) {
  const seconds = milliseconds / 1000;
  const size = Math.abs(seconds);
  if (size < 1) return "now";
  let told;
  if (size < MINUTE) told = `${Math.round(size)} s`;
  else if (size < HOUR) told = `${Math.floor(size / MINUTE)} min`;
  else if (size < DAY) told = `${Math.floor(size / HOUR)} h`;
  else told = `${Math.floor(size / DAY)} d`;
  return seconds > 0 ? `${told} ago` : `in ${told}`;
}

export function duration(milliseconds) {
  const seconds = Math.max(0, milliseconds / 1000);
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} m ${whole % MINUTE} s`;
  if (whole < DAY) return `${Math.floor(whole / HOUR)} h ${Math.floor((whole % HOUR) / MINUTE)} m`;
  return `${Math.floor(whole / DAY)} d ${Math.floor((whole % DAY) / HOUR)} h`;
}

export function tellTimes(root = document) {
  const now = Date.now() + serverAhead;
  for (const time of root.querySelectorAll("time[data-ago]")) {
    const words = relative(now - Date.parse(time.dateTime));
    if (time.textContent !== words) time.textContent = words;
    if (!time.dataset.told) {
      time.title = `${exact.format(new Date(time.dateTime))}\n${time.title}`;
      time.dataset.told = "yes";
    }
  }
  for (const span of root.querySelectorAll("[data-since]")) {
    span.textContent = duration(now - Date.parse(span.dataset.since));
  }
}

// The server's clock counts: a reader's clock that is wrong must not make runs last for minus an hour.
export function noteServerTime(response) {
  const told = Date.parse(response.headers.get("Date") ?? "");
  if (!Number.isNaN(told) && Math.abs(told - Date.now()) > 5000) serverAhead = told - Date.now();
}

export function startMoments() {
  tellTimes();
  setInterval(() => {
    if (!document.hidden) tellTimes();
  }, 1000);
}
