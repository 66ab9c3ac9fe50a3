// A session that ends in the middle of a form loses nothing: what was typed waits in this tab until one has signed in again.

const PREFIX = "controlroom-draft:";
const NOT_KEPT = ["csrf_token", "key"];

export function startDrafts() {
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    const wanted = event.detail.xhr.getResponseHeader("HX-Redirect") ?? "";
    if (!wanted.startsWith("/sign-in")) return;
    event.preventDefault();
    const form = event.detail.elt.closest("form");
    if (form?.matches(".form")) keep(form);
    location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
  });
  bringBack();
}

// Secrets are not written down, and files cannot be.
function keep(form) {
  const secret = new Set([...form.querySelectorAll("input[type=password], input[type=file]")].map((each) => each.name));
  const fields = [...new FormData(form)].filter(
    ([name, value]) => typeof value === "string" && !secret.has(name) && !NOT_KEPT.includes(name),
  );
  try {
    sessionStorage.setItem(PREFIX + location.pathname + location.search, JSON.stringify(fields));
  } catch {
    // A browser that keeps nothing for pages leaves nothing to bring back.
  }
}

async function bringBack() {
  const name = PREFIX + location.pathname + location.search;
  let kept;
  try {
    kept = sessionStorage.getItem(name);
    sessionStorage.removeItem(name);
  } catch {
    return;
  }
  const form = document.querySelector("main form.form");
  if (!kept || !form) return;
  const fields = JSON.parse(kept);
  if (form.matches("[data-checks]")) await layOutAnew(form, fields);
  else fill(form, fields);
}

function fill(form, fields) {
  for (const box of form.querySelectorAll("input[type=checkbox]")) box.checked = false;
  for (const [name, value] of fields) {
    for (const field of form.querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
      if (field.type === "checkbox") field.checked ||= field.value === value;
      else if (field.type !== "hidden" || name === "revision") field.value = value;
    }
  }
}

// A form made from a schema may have grown lists; the server draws it again with what was typed.
async function layOutAnew(form, fields) {
  const body = new URLSearchParams(fields);
  for (const name of NOT_KEPT) {
    const field = form.querySelector(`[name="${name}"]`);
    if (field) body.set(name, field.value);
  }
  body.set("_action", "refresh");
  const response = await fetch(form.getAttribute("action"), { method: "POST", body, headers: { Accept: "text/html" } });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById(form.id);
  if (!fresh) return;
  const now = document.importNode(fresh, true);
  form.replaceWith(now);
  window.htmx?.process(now);
}
