// Pictures of the map's layers: decoding, colours, and which blocks the view needs.

const ON_TOP = 100;

async function inflated(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A part of a layer: its values if it has any, and the element that shows it. */
class Block {
  constructor(layer, [step, left, top, right, bottom, height, width, picture]) {
    Object.assign(this, { layer, step, height, width, picture });
    this.box = { left, top, right, bottom };
    this.bounds = [[top, left], [bottom, right]];
    this.values = null;
    this.owner = null; // the ShownLayer that shows it or waits for it
    this.overlay = null;
  }

  load() {
    this.loading ??= this.read();
    return this.loading;
  }

  async read() {
    const text = byId(`picture-${this.picture}`)?.textContent.trim() ?? "";
    if (this.layer.kind === "photograph") {
      this.image = new Image();
      this.image.src = text;
      await this.image.decode();
    } else {
      const values = await inflated(text);
      if (values.length !== this.height * this.width) throw new Error("wrong number of pixels");
      this.values = values;
    }
  }

  /** Returns the value at a position, null outside. */
  at(x, y) {
    const { left, top, right, bottom } = this.box;
    if (!this.values || x < left || x >= right || y < top || y >= bottom) return null;
    const row = Math.floor(((y - top) / (bottom - top)) * this.height);
    const column = Math.floor(((x - left) / (right - left)) * this.width);
    return this.values[row * this.width + column];
  }

  element(colors) {
    if (this.image) return this.image;
    this.canvas ??= make("canvas", { width: this.width, height: this.height, className: "pixels" });
    const picture = new ImageData(this.width, this.height);
    const target = new Uint32Array(picture.data.buffer);
    for (let i = 0; i < target.length; i++) target[i] = colors[this.values[i]];
    this.canvas.getContext("2d").putImageData(picture, 0, 0);
    return this.canvas;
  }
}

const packed = ([red, green, blue], opacity = 255) =>
  ((opacity << 24) | (blue << 16) | (green << 8) | red) >>> 0;

const fromHex = (color) => [1, 3, 5].map((start) => parseInt(color.slice(start, start + 2), 16));

/** Returns the colour of each of the 256 values of a layer. */
function colorTable(layer, data, hidden) {
  const table = new Uint32Array(256);
  if (layer.kind === "classes") {
    data.classes.forEach((each, index) => {
      if (!hidden.has(index)) table[index] = packed(fromHex(each.color));
    });
  } else if (layer.kind === "percent") {
    const ramp = data.ramps[layer.key];
    for (let value = 0; value <= 100; value++) table[value] = packed(ramp[Math.round(value / 5)]);
  } else if (layer.kind === "scenes") {
    for (let value = 1; value < NODATA; value++) {
      table[value] = packed(fromHex(data.scenes[Math.min(value, data.scenes.length) - 1][0]));
    }
  } else {
    data.errors.forEach((color, value) => (table[value] = packed(color)));
  }
  return table;
}

/** Returns what a value of a layer means. */
function meaning(layer, value, data) {
  if (value === null || value === NODATA) return "";
  if (layer.kind === "classes") return data.classes[value]?.name ?? "";
  if (layer.kind === "percent") return `${value} %`;
  if (layer.kind === "scenes") return String(value);
  return value ? "wrong" : "right";
}

const Plane = L.extend({}, L.CRS.Simple, {
  transformation: new L.Transformation(1, 0, 1, 0),
  distance: (from, to) => Math.hypot(from.lng - to.lng, from.lat - to.lat),
});

/** A layer of the map in a pane of its own: adds the blocks that the view needs and removes the others. */
class ShownLayer {
  constructor(viewer, layer, pane) {
    Object.assign(this, { viewer, layer, pane });
    viewer.blocksOf(layer);
    this.coarsest = Math.max(...layer.parts.map((block) => block.step));
    this.recolor();
  }

  recolor() {
    if (this.layer.kind !== "photograph") {
      this.colors = colorTable(this.layer, this.viewer.data, this.viewer.hidden);
      for (const block of this.layer.parts) if (block.overlay && block.values) block.element(this.colors);
    }
  }

  update() {
    const view = this.viewer.map.getBounds();
    const scale = 2 ** this.viewer.map.getZoom() * (window.devicePixelRatio || 1);
    for (const block of this.layer.parts) {
      const isFineEnough = block.step < this.coarsest && 2 * block.step * scale < 1.2;
      if (!isFineEnough && view.intersects(block.bounds)) this.show(block);
      else if (block.step < this.coarsest) this.hide(block);
    }
    const chosen = this.viewer.chosenBlocks(this.layer);
    this.above?.filter((block) => !chosen.includes(block)).forEach((block) => this.hide(block));
    this.above = chosen;
    chosen.forEach((block) => this.show(block, ON_TOP));
  }

  async show(block, order = 0) {
    if (block.owner === this) return;
    block.owner = this;
    try {
      await block.load();
      if (block.owner !== this) return;
      block.overlay = L.svgOverlay(block.element(this.colors), block.bounds, { pane: this.pane })
        .addTo(this.viewer.map)
        .setZIndex(1000 + order - Math.round(Math.log2(block.step)));
      if (!performance.getEntriesByName("first-picture").length) performance.mark("first-picture");
    } catch {
      this.viewer.tellDamage(this.layer.title);
    }
  }

  hide(block) {
    block.owner = null;
    block.overlay?.remove();
    block.overlay = null;
  }

  remove() {
    [...this.layer.parts, ...(this.above ?? [])].forEach((block) => this.hide(block));
  }
}
