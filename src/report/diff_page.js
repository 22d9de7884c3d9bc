// SPDX-License-Identifier: Apache-2.0
// A click on a column's title sorts by it, another one the other way round.
"use strict";
const valueOf = (row, column) => {
  const cell = row.cells[column];
  return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
};
const order = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b));
for (const button of document.querySelectorAll("th > button")) {
  button.addEventListener("click", () => {
    const title = button.parentElement;
    const table = title.closest("table");
    const way = title.getAttribute("aria-sort") === "descending" ? 1 : -1;
    for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
    title.setAttribute("aria-sort", way === 1 ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows];
    const column = title.cellIndex;
    rows.sort((a, b) => way * order(valueOf(a, column), valueOf(b, column)));
    table.tBodies[0].append(...rows);
  });
}
