// Two runs side by side, with one filter of each, and two arms of the filter that is shown above.

const SIDES = ["left", "right"];
const pair = { left: null, right: null }; // views of the two matrices

function signed(value, digits) {
  return `${value > 0 ? "+" : ""}${value.toFixed(digits)}`.replace("-", "−");
}

function runOf(side) {
  return DATA.runs.find((run) => run.name === byId(`${side}-run`).value);
}

// A row: its name, both numbers as Python has rounded them, and the right one less the left one.
function differenceRow(name, left, right) {
  const row = element("tr");
  const head = termElement("th", name);
  head.scope = "row";
  head.className = "text";
  const difference = left && right ? signed(right - left, left.split(".")[1].length) : "–";
  row.append(head, ...[left ?? "–", right ?? "–", difference].map((text) => element("td", text)));
  return row;
}

function drawDifferences() {
  const [left, right] = SIDES.map(runOf);
  const heads = ["", left.name, right.name, "difference"].map((name) => (
    name ? element("th", name, { scope: "col" }) : element("td")));
  document.querySelectorAll("#compare .difference").forEach((row) => row.replaceChildren(...heads.map((head) => head.cloneNode(true))));
  const [ofLeft, ofRight] = [left, right].map((run) => run.stages.find((one) => one.name === byId("pair-stage").value)?.means ?? {});
  byId("pair-means").replaceChildren(
    ...Object.keys({ ...ofLeft, ...ofRight }).map((name) => differenceRow(name, ofLeft[name], ofRight[name])));
  const arms = Object.keys({ ...left.accuracies, ...right.accuracies });
  byId("pair-arms-box").hidden = !arms.length;
  byId("pair-arms").replaceChildren(...arms.map((arm) => differenceRow(arm, left.accuracies[arm], right.accuracies[arm])));
}

// The matrix of one side at the threshold of its run, with its clusters below.
async function drawSide(side) {
  const run = runOf(side);
  const stage = run.stages.find((one) => one.name === byId("pair-stage").value) ?? run.stages.at(-1);
  const input = byId(`${side}-filter`);
  input.max = stage.served.length - 1;
  const filter = Math.max(0, Math.min(input.max, Math.floor(Number(input.value)) || 0));
  input.value = filter;
  const loadedStage = await loadStageOnce(run, stage);
  if (run !== runOf(side) || filter !== Number(input.value)) return;
  const clusters = storedClusters(loadedStage, filter);
  const names = run.labels;
  const order = orderOfLabels(clusters, true, names);
  const field = fieldOf(loadedStage, filter);
  const clipped = byId("clipped").checked;
  pair[side] = { stage, field, threshold: stage.measured, clusters, clipped, sorted: true, order, names };
  drawMatrix(byId(`${side}-matrix`), pair[side]);
  const listed = clusters.map((cluster) => cluster.map((label) => names[label]).join(", ")).join(" | ") || "none";
  const words = `${run.name}, ${stage.name}, filter ${filter}: ${clusters.flat().length} labels served, noise ` +
    `${stage.noise[filter]}, accuracy alone ${percent(stage.accuracy[filter], 1)}; clusters: ${listed}`;
  byId(`${side}-text`).textContent = words;
  byId(`${side}-matrix`).setAttribute("aria-label", `Field matrix. ${words}`);
}

function drawPair() {
  drawDifferences();
  SIDES.forEach(drawSide);
}

// What the two arms keep of the filter above: together, and each alone.
function drawArms() {
  const { run, stage, filter } = chosen;
  byId("two-arms").hidden = run.arms.length < 2;
  if (run.arms.length < 2) return;
  SIDES.forEach((side, number) => {
    const select = byId(`${side}-arm`);
    fill(select, run.arms, select.value || run.arms[number]);
  });
  const [left, right] = SIDES.map((side) => byId(`${side}-arm`).value);
  byId("arms-of").textContent = `${stage.name}, filter ${filter}, ${run.name}: the one that is chosen under Filters.`;
  SIDES.forEach((side) => { byId(`only-${side}`).textContent = `only by ${byId(`${side}-arm`).value}`; });
  const [ofLeft, ofRight] = [left, right].map((arm) => connections(run, masks, arm, stage.name, filter));
  const rows = ofLeft.map((one, number) => {
    const [here, there] = [new Set(one.neighbours), new Set(ofRight[number].neighbours)];
    const named = (chosenOnes) => {
      const found = chosenOnes.map((index) => (one.stage === "head" ? run.labels[index] : index));
      return `${found.length}${found.length ? ": " : ""}${found.join(", ")}`;
    };
    const row = element("tr");
    const side = `${one.side}, ${one.stage === "head" ? "labels of the head" : `filters of ${one.stage}`}`;
    row.append(element("th", side, { scope: "row", class: "text" }));
    row.append(...[
      one.neighbours.filter((index) => there.has(index)),
      one.neighbours.filter((index) => !there.has(index)),
      ofRight[number].neighbours.filter((index) => !here.has(index)),
    ].map((found) => element("td", named(found), { class: "text" })));
    return row;
  });
  byId("arm-rows").replaceChildren(...(rows.length ? rows : [element("tr")]));
}

function listenToPair() {
  document.querySelectorAll("#compare form").forEach((form) => form.addEventListener("submit", (event) => event.preventDefault()));
  SIDES.forEach((side, number) => {
    fill(byId(`${side}-run`), DATA.runs.map((run) => run.name), DATA.runs[Math.min(number, DATA.runs.length - 1)].name);
    byId(`${side}-run`).addEventListener("change", drawPair);
    byId(`${side}-filter`).addEventListener("change", () => drawSide(side));
    byId(`${side}-arm`).addEventListener("change", drawArms);
  });
  const stages = [...new Set(DATA.runs.flatMap((run) => run.stages.map((stage) => stage.name)))];
  fill(byId("pair-stage"), stages, DATA.runs[0].stages.at(-1).name);
  byId("pair-stage").addEventListener("change", drawPair);
  byId("clipped").addEventListener("change", drawPair);
}
