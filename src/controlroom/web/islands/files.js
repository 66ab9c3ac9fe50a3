// Files as inputs: sent as soon as they are chosen, so that the form itself carries only their ids and loses none of them.

const MEGABYTE = 1024 * 1024;
const busy = new Map();
let wanted = null;

export function startFiles() {
  document.addEventListener("change", (event) => {
    const field = event.target.closest("[data-files]");
    if (!field || event.target.type !== "file") return;
    const files = [...event.target.files];
    event.target.value = "";
    for (const file of files) add(field, file);
  });
  document.addEventListener("click", (event) => {
    const item = event.target.closest("[data-file]");
    if (item && event.target.closest("[data-file-remove]")) remove(item);
  });
  document.addEventListener("submit", hold, true);
}

// What is asked of the form while a file is under way is done once the file is there.
function hold(event) {
  const form = event.target;
  if (!form.matches("form[data-checks]")) return;
  const failed = form.querySelector(".file-item.failed");
  if (!busy.size && !failed) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (busy.size) wanted = event.submitter;
  else failed.querySelector("[data-file-remove]").focus();
}

function add(field, file) {
  const list = field.querySelector("[data-file-list]");
  const item = field.querySelector("template").content.firstElementChild.cloneNode(true);
  if (field.dataset.files === "one") {
    for (const each of [...list.children]) if (!each.querySelector("input").value) remove(each);
  }
  item.querySelector("[data-file-name]").textContent = file.name;
  item.querySelector("[data-file-size]").textContent = sizeOf(file.size);
  item.querySelector("[data-file-remove]").setAttribute("aria-label", `Remove ${file.name}`);
  item.querySelector("progress").setAttribute("aria-label", `Sending ${file.name}`);
  item.querySelector("[data-file-again]").addEventListener("click", () => send(field, item, file));
  list.append(item);
  const mostMb = Number(field.dataset.filesMostMb);
  if (file.size > mostMb * MEGABYTE) fail(item, `It has ${sizeOf(file.size)}; at most ${mostMb} MB are taken.`);
  else send(field, item, file);
}

function send(field, item, file) {
  const request = new XMLHttpRequest();
  const progress = item.querySelector("progress");
  busy.set(item, request);
  item.classList.remove("failed");
  item.querySelector("[data-file-error]").textContent = "";
  item.querySelector("[data-file-again]").hidden = true;
  progress.hidden = false;
  request.open("POST", `/api/v1/input-files?name=${encodeURIComponent(file.name)}`);
  request.setRequestHeader("Accept", "application/json");
  request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
  request.setRequestHeader("X-CSRF-Token", document.querySelector('meta[name="csrf-token"]').content);
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) progress.value = event.loaded / event.total;
  });
  request.addEventListener("load", () => {
    if (request.status === 201) keep(field, item, JSON.parse(request.responseText).id);
    else fail(item, reasonOf(request), request.status === 401 || request.status === 429 || request.status >= 500);
    settle(item);
  });
  request.addEventListener("error", () => {
    fail(item, "The Control Room does not answer.", true);
    settle(item);
  });
  request.send(file);
}

function keep(field, item, id) {
  const carrier = item.querySelector("input");
  carrier.value = id;
  item.querySelector("progress").hidden = true;
  if (field.dataset.files === "one") {
    for (const each of [...item.parentElement.children]) if (each !== item) each.remove();
  }
  name(field);
  tell(field, carrier);
}

function remove(item) {
  const field = item.closest("[data-files]");
  const had = item.querySelector("input").value;
  busy.get(item)?.abort();
  const carrier = item.querySelector("input");
  item.remove();
  settle(item);
  name(field);
  field.querySelector("input[type=file]").focus();
  if (had) tell(field, carrier);
}

function fail(item, reason, again = false) {
  item.classList.add("failed");
  item.querySelector("progress").hidden = true;
  item.querySelector("[data-file-error]").textContent = reason;
  item.querySelector("[data-file-again]").hidden = !again;
}

function settle(item) {
  busy.delete(item);
  if (busy.size || !wanted) return;
  const button = wanted;
  wanted = null;
  if (button.isConnected) button.click();
}

// The form checks itself as after any change, or is laid out anew where what else is asked for depends on the file.
function tell(field, carrier) {
  const input = field.querySelector("input[type=file]");
  const form = field.closest("form");
  if ("fileSteers" in input.dataset) form.querySelector("[data-refresh-button]").click();
  else field.dispatchEvent(new CustomEvent("file-change", { bubbles: true, detail: { name: carrier.name } }));
}

function name(field) {
  const words = field.querySelector("[data-file-choose]");
  words.dataset.first ??= field.dataset.files === "many" ? "Choose files" : "Choose a file";
  words.textContent = field.querySelector("[data-file]") ? words.dataset.more : words.dataset.first;
}

function reasonOf(request) {
  if (request.status === 401) return "Your session has ended. Sign in again in another tab, and then try again.";
  try {
    const problem = JSON.parse(request.responseText);
    return problem.detail ?? problem.title;
  } catch {
    return `The server answered ${request.status}.`;
  }
}

function sizeOf(bytes) {
  const units = ["B", "KB", "MB", "GB"];
  let size = bytes;
  let unit = 0;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit && size < 10 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
}
