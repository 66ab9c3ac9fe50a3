// Keys: Ctrl-K jumps, / filters, ? lists the keys, arrows and Enter move through rows, x selects one, g and a letter goes to a page.

import { openDialog } from "./dialogs.js";
import { clear, toggleRow } from "./table.js";

const GO_MS = 1200;
let goUntil = 0;

export function startKeyboard() {
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openDialog("jump");
      return;
    }
    if (event.target.closest?.("#jump")) moveInResults(event);
    else if (!isTyping(event.target) && !event.ctrlKey && !event.metaKey && !event.altKey) onPage(event);
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "jump-results") event.detail.target.scrollTop = 0;
  });
}

function isTyping(target) {
  if (target.matches?.('[data-rows] input[type="checkbox"]')) return false;
  return target.closest?.("input, textarea, select, dialog, [data-log-scroll]") !== null;
}

function onPage(event) {
  if (event.timeStamp < goUntil) {
    goUntil = 0;
    const link = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
    if (link) link.click();
    return;
  }
  if (event.key === "g") goUntil = event.timeStamp + GO_MS;
  else if (event.key === "?") openDialog("keys");
  else if (event.key === "/") focusFilter(event);
  else if (event.key === "x") toggleRow(document.activeElement?.closest("[data-rows] tr"));
  else if (event.key === "Escape" && !event.defaultPrevented) clear();
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") moveInTable(event);
}

function focusFilter(event) {
  const field = document.querySelector("[data-filter], [data-log-search]");
  if (!field) return;
  event.preventDefault();
  field.focus();
  field.select();
}

function moveInTable(event) {
  const links = [...document.querySelectorAll("[data-table] tbody .row-link")];
  if (links.length === 0) return;
  const here = links.indexOf(document.activeElement);
  const next = event.key === "ArrowDown" ? here + 1 : here - 1;
  if (next < 0 || next >= links.length) return;
  event.preventDefault();
  document.querySelector("tr.at")?.classList.remove("at");
  links[next].focus();
  links[next].closest("tr").classList.add("at");
  links[next].closest("tr").scrollIntoView({ block: "nearest" });
}

function moveInResults(event) {
  const results = [...document.querySelectorAll("#jump-results [role=option]")];
  const here = results.findIndex((each) => each.getAttribute("aria-selected") === "true");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && results.length) {
    event.preventDefault();
    results[here]?.setAttribute("aria-selected", "false");
    const next = results[(here + step + results.length) % results.length];
    next.setAttribute("aria-selected", "true");
    next.scrollIntoView({ block: "nearest" });
  } else if (event.key === "Enter" && results[here]) {
    event.preventDefault();
    results[here].click();
  }
}
