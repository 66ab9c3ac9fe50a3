// Short messages at the page's corner: what failed, said where one looks, with all that was typed left as it is.

export function notify(title, text) {
  const template = document.getElementById("notice-template");
  const notice = template.content.cloneNode(true);
  notice.querySelector("strong").textContent = title;
  notice.querySelector("p").textContent = text;
  document.getElementById("notices").prepend(notice);
}

export function startNotices() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-dismiss]");
    if (button) button.closest(".notice").remove();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr } = event.detail;
    const isForeign = xhr.status >= 400 && xhr.status !== 422 && !xhr.getResponseHeader("HX-Retarget");
    if (isForeign) {
      event.detail.shouldSwap = false;
      notify("This did not work", `The server answered ${xhr.status}. Nothing you typed is lost; try again.`);
    }
  });
  for (const name of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, () =>
      notify("The Control Room does not answer", "Nothing you typed is lost. Try again in a moment."),
    );
  }
}
