// A place to drop a file on: it goes into the file field inside, which checks it as if it had been chosen there.

export function startDrop() {
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      const place = event.target.closest?.("[data-drop]");
      if (!place) return;
      event.preventDefault();
      place.classList.toggle("over", name === "dragover");
      const file = name === "drop" ? event.dataTransfer.files[0] : null;
      if (!file) return;
      const files = new DataTransfer();
      files.items.add(file);
      const field = place.querySelector("input[type=file]");
      field.files = files.files;
      field.dispatchEvent(new Event("change", { bubbles: true }));
    });
  }
}
