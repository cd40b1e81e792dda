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

// One colour for every level, from three stops: lightness is monotone, so grey prints read the same.
function fieldColours(stage) {
  const [low, middle, high] = ["field-low", "field-middle", "field-high"].map((name) => channels(colour(name)));
  return Array.from({ length: TOP + 1 }, (_, level) => {
    const value = edge(stage, level);
    return value < 0.5 ? mix(low, middle, 2 * value) : mix(middle, high, 2 * value - 1);
  });
}

function orderOfLabels(clusters, sorted) {
  const all = LABELS.map((_, label) => label);
  if (!sorted) return all;
  const first = clusters.flat();
  const inside = new Set(first);
  return [...first, ...all.filter((label) => !inside.has(label))];
}

// Colour of every element, row by row, as the pixels of an image of K x K.
function elementImage(view) {
  const n = LABELS.length;
  const cluster = clusterOfLabels(view.clusters);
  const colours = fieldColours(view.stage).map(pixel);
  const [zero, one, noise] = ["field-low", "in-cluster", "noise"].map((name) => pixel(channels(colour(name))));
  const clippedColour = (i, j, level) => {
    if (level <= view.threshold) return zero;
    return cluster[i] >= 0 && cluster[i] === cluster[j] ? one : noise;
  };
  const image = new ImageData(n, n);
  const pixels = new Uint32Array(image.data.buffer);
  view.order.forEach((i, row) => view.order.forEach((j, column) => {
    const level = view.field[i * n + j];
    pixels[row * n + column] = view.clipped ? clippedColour(i, j, level) : colours[level];
  }));
  return image;
}

// Margin and size of an element: names of the labels on the axes where there is room for them.
function layout(context, width) {
  const n = LABELS.length;
  const cellFor = (margin) =>
    Math.max(1, Math.min(LARGEST_CELL, Math.floor((width - margin - 2) / n), Math.ceil(560 / n)));
  context.font = FONT;
  const wide = 28 + Math.ceil(Math.max(...LABELS.map((name) => context.measureText(name).width)));
  const named = n <= NAMED && cellFor(wide) >= 12;
  const margin = named ? wide : 22;
  return { named, margin, cell: cellFor(margin) };
}

function drawMatrix(canvas, view) {
  const n = LABELS.length;
  const context = canvas.getContext("2d");
  const { named, margin, cell } = layout(context, canvas.parentElement.clientWidth);
  const size = margin + n * cell + 1;
  const ratio = window.devicePixelRatio || 1;
  Object.assign(canvas, { width: size * ratio, height: size * ratio });
  Object.assign(canvas.style, { width: `${size}px`, height: `${size}px` });
  context.scale(ratio, ratio);
  drawElements(context, view, margin, cell);
  drawAxes(context, margin, cell);
  if (named) drawNames(context, view, margin, cell);
  drawSquares(context, view, margin, cell);
  Object.assign(view, { margin, cell });
}

function drawElements(context, view, margin, cell) {
  const n = LABELS.length;
  const small = document.createElement("canvas");
  Object.assign(small, { width: n, height: n });
  small.getContext("2d").putImageData(elementImage(view), 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, margin, margin, n * cell, n * cell);
  context.strokeStyle = colour("ink");
  context.lineWidth = 1;
  context.strokeRect(margin - 0.5, margin - 0.5, n * cell + 1, n * cell + 1);
}

function drawAxes(context, margin, cell) {
  const middle = margin + (LABELS.length * cell) / 2;
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
    context.fillText(LABELS[label], margin - 4, middle);
    context.textAlign = "left";
    upright(context, middle, margin - 4, () => context.fillText(LABELS[label], 0, 0));
  });
}

function upright(context, x, y, draw) {
  context.save();
  context.translate(x, y);
  context.rotate(-Math.PI / 2);
  draw();
  context.restore();
}

// Sorted by cluster a cluster is one square; in the original order it is the elements of its labels.
function drawSquares(context, view, margin, cell) {
  context.strokeStyle = colour("outline");
  context.lineWidth = cell > 8 ? 2 : 1;
  const box = (row, column, size) =>
    context.strokeRect(margin + column * cell, margin + row * cell, size * cell, size * cell);
  if (view.sorted) {
    let start = 0;
    for (const cluster of view.clusters) {
      box(start, start, cluster.length);
      start += cluster.length;
    }
  } else if (cell >= 4) {
    for (const cluster of view.clusters) {
      for (const i of cluster) cluster.forEach((j) => box(i, j, 1));
    }
  }
}

// The input label and the output under a point of the canvas, or null.
function elementAt(canvas, view, event) {
  const place = (offset) => Math.floor((offset - view.margin) / view.cell);
  const [row, column] = [place(event.offsetY), place(event.offsetX)];
  const inside = [row, column].every((number) => number >= 0 && number < LABELS.length);
  return inside ? [view.order[row], view.order[column]] : null;
}
