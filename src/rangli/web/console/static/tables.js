// Tables that are on a page as a whole, in the reader's hand: in the order of a column, only the rows with some words, as a file.
// Without this script the same tables stand there as they were drawn.
(() => {
  "use strict";

  const FEW = 10; // so many rows are looked through without a filter
  const LATER_MS = 60_000; // by then a file has been saved
  const NUMBER = /^-?\d+(\.\d+)?$/;
  const FIGURE = /^[<>+]?(-?)¥?(\d+(?:\.\d+)?) ?(.*)$/; // as people read it: -12.5%, ¥3.00, 7 months
  const FORMULA = /^[=+\-@\t\r]/; // with these a text would be a formula to a spreadsheet (CWE-1236)
  const MISSING = /^[-–—]?$/;
  const GIVEN = 0, RISING = 1, FALLING = -1;
  const SAID = new Map([[RISING, "ascending"], [FALLING, "descending"]]);
  const NEXT = new Map([[GIVEN, RISING], [RISING, FALLING], [FALLING, GIVEN]]);

  // ---------------------------------------------------------------- what a cell holds

  const value = (cell) => cell.dataset.value ?? cell.textContent.trim();

  // What a cell is sorted by: a number with its unit, or a text.
  const key = (cell) => {
    const text = cell.dataset.order ?? value(cell);
    if (NUMBER.test(text)) return { number: text, unit: cell.dataset.unit ?? "" };
    const figure = cell.classList.contains("num") && FIGURE.exec(text.replaceAll(",", "").replace("−", "-"));
    return figure ? { number: figure[1] + figure[2], unit: figure[3] } : { text };
  };

  // ---------------------------------------------------------------- order

  const words = new Intl.Collator(document.documentElement.lang, { numeric: true });

  // Money has more digits than a float keeps; so both numbers are made whole ones with as many places.
  const byNumber = (one, other) => {
    const places = (text) => text.split(".")[1]?.length ?? 0;
    const most = Math.max(places(one), places(other));
    const [a, b] = [one, other].map((text) => BigInt(text.replace(".", "") + "0".repeat(most - places(text))));
    return a < b ? -1 : Number(a > b);
  };

  // Units stay apart, numbers come before words.
  const byKey = (one, other) => {
    if (one.number && other.number) return words.compare(one.unit, other.unit) || byNumber(one.number, other.number);
    if (one.number || other.number) return one.number ? -1 : 1;
    return words.compare(one.text, other.text);
  };

  // Rows with the same in the column keep the order they were given in; those that have nothing there come last, whichever way.
  const ordered = (rows, column, way) => {
    if (way === GIVEN) return rows;
    const keys = new Map(rows.map((row) => [row, key(row.cells[column])]));
    const isMissing = (row) => MISSING.test(keys.get(row).text ?? "there");
    const there = rows.filter((row) => !isMissing(row)).sort((one, other) => way * byKey(keys.get(one), keys.get(other)));
    return [...there, ...rows.filter(isMissing)];
  };

  // ---------------------------------------------------------------- filter

  // By what a cell shows, and by the exact value behind it.
  const holds = (cell, sought) => [cell.textContent, cell.dataset.value ?? ""].some((text) => text.toLowerCase().includes(sought));

  // ---------------------------------------------------------------- file

  const harmless = (text) => (FORMULA.test(text) ? `'${text}` : text);
  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const saved = (cell) => (NUMBER.test(cell.dataset.value) ? cell.dataset.value : harmless(value(cell)));

  // As the server writes a listing: exact numbers, and beside every amount its unit.
  const csv = (columns, rows, unit) => {
    const filled = (of) => columns.flatMap((column) => of(column).slice(0, column.isMeasured ? 2 : 1));
    const lines = [
      filled(({ name }) => [harmless(name), unit]),
      ...rows.map(({ cells }) => filled(({ place }) => [saved(cells[place]), cells[place].dataset.unit ?? ""])),
    ];
    return lines.map((cells) => `${cells.map(quoted).join(",")}\r\n`).join("");
  };

  const save = (name, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }));
    link.download = `${name}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), LATER_MS);
  };

  // ---------------------------------------------------------------- a table

  const asked = new Map(); // page and table -> what the reader wanted of it, for when the server draws it anew
  const held = new WeakSet();

  const nameOf = (table) => table.closest(".table").getAttribute("aria-label");
  const isListing = (table) => !("file" in table.dataset); // it has the server's filters and files

  const wish = (table) => {
    const fresh = { column: 0, way: GIVEN, sought: "" };
    if (isListing(table)) return fresh; // the server draws it anew in the order that it was asked for
    const place = `${location.pathname} ${nameOf(table)}`;
    if (!asked.has(place)) asked.set(place, fresh);
    return asked.get(place);
  };

  const drawnFrom = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

  // A page may have several of the same; each is named after its table.
  const called = (control, words, table) => control.setAttribute("aria-label", `${words.textContent.trim()}: ${nameOf(table)}`);

  const hold = (table) => {
    const wanted = wish(table), id = `table-${[...document.querySelectorAll("table")].indexOf(table)}`;
    const body = table.tBodies[0], given = [...body.rows], heads = [...table.tHead.rows[0].cells];
    const columns = heads
      .map((head, place) => ({
        head, place, name: head.firstChild.textContent.trim(), sorted: head.getAttribute("aria-sort"),
        isMeasured: given.some((row) => row.cells[place].dataset.unit),
      }))
      .filter(({ head }) => !head.classList.contains("acts"));
    let tell = () => {};

    const show = () => {
      const sought = wanted.sought.trim().toLowerCase();
      for (const row of given) row.hidden = !columns.some(({ place }) => holds(row.cells[place], sought));
      body.append(...ordered(given, wanted.column, wanted.way));
      for (const { head, place, sorted } of columns) {
        const said = wanted.way === GIVEN ? sorted : place === wanted.column && SAID.get(wanted.way);
        if (said) head.setAttribute("aria-sort", said);
        else head.removeAttribute("aria-sort");
      }
      tell();
    };

    const turn = (place) => {
      wanted.way = place === wanted.column ? NEXT.get(wanted.way) : RISING;
      wanted.column = place;
      show();
    };

    const sorting = () => {
      for (const { head, place } of columns.filter((column) => !column.head.querySelector(".by"))) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "by";
        button.id = `${id}-by-${place}`;
        button.append(...head.childNodes);
        button.addEventListener("click", () => turn(place));
        head.append(button);
      }
    };

    const sifting = () => {
      const tools = drawnFrom("table-filter"), field = tools.querySelector("input"), said = tools.querySelector("[role=status]");
      field.id = `${id}-filter`;
      called(field, tools.querySelector("label"), table);
      field.value = wanted.sought;
      field.addEventListener("input", () => { wanted.sought = field.value; show(); });
      tell = () => {
        const shown = given.filter((row) => !row.hidden).length;
        said.textContent = said.dataset.words.replace("{n}", shown).replace("{all}", given.length);
      };
      table.closest(".table").before(tools);
    };

    const saving = () => {
      const tools = drawnFrom("table-save"), button = tools.querySelector("button");
      button.id = `${id}-save`;
      called(button, button, table);
      button.addEventListener("click", () => {
        const rows = [...body.rows].filter((row) => !row.hidden);
        save(table.dataset.file, csv(columns, [...rows, ...(table.tFoot?.rows ?? [])], button.dataset.unit));
      });
      table.closest(".table").after(tools);
    };

    if (given.length > 1) sorting();
    if (given.length > FEW && !isListing(table)) sifting();
    else wanted.sought = "";
    if (given.length && !isListing(table)) saving();
    show();
  };

  const holdAll = () => {
    for (const table of document.querySelectorAll("table[data-sorts]")) {
      if (held.has(table)) continue;
      held.add(table);
      hold(table);
    }
  };

  // Where the reader was: his filter or head goes with the part that is drawn anew, and its successor comes only after it.
  let focused = "";
  document.addEventListener("htmx:beforeSwap", () => { focused = document.activeElement?.id ?? ""; });
  document.addEventListener("htmx:afterSettle", () => {
    holdAll();
    if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus({ preventScroll: true });
    focused = "";
  });
  document.addEventListener("DOMContentLoaded", holdAll);
})();
