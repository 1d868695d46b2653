const [COPY, COPIED, BY_HAND] =
  document.documentElement.lang === "pt-BR" ? ["Copiar", "Copiado", "Ctrl+C"] : ["Copy", "Copied", "Ctrl+C"];

for (const block of document.querySelectorAll("div.highlight > pre")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = COPY;
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    try {
      // Without the last line feed, which a terminal takes for Enter.
      await navigator.clipboard.writeText(block.textContent.trimEnd());
      button.textContent = COPIED;
    } catch {
      getSelection().selectAllChildren(block);
      button.textContent = BY_HAND;
    }
    setTimeout(() => (button.textContent = COPY), 3000);
  });
  block.after(button);
}

// Keys scroll only what can have the focus.
for (const box of document.querySelectorAll(".table-wrapper, pre")) {
  if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
}
