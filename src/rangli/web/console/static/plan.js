// The editor of a plan: line numbers beside the text, and each problem at its line and at its field.
(() => {
  "use strict";

  const text = () => document.getElementById("document");
  const gutter = () => document.querySelector(".editor .gutter");
  let saved = null;

  const follow = () => { gutter().scrollTop = text().scrollTop; };

  const faults = () => [...document.querySelectorAll("#problems li")].map((item) => ({
    where: item.dataset.where, line: Number(item.dataset.line), words: item.dataset.words,
  }));

  const number = () => {
    const bad = new Map(faults().filter((one) => one.line).map((one) => [one.line, one.words]));
    const lines = text().value.split("\n").map((_, i) => {
      const line = document.createElement("span");
      line.textContent = String(i + 1);
      if (bad.has(i + 1)) { line.className = "bad"; line.title = bad.get(i + 1); }
      return line;
    });
    gutter().replaceChildren(...lines);
    follow();
  };

  const inside = (where, place) => where === place || place === "" || where.startsWith(`${place}.`) || where.startsWith(`${place}[`);

  const mark = () => {
    const places = [...document.querySelectorAll("#plan-form [data-problem]")];
    for (const place of places) {
      place.hidden = true;
      place.textContent = "";
      const field = place.closest(".field");
      field?.classList.remove("wrong");
      field?.querySelector("[name=value]")?.removeAttribute("aria-invalid");
    }
    for (const fault of faults()) {
      const fitting = places.filter((place) => inside(fault.where, place.dataset.problem));
      const best = fitting.reduce((one, other) => (other.dataset.problem.length > one.dataset.problem.length ? other : one), fitting[0]);
      if (!best) continue;
      best.textContent += (best.textContent ? " " : "") + fault.words;
      best.hidden = false;
      const field = best.closest(".field");
      field?.classList.add("wrong");
      field?.querySelector("[name=value]")?.setAttribute("aria-invalid", "true");
    }
  };

  const drawn = () => { if (text()) { number(); mark(); } };

  const go = (line) => {
    const box = text(), lines = box.value.split("\n");
    const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
    box.focus();
    box.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
    box.scrollTop = Math.max(0, (box.scrollHeight * (line - 6)) / lines.length);
    follow();
  };

  document.addEventListener("DOMContentLoaded", () => { saved = text()?.value ?? null; drawn(); });
  document.addEventListener("htmx:afterSettle", drawn);
  document.addEventListener("input", (event) => { if (event.target === text()) number(); });
  document.addEventListener("scroll", (event) => { if (event.target === text()) follow(); }, true);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-go]");
    if (button) go(Number(button.dataset.go));
  });
  document.addEventListener("submit", (event) => { if (event.target.method === "post") saved = null; });
  window.addEventListener("beforeunload", (event) => { if (saved !== null && text() && text().value !== saved) event.preventDefault(); });
})();
