// The field matrix on its canvas.

const NAMED = 32; // up to this many labels each is named on the axes
const LARGEST_CELL = 40; // pixels
const FONT = "12px system-ui, sans-serif";

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function channels(hex) {
  return [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
}

function mix(one, other, share) {
  return one.map((value, k) => Math.round(value + (other[k] - value) * share));
}

// As the four bytes of a pixel, in the order of every processor that browsers run on.
function pixel([red, green, blue]) {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

// Colours of values from -1 to 1 in steps of 1/128: zero is the colour of the paper, either sign has its own hue.
function fieldColours() {
  const stops = ["field-lowest", "field-low", "field-zero", "field-high", "field-highest"];
  const colours = stops.map((name) => channels(colour(name)));
  return Array.from({ length: 257 }, (_, step) => {
    const place = Math.min(step / 64, 3.9999);
    return pixel(mix(colours[Math.floor(place)], colours[Math.floor(place) + 1], place % 1));
  });
}

function orderOfLabels(clusters, sorted, names) {
  const all = names.map((_, label) => label);
  if (!sorted) return all;
  const first = clusters.flat();
  const inside = new Set(first);
  return [...first, ...all.filter((label) => !inside.has(label))];
}

// Colour of every element, row by row, as the pixels of an image of K x K.
function elementImage(view) {
  const n = view.names.length;
  const cluster = clusterOfLabels(view.clusters, n);
  const colours = fieldColours();
  const [zero, one, noise] = ["field-zero", "in-cluster", "noise"].map((name) => pixel(channels(colour(name))));
  const clippedColour = (i, j, value) => {
    if (value <= view.threshold) return zero;
    return cluster[i] >= 0 && cluster[i] === cluster[j] ? one : noise;
  };
  const image = new ImageData(n, n);
  const pixels = new Uint32Array(image.data.buffer);
  view.order.forEach((i, row) => view.order.forEach((j, column) => {
    const value = view.field[i * n + j];
    const step = Math.round(128 * (Math.max(-1, Math.min(1, value)) + 1));
    pixels[row * n + column] = view.clipped ? clippedColour(i, j, value) : colours[step];
  }));
  return image;
}

// Margin and size of an element: names of the labels on the axes where there is room for them.
function layout(context, width, names) {
  const n = names.length;
  const cellFor = (margin) =>
    Math.max(1, Math.min(LARGEST_CELL, Math.floor((width - margin - 2) / n), Math.ceil(560 / n)));
  context.font = FONT;
  const wide = 28 + Math.ceil(Math.max(...names.map((name) => context.measureText(name).width)));
  const named = n <= NAMED && cellFor(wide) >= 12;
  const margin = named ? wide : 22;
  return { named, margin, cell: cellFor(margin) };
}

function drawMatrix(canvas, view) {
  const n = view.names.length;
  const context = canvas.getContext("2d");
  const { named, margin, cell } = layout(context, canvas.parentElement.clientWidth, view.names);
  const size = margin + n * cell + 1;
  const ratio = window.devicePixelRatio || 1;
  Object.assign(canvas, { width: size * ratio, height: size * ratio });
  Object.assign(canvas.style, { width: `${size}px`, height: `${size}px` });
  context.scale(ratio, ratio);
  drawElements(context, view, margin, cell);
  drawAxes(context, n, margin, cell);
  if (named) drawNames(context, view, margin, cell);
  drawSquares(context, view, margin, cell);
  Object.assign(view, { margin, cell });
}

function drawElements(context, view, margin, cell) {
  const n = view.names.length;
  const small = document.createElement("canvas");
  Object.assign(small, { width: n, height: n });
  small.getContext("2d").putImageData(elementImage(view), 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, margin, margin, n * cell, n * cell);
  context.strokeStyle = colour("ink");
  context.lineWidth = 1;
  context.strokeRect(margin - 0.5, margin - 0.5, n * cell + 1, n * cell + 1);
}

function drawAxes(context, n, margin, cell) {
  const middle = margin + (n * cell) / 2;
  context.fillStyle = colour("ink");
  context.font = FONT;
  context.textBaseline = "middle";
  context.textAlign = "center";
  context.fillText("output", middle, 9);
  upright(context, 9, middle, () => context.fillText("input label", 0, 0));
}

function drawNames(context, view, margin, cell) {
  view.order.forEach((label, place) => {
    const middle = margin + (place + 0.5) * cell;
    context.textAlign = "right";
    context.fillText(view.names[label], margin - 4, middle);
    context.textAlign = "left";
    upright(context, middle, margin - 4, () => context.fillText(view.names[label], 0, 0));
  });
}

function upright(context, x, y, draw) {
  context.save();
  context.translate(x, y);
  context.rotate(-Math.PI / 2);
  draw();
  context.restore();
}

// Sorted by cluster a cluster is one square; in the original order it is the elements of its labels. A line in
// the colour of the ink on one in that of the paper is seen on every colour of the field.
function drawSquares(context, view, margin, cell) {
  const boxes = [];
  if (view.sorted) {
    let start = 0;
    for (const cluster of view.clusters) {
      boxes.push([start, start, cluster.length]);
      start += cluster.length;
    }
  } else if (cell >= 4) {
    for (const cluster of view.clusters) {
      for (const i of cluster) cluster.forEach((j) => boxes.push([i, j, 1]));
    }
  }
  const width = cell > 8 ? 2 : 1;
  for (const [name, line] of [["paper", width + 2], ["ink", width]]) {
    context.strokeStyle = colour(name);
    context.lineWidth = line;
    for (const [row, column, size] of boxes) {
      context.strokeRect(margin + column * cell, margin + row * cell, size * cell, size * cell);
    }
  }
}

// The input label and the output under a point of the canvas, or null.
function elementAt(canvas, view, event) {
  const place = (offset) => Math.floor((offset - view.margin) / view.cell);
  const [row, column] = [place(event.offsetY), place(event.offsetX)];
  const inside = [row, column].every((number) => number >= 0 && number < view.names.length);
  return inside ? [view.order[row], view.order[column]] : null;
}
