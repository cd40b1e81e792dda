// The numbers of the report: how they are unpacked, clipped and sorted into clusters.

const DATA = JSON.parse(document.getElementById("filters-data").textContent);
let LABELS = []; // names of the labels of the run that is shown
const ABOVE = 1e-12; // what is added to a threshold to be above it
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

// Arrays of different types one after the other, as deeptheory.reports.html.filters packs them.
function reader(buffer) {
  let start = 0;
  return (type, count) => {
    const end = start + count * type.BYTES_PER_ELEMENT;
    const taken = new type(buffer.slice(start, end)); // a copy: arrays need not start where their type wants it
    start = end;
    return taken;
  };
}

function running(counts) {
  let sum = 0;
  return [0, ...Array.from(counts, (count) => (sum += count))];
}

// Codes of the fields of a stage (deeptheory.reports.html.field_codes.arrays_of).
async function loadStage(run, stage) {
  const take = reader(await unpackOnce(`fields-${run.key}-${stage.name}`));
  const [n, count] = [run.labels.length, stage.served.length];
  const stored = take(Uint16Array, count * n);
  const served = take(Uint8Array, Math.ceil((count * n) / 8));
  const products = take(Uint16Array, count);
  const exponents = take(Int8Array, count);
  const moved = running(take(Uint32Array, count));
  const gaps = take(Uint32Array, moved.at(-1));
  const places = take(Uint8Array, moved.at(-1));
  const size = stage.factored ? 2 * n * products.reduce((sum, one) => sum + one, 0) : count * n * n;
  const [low, high] = [take(Uint8Array, size), take(Uint8Array, size)];
  const numbers = Int16Array.from(low, (byte, place) => {
    const zigzag = byte + 256 * high[place];
    return zigzag % 2 ? -(zigzag + 1) / 2 : zigzag / 2;
  });
  return { n, stage, stored, served, products, exponents, moved, gaps, places, numbers };
}

// The stages that were asked for last stay decoded.
const decoded = new Map();

function loadStageOnce(run, stage) {
  const name = `${run.key}-${stage.name}`;
  const found = decoded.get(name) ?? loadStage(run, stage);
  decoded.delete(name);
  decoded.set(name, found);
  if (decoded.size > 4) decoded.delete(decoded.keys().next().value);
  return found;
}

// Where the outer products of a filter begin: the first ones of all filters come first, then the second ones, ...
function productStarts(loaded, filter) {
  const starts = [];
  let start = 0;
  for (let product = 0; product < loaded.products[filter]; product += 1) {
    loaded.products.forEach((count, other) => {
      if (other === filter) starts[product] = start;
      if (product < count) start += 2 * loaded.n;
    });
  }
  return starts;
}

// Elements of one filter, row by row, in units of the largest; sums of whole numbers, so those of Python to the bit.
function fieldOf(loaded, filter) {
  const { n, stage, numbers } = loaded;
  const field = new Float64Array(n * n);
  if (stage.factored) {
    for (const start of productStarts(loaded, filter)) {
      for (let i = 0; i < n; i += 1) {
        for (let j = 0; j < n; j += 1) field[i * n + j] += numbers[start + i] * numbers[start + n + j];
      }
    }
  } else {
    field.set(numbers.subarray(filter * n * n, (filter + 1) * n * n));
  }
  const unit = 2 ** -loaded.exponents[filter];
  for (let place = 0; place < n * n; place += 1) field[place] *= unit;
  // Elements so close to a threshold of the run that rounding took them across go back to their side of it.
  let place = 0;
  for (let number = loaded.moved[filter]; number < loaded.moved[filter + 1]; number += 1) {
    place += loaded.gaps[number];
    const side = loaded.places[number];
    field[place] = stage.exact[side >> 1] + (side & 1) * ABOVE;
  }
  return field;
}

// Labels served at the threshold of pruning, as the run stored them.
function servedWhenPruned(loaded, filter) {
  return Array.from({ length: loaded.n }, (_, label) => label).filter((label) => {
    const bit = filter * loaded.n + label;
    return (loaded.served[bit >> 3] >> (7 - (bit & 7))) & 1;
  });
}

async function loadMasks(run) {
  return new Uint8Array(await unpackOnce(`masks-${run.key}`));
}

function servedLabels(field, threshold) {
  const n = LABELS.length;
  return LABELS.map((_, label) => label).filter((label) => field[label * n + label] > threshold);
}

// The greedy rule of deeptheory.measure.find_clusters.
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
  const { n } = loaded;
  const clusters = [];
  loaded.stored.subarray(filter * n, (filter + 1) * n).forEach((number, label) => {
    if (number !== NO_CLUSTER) (clusters[number] ??= []).push(label);
  });
  return clusters;
}

function clusterOfLabels(clusters, n) {
  const found = new Int32Array(n).fill(-1);
  clusters.forEach((cluster, number) => cluster.forEach((label) => { found[label] = number; }));
  return found;
}

// Ones outside the squares of the clusters, and those of them in a column of a cluster.
function countNoise(field, threshold, clusters) {
  const n = LABELS.length;
  const cluster = clusterOfLabels(clusters, n);
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
