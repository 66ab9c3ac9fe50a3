// The shared table: selection that outlives live changes, the reader's columns, and a skeleton while another page loads.

const SLOW_MS = 200;
const YEAR_SECONDS = 31536000;
const selected = new Set();
let lastBox = null;

export function startTable() {
  document.addEventListener("change", onChange);
  document.addEventListener("click", onClick);
  document.addEventListener("submit", (event) => {
    if (event.target.matches("form.filter")) showLoading();
  });
  document.addEventListener("reset", (event) => {
    if (event.target.matches("[data-bulk]")) clear();
  });
  document.addEventListener("controlroom:refreshed", () => showSelection());
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "bulk-place") openBulkDialog(event.detail.target);
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful && event.target.closest?.("[data-bulk-confirm]")) clear();
  });
  window.addEventListener("pageshow", () => {
    for (const area of document.querySelectorAll("[data-table-area]")) delete area.dataset.loading;
    for (const box of rowBoxes()) if (box.checked) selected.add(box.value);
    showSelection();
  });
}

const rowBoxes = () => [...document.querySelectorAll('[data-rows] input[name="id"]')];

function onChange(event) {
  const box = event.target;
  if (box.matches("[data-select-page]")) {
    for (const each of rowBoxes()) note(each.value, box.checked);
    showSelection();
  } else if (box.matches('[data-rows] input[name="id"]')) {
    note(box.value, box.checked);
    showSelection();
  } else if (box.closest("[data-columns]")) keepColumns(box.closest("[data-columns]"));
}

function note(key, isChosen) {
  if (isChosen) selected.add(key);
  else selected.delete(key);
}

// With the shift key all rows between the last one and this one follow.
function onClick(event) {
  const box = event.target.closest('[data-rows] input[name="id"]');
  if (box) {
    const boxes = rowBoxes();
    const [from, to] = [boxes.indexOf(lastBox), boxes.indexOf(box)].sort((one, other) => one - other);
    if (event.shiftKey && from >= 0) for (const each of boxes.slice(from, to + 1)) note(each.value, box.checked);
    note(box.value, box.checked);
    lastBox = box;
    showSelection();
  }
  const link = event.target.closest("[data-loads], .pager a, .tabs a");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) showLoading();
}

export function toggleRow(row) {
  const box = row?.querySelector('input[name="id"]');
  if (box) box.click();
}

export function clear() {
  selected.clear();
  for (const box of document.querySelectorAll('[name="everything"]')) box.checked = false;
  showSelection();
}

function showSelection() {
  const boxes = rowBoxes();
  const present = new Set(boxes.map((box) => box.value));
  for (const key of selected) if (!present.has(key)) selected.delete(key);
  for (const box of boxes) {
    box.checked = selected.has(box.value);
    box.closest("tr").classList.toggle("selected", box.checked);
  }
  const all = document.querySelector("[data-select-page]");
  if (all) {
    all.checked = boxes.length > 0 && selected.size === boxes.length;
    all.indeterminate = selected.size > 0 && !all.checked;
  }
  const count = document.querySelector("[data-bulk-count]");
  const words = `${selected.size} selected`;
  if (count && count.textContent !== words) count.textContent = words;
}

function openBulkDialog(place) {
  const dialog = place.querySelector("dialog");
  if (!dialog) return;
  dialog.addEventListener("close", () => place.replaceChildren());
  dialog.showModal();
}

// Kept in a cookie of the list's own path, so that the server renders the right columns from the first byte.
async function keepColumns(menu) {
  const chosen = [...menu.querySelectorAll("input:checked")].map((box) => box.value);
  const secure = location.protocol === "https:" ? "; Secure" : "";
  const value = chosen.length ? chosen.join(".") : "none";
  document.cookie = `controlroom_columns_${menu.dataset.columns}=${value}; Path=${menu.dataset.columnsPath}; Max-Age=${YEAR_SECONDS}; SameSite=Lax${secure}`;
  let response;
  try {
    response = await fetch(location.href, { headers: { Accept: "text/html" } });
  } catch {
    return;
  }
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  const frame = document.querySelector("[data-table]");
  const now = fresh.querySelector("[data-table]");
  if (!frame || !now) return;
  frame.replaceChildren(...document.importNode(now, true).childNodes);
  window.htmx?.process(frame);
  showSelection();
  document.dispatchEvent(new CustomEvent("controlroom:refreshed", { detail: fresh }));
}

function showLoading() {
  const area = document.querySelector("[data-table-area]");
  if (area) setTimeout(() => (area.dataset.loading = "yes"), SLOW_MS);
}
