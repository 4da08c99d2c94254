// Sorting and filtering. Without it the page says the same, in the order of the run.

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const flat = (text) => text.trim().replace(/\s+/g, " ");

function keyOf(unit, column) {
  const cell = (unit.rows ? unit.rows[0] : unit).cells[column];
  const text = cell.dataset.sort ?? flat(cell.textContent);
  const number = Number(text.replace(/,/g, ""));
  return text !== "" && Number.isFinite(number) ? [0, number, text] : [text === "" ? 2 : 1, 0, text];
}

function compare(one, other) {
  const [[kind, number, text], [otherKind, otherNumber, otherText]] = [one, other];
  return kind - otherKind || number - otherNumber || text.localeCompare(otherText);
}

function sort(table, header) {
  const up = header.getAttribute("aria-sort") !== "ascending";
  for (const one of all(":scope > thead th", table)) one.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", up ? "ascending" : "descending");
  const units = table.classList.contains("grouped") ? [...table.tBodies] : [...table.tBodies[0].rows];
  const parent = units[0]?.parentNode;
  const keyed = units.map((unit) => [keyOf(unit, header.cellIndex), unit]);
  keyed.sort(([one], [other]) => (up ? compare(one, other) : compare(other, one)));
  for (const [, unit] of keyed) parent.append(unit);
}

for (const table of all("table.sortable")) {
  for (const header of all(":scope > thead th:not(.plain)", table)) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => sort(table, header));
  }
}

const form = document.getElementById("filter");
const words = document.getElementById("words");
const state = document.getElementById("state");
const units = all("[data-filtered]").flatMap((one) => (one.tBodies ? [...one.tBodies[0].rows] : [one]));
const texts = new Map(units.map((unit) => [unit, flat(unit.textContent).toLowerCase()]));
const states = (unit) => all(".mark", unit).map((mark) => flat(mark.lastChild.textContent));
const articles = all("article[data-filtered]");

function filter() {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const unit of units) {
    const fits = wanted.every((word) => texts.get(unit).includes(word));
    unit.hidden = !(fits && (!state.value || states(unit).includes(state.value)));
  }
  const shown = articles.filter((one) => !one.hidden).length;
  document.getElementById("shown").textContent = `${shown} of ${articles.length} shown`;
}

for (const word of [...new Set(units.flatMap(states))].filter(Boolean).sort()) state.append(new Option(word));
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", filter);
form.hidden = articles.length < 2;

function unfold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let one = target; one; one = one.parentElement) {
    if (one.tagName === "DETAILS") one.open = true;
    one.hidden = false;
  }
  target?.scrollIntoView();
}

window.addEventListener("hashchange", unfold);
if (location.hash) unfold();

let closed = [];
window.addEventListener("beforeprint", () => {
  closed = all("details:not([open])").filter((one) => !one.closest("tr.behind"));
  for (const one of closed) one.open = true;
});
window.addEventListener("afterprint", () => {
  for (const one of closed) one.open = false;
});

// A table that is wider than the page is scrolled with the keyboard too.
function reach() {
  for (const one of all(".wide")) {
    const scrolls = one.scrollWidth > one.clientWidth;
    one.toggleAttribute("tabindex", scrolls);
    if (scrolls) one.tabIndex = 0;
  }
}

window.addEventListener("resize", reach);
document.addEventListener("toggle", reach, true);
reach();
