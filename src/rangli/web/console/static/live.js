// Orders as they pass. The server sends at most four events a second with at most twenty rows each; this keeps fifty of them.
// Everything that comes is text, and becomes text.
(() => {
  "use strict";
  const ROWS_MAX = 50, PACE_MS = 5000;

  const begin = (box) => {
    const words = box.dataset, kinds = JSON.parse(words.kinds);
    const body = box.querySelector("[data-rows]"), state = box.querySelector("[data-state]"), pace = box.querySelector("[data-pace]");
    const more = box.querySelector("[data-left-out]"), button = box.querySelector("[data-pause-button]");
    let source = null, paused = false, leftOut = 0, decided = 0;

    const say = (word, tone) => { state.textContent = word; state.className = `chip ${tone}`; };
    const filled = (text, facts) => text.replace(/\{(\w+)\}/g, (_, name) => facts[name]);
    const count = (number) => number.toLocaleString("en-US");
    const cell = (row, text, kind) => {
      const made = document.createElement("td");
      if (kind) made.className = kind;
      made.textContent = text;
      row.append(made);
      return made;
    };

    const packets = (row, one) => {
      if (one.kind !== "order") return cell(row, "");
      if (!one.packets) return cell(row, words.none);
      const made = cell(row, filled(words.packets, { n: one.packets, yuan: `¥${one.packets_yuan}` }));
      const named = document.createElement("small");
      named.textContent = one.largest.map((packet) => filled(words.to, { to: packet.to, yuan: `¥${packet.yuan}` })).join("; ") + (one.packets > one.largest.length ? "…" : "");
      made.append(named);
      return made;
    };

    const drawn = (one) => {
      const row = document.createElement("tr");
      const time = cell(row, new Date(one.at).toLocaleTimeString("en-GB", { timeZone: "Asia/Shanghai" }));
      time.title = one.at;
      const name = cell(row, "");
      if (one.kind === "order") {
        const link = document.createElement("a");
        link.href = words.order + encodeURIComponent(one.id);
        link.textContent = one.id;
        name.append(link);
      } else {
        name.textContent = `${kinds[one.kind] || one.kind} ${one.id}`;
      }
      cell(row, one.consumer ? `${one.consumer} → ${one.merchant}` : "");
      cell(row, one.yuan ? `¥${one.yuan}` : "", "num");
      cell(row, one.concession ? `¥${one.conceded_yuan} (${one.concession})` : "", "num");
      packets(row, one);
      return row;
    };

    const figures = (told) => {
      for (const [name, text] of Object.entries(told.figures)) {
        const place = document.querySelector(`[data-figure="${CSS.escape(name)}"]`);
        if (place && place.textContent !== text) place.textContent = text;
      }
      const behind = document.querySelector("[data-behind]");
      if (behind && !told.behind) behind.remove();
    };

    const hear = (event) => {
      const told = JSON.parse(event.data);
      if (paused) return;
      say(words.liveWord, "good");
      body.prepend(...told.rows.map(drawn));
      while (body.rows.length > ROWS_MAX) body.deleteRow(-1);
      leftOut += told.left_out;
      decided += told.left_out + told.rows.length;
      more.textContent = leftOut ? filled(words.more, { n: count(leftOut) }) : "";
      figures(told);
    };

    const open = () => {
      source = new EventSource(words.live);
      source.addEventListener("passing", hear);
      source.addEventListener("away", (event) => {
        const told = JSON.parse(event.data);
        say(document.documentElement.lang === "en" ? told.en : told.zh, "wait");
      });
      source.onerror = () => { if (!paused) say(words.lost, "wait"); };
    };

    button.addEventListener("click", () => {
      paused = !paused;
      button.setAttribute("aria-pressed", String(paused));
      button.textContent = paused ? words.goOn : words.pause;
      if (paused) {
        source.close();
        say(words.paused, "plain");
      } else {
        body.replaceChildren();
        open();
      }
    });
    setInterval(() => {
      const text = decided ? filled(words.since, { n: count(decided) }) : "";
      if (pace.textContent !== text) pace.textContent = text;
      decided = 0;
    }, PACE_MS);
    window.addEventListener("pagehide", () => source.close());
    window.addEventListener("pageshow", (event) => { if (event.persisted && !paused) open(); });
    open();
  };

  document.addEventListener("DOMContentLoaded", () => { for (const box of document.querySelectorAll("[data-live]")) begin(box); });
})();
