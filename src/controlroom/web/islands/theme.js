// The theme and the folded menu: kept in cookies, so that the server renders them right from the first byte.

const YEAR_SECONDS = 31536000;
const ORDER = ["system", "light", "dark"];

function keep(name, value) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${name}=${value}; Path=/; Max-Age=${YEAR_SECONDS}; SameSite=Lax${secure}`;
}

function show(theme) {
  const root = document.documentElement;
  root.dataset.theme = theme;
  keep("controlroom_theme", theme);
  for (const toggle of document.querySelectorAll("[data-theme-toggle]")) {
    toggle.title = `Theme: ${theme}`;
    toggle.setAttribute("aria-label", `Theme: ${theme}`);
  }
  for (const choice of document.querySelectorAll("[data-theme-choice]")) {
    choice.setAttribute("aria-pressed", String(choice.dataset.themeChoice === theme));
  }
}

export function startTheme() {
  document.addEventListener("click", (event) => {
    const root = document.documentElement;
    const choice = event.target.closest("[data-theme-choice]");
    if (choice) show(choice.dataset.themeChoice);
    if (event.target.closest("[data-theme-toggle]")) {
      show(ORDER[(ORDER.indexOf(root.dataset.theme) + 1) % ORDER.length]);
    }
    if (event.target.closest("[data-fold]")) {
      const isNarrow = root.dataset.menu === "narrow";
      if (isNarrow) delete root.dataset.menu;
      else root.dataset.menu = "narrow";
      keep("controlroom_menu", isNarrow ? "wide" : "narrow");
    }
  });
}
