// Tables that sort and filter, and maps that say the value of a cell. The page can be read without any of it.
"use strict";
(() => {
  const UNITS = {
    s: 1, ms: 1e-3, us: 1e-6, ns: 1e-9,
    B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, PB: 1e15, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40,
  };
  const FEW_ROWS = 3, MANY_ROWS = 9;

  // "1.2 ms", "4,096", "1.30x" and "12.5%" as numbers; NaN where a cell has none.
  function valueOf(text) {
    const number = /^[-+]?[\d,]*\.?\d+(?:e[-+]?\d+)?/i.exec(text);
    const unit = /([a-zA-Z]+)(?:\/s)?$/.exec(text);
    return number ? parseFloat(number[0].replaceAll(",", "")) * ((unit && UNITS[unit[1]]) || 1) : NaN;
  }

  function compared(numbers, falling) {
    const way = falling ? -1 : 1;
    return (one, other) => {
      if (!numbers) return way * one.key.localeCompare(other.key, "en", { numeric: true });
      // What has no number stands last, whichever way.
      if (isNaN(one.key) || isNaN(other.key)) return isNaN(one.key) - isNaN(other.key);
      return way * (one.key - other.key);
    };
  }

  function sortable(table) {
    const body = table.tBodies[0], headings = [...table.tHead.rows[0].cells], rows = [...body.rows];
    headings.forEach((heading, column) => {
      const numbers = heading.classList.contains("number");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = heading.textContent;
      heading.replaceChildren(button);
      // Numbers: the largest first. Then the other way, then as the report has them.
      const ways = numbers ? ["descending", "ascending", ""] : ["ascending", "descending", ""];
      button.addEventListener("click", () => {
        const before = ways.indexOf(heading.getAttribute("aria-sort") || "");
        const way = ways[(before + 1) % ways.length];
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        let order = rows;
        if (way) {
          heading.setAttribute("aria-sort", way);
          const keyed = rows.map((row) => {
            const text = row.cells[column].textContent;
            return { row, key: numbers ? valueOf(text) : text };
          });
          order = keyed.sort(compared(numbers, way === "descending")).map((one) => one.row);
        }
        body.append(...order);
      });
    });
  }

  function filterable(table, region) {
    const rows = [...table.tBodies[0].rows];
    const texts = rows.map((row) => [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase());
    const line = document.createElement("div"), label = document.createElement("label");
    const input = document.createElement("input"), count = document.createElement("output");
    line.className = "filter";
    label.textContent = "Show rows with";
    input.type = "search";
    input.id = table.getAttribute("aria-labelledby") + "-filter";
    label.htmlFor = input.id;
    count.setAttribute("aria-live", "polite");
    const show = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, place) => {
        row.hidden = !words.every((word) => texts[place].includes(word));
        shown += !row.hidden;
      });
      count.value = shown === rows.length ? `${rows.length} rows` : `${shown} of ${rows.length} rows`;
    };
    input.addEventListener("input", show);
    show();
    line.append(label, input, count);
    region.before(line);
  }

  function readable(map) {
    const readout = map.closest("figure").querySelector(".readout");
    const rows = [...map.querySelectorAll(".row")].map((row) => [...row.querySelectorAll("path")].filter((one) => one.firstChild));
    let now = null;
    const say = (cell) => {
      if (now) now.classList.remove("now");
      now = cell;
      if (now) now.classList.add("now");
      readout.textContent = now ? now.querySelector("title").textContent : "";
    };
    const place = (cell) => cell.getBoundingClientRect();
    const point = (event) => {
      const cell = event.target.closest(".row path");
      if (cell && cell.firstChild && cell !== now) say(cell);
    };
    map.addEventListener("pointermove", point);
    map.addEventListener("pointerdown", point);
    map.addEventListener("pointerleave", () => say(null));
    map.addEventListener("blur", () => say(null));
    map.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!step) return;
      event.preventDefault();
      const full = rows.filter((row) => row.length);
      const row = now ? full.findIndex((cells) => cells.includes(now)) : -1;
      if (row < 0) return say(full[0][0]);
      if (step[1]) return say(full[row][full[row].indexOf(now) + step[1]] || now);
      const next = full[row + step[0]];
      if (!next) return;
      const middle = place(now).left + Math.min(place(now).width / 2, 2);
      say(next.find((cell) => place(cell).right >= middle) || next[next.length - 1]);
    });
  }

  document.querySelectorAll("table.data").forEach((table) => {
    const many = table.tBodies[0].rows.length;
    if (many >= FEW_ROWS) sortable(table);
    if (many >= MANY_ROWS) filterable(table, table.parentElement);
  });
  document.querySelectorAll("svg.cells").forEach(readable);
})();
