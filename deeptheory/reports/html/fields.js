// The numbers of the report: how they are unpacked, clipped and sorted into clusters.

const DATA = JSON.parse(document.getElementById("filters-data").textContent);
let LABELS = []; // names of the labels of the run that is shown
const TOP = 255;
const NO_CLUSTER = 65535;
const unpacked = new Map();

async function unpack(name) {
  const text = atob(document.getElementById(name).textContent);
  const packed = new Uint8Array(text.length);
  for (let place = 0; place < packed.length; place += 1) packed[place] = text.charCodeAt(place);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

// Kept as promises: a stage that is asked for twice while it is unpacked is unpacked once.
function unpackOnce(name) {
  if (!unpacked.has(name)) unpacked.set(name, unpack(name));
  return unpacked.get(name);
}

async function loadStage(run, stage) {
  const buffer = await unpackOnce(`fields-${run.key}-${stage.name}`);
  const count = stage.served.length * run.labels.length;
  return { stored: new Uint16Array(buffer, 0, count), levels: new Uint8Array(buffer, 2 * count) };
}

async function loadMasks(run) {
  return new Uint8Array(await unpackOnce(`masks-${run.key}`));
}

function fieldOf(loaded, filter) {
  const size = LABELS.length ** 2;
  return loaded.levels.subarray(filter * size, (filter + 1) * size);
}

function servedLabels(field, threshold) {
  const n = LABELS.length;
  return LABELS.map((_, label) => label).filter((label) => field[label * n + label] > threshold);
}

// The greedy rule of deeptheory.measure.find_clusters; `threshold` is a level.
function findClusters(field, threshold) {
  const n = LABELS.length;
  const together = (i, j) => field[i * n + j] > threshold && field[j * n + i] > threshold;
  const clusters = [];
  let left = servedLabels(field, threshold);
  while (left.length) {
    const cluster = [];
    const others = [];
    for (const label of left) {
      (cluster.every((member) => together(label, member)) ? cluster : others).push(label);
    }
    clusters.push(cluster);
    left = others;
  }
  return clusters;
}

// At the threshold of the run: the clusters that it stored, those that everything else was computed from.
function storedClusters(loaded, filter) {
  const n = LABELS.length;
  const clusters = [];
  loaded.stored.subarray(filter * n, (filter + 1) * n).forEach((number, label) => {
    if (number !== NO_CLUSTER) (clusters[number] ??= []).push(label);
  });
  return clusters;
}

function clusterOfLabels(clusters) {
  const found = new Int32Array(LABELS.length).fill(-1);
  clusters.forEach((cluster, number) => cluster.forEach((label) => { found[label] = number; }));
  return found;
}

// Ones outside the squares of the clusters, and those of them in a column of a cluster.
function countNoise(field, threshold, clusters) {
  const n = LABELS.length;
  const cluster = clusterOfLabels(clusters);
  let noise = 0;
  let inColumns = 0;
  for (let i = 0; i < n; i += 1) {
    for (let j = 0; j < n; j += 1) {
      const inside = cluster[j] >= 0 && cluster[i] === cluster[j];
      if (field[i * n + j] <= threshold || inside) continue;
      noise += 1;
      if (cluster[j] >= 0) inColumns += 1;
    }
  }
  return { noise, inColumns };
}

// Upper edge of a level: evenly spaced between the marks, as deeptheory.reports.html.field_levels makes them.
function edge(stage, level) {
  const above = stage.marks.findIndex(([mark]) => mark >= level);
  const [high, top] = stage.marks[above];
  if (high === level) return top;
  const [low, bottom] = stage.marks[above - 1];
  return bottom + ((top - bottom) * (level - low)) / (high - low);
}

// Kernels of one layer that an arm keeps: bits, eight to a byte, every layer from a byte of its own.
function keptKernels(run, masks, arm, layer) {
  const bytes = (shape) => Math.ceil((shape.outputs * shape.inputs) / 8);
  const before = run.layers.slice(0, run.layers.indexOf(layer)).reduce((sum, one) => sum + bytes(one), 0);
  const ofArm = run.layers.reduce((sum, one) => sum + bytes(one), 0);
  const start = run.arms.indexOf(arm) * ofArm + before;
  return (output, input) => {
    const bit = output * layer.inputs + input;
    return ((masks[start + (bit >> 3)] >> (7 - (bit & 7))) & 1) === 1;
  };
}

// The filters before and after one filter that are still connected with it: for each layer that it is in.
function connections(run, masks, arm, stageName, filter) {
  const found = [];
  for (const layer of run.layers) {
    const kept = keptKernels(run, masks, arm, layer);
    const select = (count, is) => Array.from({ length: count }, (_, index) => index).filter(is);
    if (layer.to === stageName) {
      const neighbours = select(layer.inputs, (input) => kept(filter, input));
      found.push({ side: "inputs", stage: layer.from, of: layer.inputs, neighbours });
    }
    if (layer.from === stageName) {
      const neighbours = select(layer.outputs, (output) => kept(output, filter));
      found.push({ side: "outputs", stage: layer.to, of: layer.outputs, neighbours });
    }
  }
  return found;
}
