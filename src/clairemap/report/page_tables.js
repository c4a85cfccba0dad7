// Tables: sorting, copying, CSV.

/** Returns the text of a cell without its small print, and the small print. */
function cellTexts(cell) {
  const small = [...cell.querySelectorAll("small")].map((part) => part.textContent.trim());
  const copy = cell.cloneNode(true);
  copy.querySelectorAll("small, .meter, svg").forEach((part) => part.remove());
  return [copy.textContent.replace(/\s+/g, " ").trim(), small.join("; ")];
}

/** Returns the number at the start of a text, null if there is none. */
function numberOf(text) {
  const plain = text.replace(/[\u202f\u00a0,](?=\d{3})/g, "").replace("\u2212", "-");
  const found = /^[-+]?\d*\.?\d+/.exec(plain);
  return found ? Number(found[0]) : null;
}

function sortTable(table, column, header) {
  const direction = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  table.querySelectorAll("th[aria-sort]").forEach((each) => each.removeAttribute("aria-sort"));
  header.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
  const rows = [...table.tBodies[0].rows].map((row) => {
    const text = row.cells[column] ? cellTexts(row.cells[column])[0] : "";
    return { row, text, number: numberOf(text) };
  });
  const isEmpty = ({ text }) => text === "" || text === "–";
  rows.sort((one, other) => {
    if (isEmpty(one) !== isEmpty(other)) return isEmpty(one) ? 1 : -1;
    const difference = one.number !== null && other.number !== null
      ? one.number - other.number : one.text.localeCompare(other.text, undefined, { numeric: true });
    return direction * difference;
  });
  table.tBodies[0].append(...rows.map(({ row }) => row));
  say(`Sorted by ${header.textContent.trim()}, ${header.getAttribute("aria-sort")}.`);
}

/** Returns a table as rows of texts; small print gets columns of its own. */
function tableRows(table) {
  const lines = [...table.rows].map((row) => [...row.cells].flatMap((cell) => {
    const texts = cellTexts(cell);
    return [texts, ...Array(cell.colSpan - 1).fill(["", ""])];
  }));
  const width = Math.max(...lines.map((line) => line.length));
  const hasSmall = [...Array(width).keys()].map((column) => lines.slice(1).some((line) => line[column]?.[1]));
  return lines.map((line, row) => line.flatMap(([text, small], column) =>
    hasSmall[column] ? [text, row ? small : `${text}, interval or note`] : [text]));
}

function csvCell(text) {
  const plain = text.replace(/[\u202f\u00a0](?=\d{3})/g, "").replace(/^\u2212(?=\d)/, "-");
  const safe = /^[=+@\t-]/.test(plain) && numberOf(plain) === null ? `'${plain}` : plain;
  return /[",\n;]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Makes a link save rows of texts when it is followed. */
function saveCsv(link, rows) {
  const text = rows.map((row) => row.map(csvCell).join(",")).join("\r\n");
  URL.revokeObjectURL(link.dataset.address);
  link.dataset.address = link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
}

function prepareTable(table, number) {
  if (table.tHead && !table.hasAttribute("data-fixed")) {
    [...table.tHead.rows[0].cells].forEach((header, column) => {
      if (!header.textContent.trim() || header.colSpan > 1) return;
      const button = make("button", { type: "button", className: "sort" });
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => sortTable(table, column, header));
    });
  }
  const copy = make("button", { type: "button", textContent: "Copy" });
  copy.addEventListener("click", async () => {
    const text = tableRows(table).map((row) => row.join("\t")).join("\n");
    try {
      await navigator.clipboard.writeText(text);
      say("The table was copied.");
    } catch {
      say("The browser does not allow copying here. Download the table as CSV.");
    }
  });
  const name = table.closest("section")?.id ?? "table";
  const file = `${document.body.dataset.region}-${name}-${number + 1}.csv`;
  const save = make("a", { textContent: "CSV", download: file, href: "#" });
  save.addEventListener("click", () => saveCsv(save, tableRows(table)));
  const frame = table.closest(".scroll") ?? table;
  frame.before(make("div", { className: "tools" }, copy, save));
  const heading = table.caption ?? table.closest("section")?.querySelector("h2");
  if (frame === table || !heading) return;
  frame.tabIndex = 0; // wide tables can be moved with the keyboard
  frame.setAttribute("role", "group");
  frame.setAttribute("aria-label", heading.textContent.trim());
}
