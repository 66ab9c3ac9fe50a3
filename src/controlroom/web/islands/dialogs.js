// Dialogs that open and close, and buttons that copy.

const OPEN_MENUS = "details.me[open], details.menu-box[open]";

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    copyBySelection(button.dataset.copy);
  }
  button.classList.add("done");
  const use = button.querySelector("use");
  const before = use.getAttribute("href");
  use.setAttribute("href", before.replace(/#.*/, "#check"));
  setTimeout(() => {
    button.classList.remove("done");
    use.setAttribute("href", before);
  }, 1500);
}

// A page that is not reached by https has no clipboard of its own.
export function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "hidden";
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

export function openDialog(id) {
  const dialog = document.getElementById(id);
  if (!dialog || dialog.open) return;
  for (const menu of document.querySelectorAll(OPEN_MENUS)) menu.open = false;
  dialog.showModal();
  const field = dialog.querySelector("input:not([type=hidden])");
  if (field) {
    field.select();
    field.dispatchEvent(new Event(`${id}-opened`));
  }
}

export function startDialogs() {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    const copier = event.target.closest("[data-copy]");
    if (opener) openDialog(opener.dataset.opens);
    if (copier) copy(copier);
    if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
    if (event.target instanceof HTMLDialogElement && isOutside(event)) event.target.close();
    for (const menu of document.querySelectorAll(OPEN_MENUS)) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && event.target.closest?.(OPEN_MENUS);
    if (!menu) return;
    event.preventDefault();
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const form = event.target.closest?.("[data-closes]");
    if (form) form.closest("dialog")?.close();
  });
}

function isOutside(event) {
  const box = event.target.getBoundingClientRect();
  const { clientX: x, clientY: y } = event;
  return x < box.left || x > box.right || y < box.top || y > box.bottom;
}
