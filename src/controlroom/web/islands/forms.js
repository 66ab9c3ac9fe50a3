// Forms made from schemas: checked by the server while one types, and laid out anew where a choice changes their shape.

const CHECK_MS = 400;

export function startForms() {
  const touched = new Set();
  let timer = null;
  document.addEventListener("htmx:configRequest", (event) => {
    const token = document.querySelector('meta[name="csrf-token"]').content;
    if (token) event.detail.headers["X-CSRF-Token"] = token;
  });
  document.addEventListener("htmx:afterSwap", () => {
    touched.clear();
    const form = document.querySelector("form[data-checks]");
    if (form?.querySelector(".form-error")) (form.querySelector("[aria-invalid=true]") ?? form).focus();
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-checks]");
    if (!form || event.target.type === "file") return;
    if (event.target.matches("[data-refresh]")) {
      form.querySelector("[data-refresh-button]").click();
      return;
    }
    touched.add(event.target.name);
    check(form, touched);
  });
  document.addEventListener("file-change", (event) => {
    const form = event.target.closest("form[data-checks]");
    touched.add(event.detail.name);
    if (form) check(form, touched);
  });
  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-checks]");
    if (!form || event.target.getAttribute("aria-invalid") !== "true") return;
    clearTimeout(timer);
    touched.add(event.target.name);
    timer = setTimeout(() => check(form, touched), CHECK_MS);
  });
}

// Only fields that were touched get an error: nobody is blamed for what they have not reached yet.
async function check(form, touched) {
  const body = new URLSearchParams(new FormData(form));
  body.set("_action", "check");
  let response;
  try {
    response = await fetch(form.dataset.checks, { method: "POST", body, headers: { Accept: "text/html" } });
  } catch {
    return;
  }
  if (!response.ok || !form.isConnected) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const name of touched) {
    for (const field of form.querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
      const id = field.dataset.field ?? field.id;
      const place = form.querySelector(`[data-error-for="${CSS.escape(id)}"]`);
      const now = fresh.querySelector(`[data-error-for="${CSS.escape(id)}"]`);
      if (!place || !now) continue;
      if (place.innerHTML !== now.innerHTML) place.innerHTML = now.innerHTML;
      if (now.childElementCount) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
  }
}
