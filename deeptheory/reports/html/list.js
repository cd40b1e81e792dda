// The list of the filters of a stage, sorted by any of its columns.

const COLUMNS = [
  { name: "filter", value: (stage, filter) => filter, shown: (value) => value },
  { name: "labels served", value: (stage, filter) => stage.served[filter], shown: (value) => value },
  { name: "SNR share", value: (stage, filter) => stage.snr[filter], shown: (value) => percent(value, 2) },
  { name: "accuracy alone", value: (stage, filter) => stage.accuracy[filter], shown: (value) => percent(value, 1) },
  { name: "kernels kept", value: (stage, filter, kept) => kept[filter], shown: (value) => value ?? "–" },
];

const WORDS = new Map(
  [...document.querySelectorAll("#words dl > div")].flatMap((one) => one.dataset.names.split("|").map((name) => [name, one.id])),
);
const IMAGES = new Map([...document.querySelectorAll("ul.labels li")].map((one, row) => [one.dataset.name, row]));

function percent(share, digits) {
  return share === null ? "–" : `${(100 * share).toFixed(digits)} %`.replace("-", "−");
}

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
}

// A word that is a link to its definition, where it has one.
function termElement(name, text) {
  const made = element(name);
  const key = WORDS.get(text);
  made.append(key ? element("a", text, { class: "term", href: `#${key}` }) : text);
  return made;
}

// The images of a label, if the report has them.
function labelImage(name) {
  const row = IMAGES.get(name);
  const made = element("span", undefined, { class: row === undefined ? "" : "label-image one", "aria-hidden": "true" });
  if (row !== undefined) made.style.setProperty("--row", row);
  return made;
}

// Kernels into and out of every filter of a stage that the chosen arm keeps.
function keptCounts(run, masks, arm, stage) {
  if (!arm) return stage.served.map(() => null);
  const layers = run.layers.filter((layer) => layer.to === stage.name || layer.from === stage.name);
  if (!layers.length) return stage.served.map(() => null);
  const counts = stage.served.map(() => 0);
  for (const layer of layers) {
    const kept = keptKernels(run, masks, arm, layer);
    for (let output = 0; output < layer.outputs; output += 1) {
      for (let input = 0; input < layer.inputs; input += 1) {
        if (kept(output, input)) counts[layer.to === stage.name ? output : input] += 1;
      }
    }
  }
  return counts;
}

function sortedFilters(stage, kept, column, descending) {
  const of = (filter) => COLUMNS[column].value(stage, filter, kept) ?? -Infinity;
  const filters = stage.served.map((_, filter) => filter);
  // Equal ones stay in the order of their index, whichever way is sorted.
  return filters.sort((one, other) => (descending ? of(other) - of(one) : of(one) - of(other)) || one - other);
}

function drawHead(row, column, descending, onSort) {
  row.replaceChildren(...COLUMNS.map(({ name }, number) => {
    const chosen = number === column;
    const direction = descending ? "descending" : "ascending";
    const head = element("th", undefined, { scope: "col", "aria-sort": chosen ? direction : "none" });
    const button = element("button", name, { type: "button" });
    button.addEventListener("click", () => onSort(number));
    head.append(button);
    return head;
  }));
}

function drawList(body, stage, filters, kept, onSelect) {
  body.replaceChildren(...filters.map((filter) => {
    const row = element("tr", undefined, { "data-filter": filter });
    COLUMNS.forEach(({ value, shown }, number) => {
      const cell = element(number ? "td" : "th");
      const text = String(shown(value(stage, filter, kept)));
      if (number) {
        cell.textContent = text;
      } else {
        cell.scope = "row";
        // Only the row that is shown is a stop of the tab key: arrow keys do the rest.
        cell.append(element("button", text, { type: "button", tabindex: "-1" }));
      }
      row.append(cell);
    });
    row.addEventListener("click", () => onSelect(filter));
    return row;
  }));
}

function markSelected(body, filter) {
  const before = body.querySelector("tr[aria-current]");
  if (before) {
    before.removeAttribute("aria-current");
    before.querySelector("button").tabIndex = -1;
  }
  const row = body.querySelector(`tr[data-filter="${filter}"]`);
  row.setAttribute("aria-current", "true");
  row.querySelector("button").tabIndex = 0;
  return row;
}
