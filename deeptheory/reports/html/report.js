// The controls: what is chosen, and what is shown of it.

const byId = (name) => document.getElementById(name);
const chosen = { run: null, stage: null, arm: null, filter: 0, threshold: 0, column: 0, descending: false };
let asked = 0; // how often a stage was asked for
let loaded = null; // fields of the chosen stage
let masks = null; // kernels kept in the chosen run
let kept = [];
let order = []; // filters as the list shows them
let view = null; // what the canvas shows
const SHOWN_NEIGHBOURS = 100;

function fill(select, names, value) {
  select.replaceChildren(...names.map((name) => element("option", name)));
  if (names.includes(value)) select.value = value;
}

// Shows a stage of a run; what was asked for later wins, however long unpacking takes.
async function choose(run, name, filter = null) {
  asked += 1;
  const mine = asked;
  const stage = run.stages.find((one) => one.name === name);
  const unpacking = await Promise.all([loadStageOnce(run, stage), loadMasks(run)]);
  if (mine !== asked) return;
  [loaded, masks] = unpacking;
  fill(byId("stage"), run.stages.map((one) => one.name), name);
  fill(byId("arm"), run.arms.length ? run.arms : ["not pruned"], chosen.arm);
  if (!chosen.stage || chosen.threshold === chosen.stage.measured) chosen.threshold = stage.measured;
  LABELS = run.labels;
  Object.assign(chosen, { run, stage, arm: run.arms.length ? byId("arm").value : null });
  chosen.filter = Math.min(filter ?? typicalFilter(stage), stage.served.length - 1);
  labelThresholds();
  showList();
}

// The filter that serves the median number of labels, as in the figure of a field matrix.
function typicalFilter(stage) {
  const ascending = sortedFilters(stage, [], 1, false);
  return ascending[Math.floor(ascending.length / 2)];
}

function chooseRun(name) {
  const run = DATA.runs.find((one) => one.name === name);
  const same = chosen.stage && run.stages.find((stage) => stage.name === chosen.stage.name);
  return choose(run, (same ?? run.stages.at(-1)).name, same && chosen.filter);
}

function labelThresholds() {
  const { stage } = chosen;
  byId("measured").textContent = `measured: ${stage.measured}`;
  byId("pruned").textContent = `pruned: ${stage.pruned}`;
  byId("pruned").hidden = stage.pruned === stage.measured;
  byId("precision").textContent = stage.precision;
}

function showList() {
  const { run, stage, arm, column, descending } = chosen;
  kept = keptCounts(run, masks, arm, stage);
  order = sortedFilters(stage, kept, column, descending);
  drawHead(document.querySelector("#list thead tr"), column, descending, sortBy);
  drawList(document.querySelector("#list tbody"), stage, order, kept, showFilter);
  showFilter(chosen.filter);
}

function sortBy(column) {
  chosen.descending = column === chosen.column ? !chosen.descending : column > 0;
  chosen.column = column;
  showList();
  document.querySelectorAll("#list thead button")[column].focus();
}

function showFilter(filter) {
  chosen.filter = filter;
  const row = markSelected(document.querySelector("#list tbody"), filter);
  scrollInto(byId("list"), row);
  byId("name").textContent = `${chosen.stage.name}, filter ${filter}, ${chosen.run.name}`;
  showMatrix();
  showConnections();
  drawArms();
}

// `scrollIntoView` would move the whole page too.
function scrollInto(box, row) {
  const head = box.querySelector("thead").offsetHeight;
  const top = row.offsetTop - head;
  if (top < box.scrollTop) box.scrollTop = top;
  const bottom = row.offsetTop + row.offsetHeight - box.clientHeight;
  if (bottom > box.scrollTop) box.scrollTop = bottom;
}

function showMatrix() {
  const { stage, filter, threshold } = chosen;
  const field = fieldOf(loaded, filter);
  const atRun = threshold === stage.measured;
  const clusters = atRun ? storedClusters(loaded, filter) : findClusters(field, threshold);
  const noise = atRun
    ? { noise: stage.noise[filter], inColumns: stage.clusterNoise[filter] }
    : countNoise(field, threshold, clusters);
  const sorted = byId("sorted").checked;
  const clipped = byId("clipped").checked;
  const shown = { clipped, sorted, order: orderOfLabels(clusters, sorted, LABELS), names: LABELS };
  view = { stage, field, threshold, clusters, ...shown };
  drawMatrix(byId("matrix"), view);
  showThreshold();
  showLegend();
  showClusters(clusters);
  showFacts(clusters, noise);
}

function showThreshold() {
  const { stage, threshold } = chosen;
  const text = String(threshold);
  byId("threshold").value = threshold;
  byId("threshold").setAttribute("aria-valuetext", text);
  byId("threshold-value").textContent = text;
  byId("measured").setAttribute("aria-pressed", String(threshold === stage.measured));
  byId("pruned").setAttribute("aria-pressed", String(threshold === stage.pruned));
}

function showLegend() {
  const swatch = (name, text) => {
    const item = element("span", undefined, { class: "key" });
    item.append(element("i", undefined, { class: `swatch ${name}` }), text);
    return item;
  };
  const items = view.clipped
    ? [swatch("in-cluster", "one, in a cluster"), swatch("noise", "one outside: noise"), swatch("zero", "zero")]
    : [element("span", "−1 or below"), element("i", undefined, { class: "ramp" }), element("span", "1, the largest; 0 in the middle")];
  byId("legend").replaceChildren(...items, swatch("square", "cluster"));
}

function names(labels) {
  return labels.map((label) => LABELS[label]).join(", ");
}

function showClusters(clusters) {
  const items = clusters.map((cluster) => {
    const item = element("li", names(cluster));
    item.prepend(...cluster.map((label) => labelImage(LABELS[label])));
    return item;
  });
  byId("clusters").replaceChildren(...(items.length ? items : [element("li", "none: no label is served")]));
}

function showFacts(clusters, found) {
  const { stage, filter, threshold } = chosen;
  const about = stage.exact.includes(threshold) ? "" : "about ";
  const served = clusters.flat().sort((one, other) => one - other);
  const facts = [
    ["labels served", `${about}${served.length} of ${LABELS.length}${served.length ? ": " : ""}${names(served)}`],
    ["noise", `${about}${found.noise}, of which ${found.inColumns} in columns of a cluster`],
    ["SNR share", `${percent(stage.snr[filter], 2)} (twice the signal share less the variance share)`],
    ["signal share", percent(stage.signal[filter], 2)],
    ["variance share", percent(stage.variance[filter], 2)],
    ["accuracy alone", `${percent(stage.accuracy[filter], 1)} on the ${stage.split} split; chance ${percent(1 / LABELS.length, 1)}`],
  ];
  byId("facts").replaceChildren(...facts.flatMap(([name, text]) => [termElement("dt", name), element("dd", text)]));
  const words = `Field matrix of filter ${filter} of ${stage.name}: ${clusters.length} clusters, noise ${found.noise}`;
  byId("matrix").setAttribute("aria-label", words);
}

async function showConnections() {
  const { run, stage, arm, filter } = chosen;
  showArms();
  const found = arm ? connections(run, masks, arm, stage.name, filter) : [];
  const parts = await Promise.all(found.map(connectionPart));
  // While neighbours were unpacked another filter may have been chosen.
  if (filter !== chosen.filter || stage !== chosen.stage || arm !== chosen.arm) return;
  const why = arm ? "Pruning leaves the connections of this stage as they are." : "This run is not pruned.";
  byId("kept").replaceChildren(...(parts.length ? parts : [element("p", why)]));
}

// A line for every arm; the connections themselves are listed for the chosen one.
function showArms() {
  const { run, stage, arm, filter } = chosen;
  const rows = run.arms.map((name) => {
    const found = connections(run, masks, name, stage.name, filter);
    const row = element("tr");
    const head = element("th", undefined, { scope: "row", class: "text" });
    const button = element("button", name, { type: "button", "aria-pressed": name === arm });
    button.addEventListener("click", () => chooseArm(name));
    head.append(button);
    const cells = ["inputs", "outputs"].map((side) => {
      const layer = found.find((one) => one.side === side);
      return element("td", layer ? `${layer.neighbours.length} of ${layer.of}` : "–");
    });
    row.append(head, ...cells);
    return row;
  });
  document.querySelector("#arms tbody").replaceChildren(...rows);
  byId("arms").hidden = !rows.length;
}

function chooseArm(name) {
  chosen.arm = name;
  byId("arm").value = name;
  showList();
}

async function connectionPart({ side, stage: name, of, neighbours }) {
  const part = element("div");
  const share = `${side}: ${neighbours.length} of ${of} kept, ${name === "head" ? "labels of the head" : name}`;
  part.append(element("h5", share));
  const stage = chosen.run.stages.find((one) => one.name === name);
  if (name === "head") {
    part.append(element("p", names(neighbours) || "none"));
  } else if (!stage) {
    part.append(element("p", `${neighbours.join(", ") || "none"} (the fields of ${name} are not in this report)`));
  } else {
    part.append(await neighbourList(stage, neighbours));
  }
  return part;
}

// Labels shared are those of AFCC: served by both at the threshold of pruning.
async function neighbourList(stage, neighbours) {
  const own = servedWhenPruned(loaded, chosen.filter);
  const others = await loadStageOnce(chosen.run, stage);
  const found = neighbours.map((neighbour) => {
    const served = new Set(servedWhenPruned(others, neighbour));
    return { neighbour, shared: own.filter((label) => served.has(label)) };
  });
  found.sort((one, other) => other.shared.length - one.shared.length || one.neighbour - other.neighbour);
  const list = element("ul", undefined, { class: "neighbours" });
  for (const { neighbour, shared } of found.slice(0, SHOWN_NEIGHBOURS)) {
    const item = element("li");
    const button = element("button", `filter ${neighbour}`, { type: "button" });
    button.addEventListener("click", () => choose(chosen.run, stage.name, neighbour));
    item.append(button, shared.length ? ` shares ${names(shared)}` : " shares no label");
    list.append(item);
  }
  const more = found.length - SHOWN_NEIGHBOURS;
  if (more > 0) list.append(element("li", `and ${more} more that share no more labels`));
  return list;
}

function move(steps) {
  const place = order.indexOf(chosen.filter) + steps;
  showFilter(order[Math.max(0, Math.min(order.length - 1, place))]);
}

function onKey(event) {
  const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -order.length, End: order.length };
  if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  move(steps[event.key]);
  if (byId("list").contains(event.target)) document.querySelector("#list tr[aria-current] button").focus();
}

function onPoint(event) {
  const found = elementAt(byId("matrix"), view, event);
  if (!found) return;
  const [i, j] = found;
  const value = view.field[i * LABELS.length + j].toFixed(view.stage.precision < 0.01 ? 3 : 2).replace("-", "−");
  const parts = [labelImage(LABELS[i]), `input label ${LABELS[i]}, output ${LABELS[j]}: ${value} `, labelImage(LABELS[j])];
  byId("readout").replaceChildren(...parts);
}

function setThreshold(threshold) {
  chosen.threshold = threshold;
  showMatrix();
}

function listen() {
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  byId("run").addEventListener("change", (event) => chooseRun(event.target.value));
  byId("stage").addEventListener("change", (event) => choose(chosen.run, event.target.value));
  byId("arm").addEventListener("change", (event) => chooseArm(event.target.value));
  ["clipped", "sorted"].forEach((name) => byId(name).addEventListener("change", showMatrix));
  byId("threshold").addEventListener("input", (event) => setThreshold(Number(event.target.value)));
  byId("measured").addEventListener("click", () => setThreshold(chosen.stage.measured));
  byId("pruned").addEventListener("click", () => setThreshold(chosen.stage.pruned));
  byId("previous").addEventListener("click", () => move(-1));
  byId("next").addEventListener("click", () => move(1));
  document.querySelector("#list tbody").addEventListener("keydown", onKey);
  byId("matrix").addEventListener("keydown", onKey);
  ["pointermove", "pointerdown"].forEach((name) => byId("matrix").addEventListener(name, onPoint));
  const redraw = () => {
    drawMatrix(byId("matrix"), view);
    SIDES.filter((side) => pair[side]).forEach((side) => drawMatrix(byId(`${side}-matrix`), pair[side]));
  };
  window.addEventListener("resize", redraw);
  // Paper is white, whatever the screen is.
  ["(prefers-color-scheme: dark)", "print"].forEach((media) => matchMedia(media).addEventListener("change", redraw));
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((one) => { one.open = true; });
  });
}

fill(byId("run"), DATA.runs.map((run) => run.name));
listen();
listenToPair();
chooseRun(byId("run").value).then(() => {
  SIDES.forEach((side) => { byId(`${side}-filter`).value = chosen.filter; });
  drawPair();
});
