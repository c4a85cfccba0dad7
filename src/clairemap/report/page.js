// The script of the report page: interactive map, list of tiles, tables. Texts of the data become text nodes only.
"use strict";

(() => {
  const NODATA = 255;
  const MAX_PIXEL = 12; // largest size of a stored pixel on the screen
  const ROWS_SHOWN = 100;
  const THUMB = 28; // width of the handle of the line between two layers, as in page.css

  const byId = (id) => document.getElementById(id);
  const round = (value, digits = 0) => (value === null ? "–" : value.toFixed(digits));

  /** Returns an element with properties, attributes (names with a dash or in ATTRIBUTES) and children. */
  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name.includes("-") || name === "for" || name === "role") element.setAttribute(name, value);
      else element[name] = value;
    }
    element.append(...children.filter((child) => child !== null));
    return element;
  }

  function option(value, text) {
    return make("option", { value, textContent: text });
  }

  function say(text) {
    byId("said").textContent = text;
  }

  // ---------------------------------------------------------------- pictures

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

  // ---------------------------------------------------------------- map

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
    }

    async show(block) {
      if (block.owner === this) return;
      block.owner = this;
      try {
        await block.load();
        if (block.owner !== this) return;
        block.overlay = L.svgOverlay(block.element(this.colors), block.bounds, {
          pane: this.pane,
          zIndex: 1000 - Math.round(Math.log2(block.step)),
        }).addTo(this.viewer.map);
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
      this.layer.parts.forEach((block) => this.hide(block));
    }
  }

  class Viewer {
    constructor(data) {
      this.data = data;
      this.hidden = new Set();
      this.shown = {};
      this.map = L.map("view", {
        crs: Plane,
        attributionControl: false,
        zoomSnap: 0.25,
        zoomDelta: 1,
        wheelPxPerZoomLevel: 90,
        keyboardPanDelta: 80,
        zoomAnimation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
        fadeAnimation: false,
        inertia: !matchMedia("(prefers-reduced-motion: reduce)").matches,
        preferCanvas: true,
      });
      for (const [name, order] of [["first", 250], ["second", 260], ["marks", 450]]) {
        this.map.createPane(name).style.zIndex = order;
      }
      this.marks = L.layerGroup().addTo(this.map);
      this.canvas = L.canvas({ pane: "marks", padding: 0.2 });
      this.chosen = L.layerGroup().addTo(this.map);
      this.buildControls();
      this.map.on("moveend zoomend resize", () => this.update());
      this.map.on("move zoom viewreset resize", () => this.clip());
      this.map.on("mousemove", (event) => this.tell(event.latlng));
      this.map.on("mouseout", () => this.tell(null));
      this.map.on("moveend", () => {
        if (document.activeElement === this.map.getContainer()) this.tell(this.map.getCenter());
      });
      this.map.on("click", (event) => this.open(event.latlng));
      this.map.getContainer().addEventListener("keydown", (event) => {
        if (event.key === "Enter" && event.target === this.map.getContainer()) this.open(this.map.getCenter());
      });
      this.chooseMap(0);
    }

    buildControls() {
      const names = this.data.maps.map((each, index) => option(index, each.name));
      byId("map-choice").append(...names);
      byId("map-choice").closest("label").hidden = names.length < 2;
      byId("map-choice").addEventListener("change", (event) => this.chooseMap(Number(event.target.value)));
      byId("layer").addEventListener("change", () => this.chooseLayers());
      byId("compared").addEventListener("change", () => this.chooseLayers());
      byId("opacity").addEventListener("input", () => this.fade());
      byId("swipe").addEventListener("input", () => this.clip());
      for (const name of ["tiles-shown", "outlines-shown", "points-shown"]) {
        byId(name).addEventListener("change", () => this.drawMarks());
      }
      byId("whole").addEventListener("click", () => this.fit());
      L.DomEvent.disableClickPropagation(byId("swipe"));
      const list = this.data.classes.map((each, index) => {
        const box = make("input", { type: "checkbox", checked: true });
        box.addEventListener("change", () => this.toggle(index, box.checked));
        const swatch = make("span", { className: "swatch" });
        swatch.style.background = each.color;
        return make("li", {}, make("label", {}, box, swatch, each.name));
      });
      byId("classes").append(...list);
      byId("all-classes").addEventListener("click", () => {
        const show = this.hidden.size > 0;
        byId("classes").querySelectorAll("input").forEach((box, index) => {
          box.checked = show;
          this.hidden[show ? "delete" : "add"](index);
        });
        this.recolor();
      });
    }

    toggle(index, isShown) {
      this.hidden[isShown ? "delete" : "add"](index);
      this.recolor();
    }

    recolor() {
      Object.values(this.shown).forEach((layer) => layer?.recolor());
      byId("all-classes").textContent = this.hidden.size ? "Show all classes" : "Hide all classes";
    }

    chooseMap(index) {
      this.current = this.data.maps[index];
      this.index = index;
      const [left, top, right, bottom] = this.current.box;
      this.bounds = L.latLngBounds([[top, left], [bottom, right]]);
      const finest = Math.min(...this.current.layers.map((layer) => layer.step), 8);
      this.map.setMinZoom(-20);
      this.map.setMaxZoom(Math.log2(MAX_PIXEL / finest));
      this.map.setMaxBounds(this.bounds.pad(0.5));
      const layers = this.current.layers.map((layer) => option(layer.key, layer.title));
      byId("layer").replaceChildren(...layers);
      byId("compared").replaceChildren(option("", "nothing"), ...layers.map((each) => each.cloneNode(true)));
      byId("points-shown").closest("label").hidden = !this.current.points.length;
      this.fit(false);
      this.map.setMinZoom(this.map.getBoundsZoom(this.bounds) - 1);
      this.chooseLayers();
      this.drawMarks();
      setTimeout(() => this.readValues(), 500);
    }

    fit(animate = true) {
      const sections = this.current.sections;
      const boxes = sections.length ? sections : [this.current.box];
      const bounds = L.latLngBounds([]);
      boxes.forEach(([left, top, right, bottom]) => bounds.extend([top, left]).extend([bottom, right]));
      this.map.fitBounds(bounds, { animate, padding: [4, 4] });
    }

    blocksOf(layer) {
      layer.parts ??= layer.blocks.map((values) => new Block(layer, values));
      return layer.parts;
    }

    /** Reads the coarse values of layers that are not shown, so that the pointer's line has them. */
    async readValues() {
      for (const layer of this.current.layers) {
        if (layer.kind === "photograph") continue;
        const coarsest = Math.max(...layer.blocks.map(([step]) => step));
        for (const block of this.blocksOf(layer)) {
          if (block.step === coarsest) await block.load().catch(() => this.tellDamage(layer.title));
        }
      }
    }

    layerOf(key) {
      return this.current.layers.find((layer) => layer.key === key);
    }

    chooseLayers() {
      Object.values(this.shown).forEach((layer) => layer?.remove());
      this.shown = {};
      for (const [pane, control] of [["first", "layer"], ["second", "compared"]]) {
        const layer = this.layerOf(byId(control).value);
        const other = this.shown.first?.layer;
        // a layer beside itself would need its blocks twice
        this.shown[pane] = layer && !(pane === "second" && layer === other) ? new ShownLayer(this, layer, pane) : null;
      }
      byId("swipe").hidden = !this.shown.second;
      byId("divider").hidden = !this.shown.second;
      this.fade();
      this.clip();
      this.update();
      this.tellLayers();
    }

    tellLayers() {
      const notes = Object.values(this.shown).filter(Boolean).map(({ layer }) => {
        const unit = this.unitAt(this.map.getCenter());
        const ground = unit ? `, ${lengthText(layer.step * unit)} per pixel` : "";
        const detail = layer.step === 1 ? "in full resolution" : `one pixel for ${layer.step} × ${layer.step}`;
        return `${layer.title}: ${detail}${ground}.`;
      });
      byId("resolution").textContent = notes.join(" ");
      drawKeys(this);
    }

    fade() {
      this.map.getPane("first").style.opacity = byId("opacity").value / 100;
    }

    clip() {
      const size = this.map.getSize();
      const at = THUMB / 2 + (byId("swipe").value / 100) * (size.x - THUMB);
      byId("divider").style.left = `${at}px`;
      const start = this.map.containerPointToLayerPoint([0, 0]);
      const middle = this.map.containerPointToLayerPoint([at, 0]);
      const end = this.map.containerPointToLayerPoint(size);
      const rectangle = (from, to) => `rect(${start.y}px, ${to.x}px, ${end.y}px, ${from.x}px)`;
      this.map.getPane("first").style.clip = this.shown.second ? rectangle(start, middle) : "";
      this.map.getPane("second").style.clip = rectangle(middle, end);
    }

    update() {
      Object.values(this.shown).forEach((layer) => layer?.update());
      this.drawScale();
    }

    /** Returns the metres on the ground of a display unit near a position; null without a CRS. */
    unitAt(place) {
      const rows = this.current.ground_m;
      const share = (value, low, high, count) =>
        Math.min(count - 1, Math.max(0, Math.floor(((value - low) / (high - low)) * count)));
      const row = rows[share(place.lat, this.bounds.getSouth(), this.bounds.getNorth(), rows.length)];
      return row[share(place.lng, this.bounds.getWest(), this.bounds.getEast(), row.length)];
    }

    drawScale() {
      const metres = this.unitAt(this.map.getCenter());
      const perPixel = (metres ?? 1) / 2 ** this.map.getZoom();
      const longest = perPixel * 140;
      const power = 10 ** Math.floor(Math.log10(longest));
      const length = [5, 2, 1].map((step) => step * power).find((each) => each <= longest);
      byId("scale").style.width = `${length / perPixel}px`;
      byId("scale-text").textContent = metres === null ? `${Number(length.toPrecision(3))} px` : lengthText(length);
      byId("north-mark").hidden = this.current.north === null;
      byId("north-arrow").style.transform = `rotate(${this.current.north ?? 0}deg)`;
    }

    valueAt(layer, place) {
      let found = null;
      let finest = Infinity;
      for (const block of layer.parts ?? []) {
        const value = block.step < finest ? block.at(place.lng, place.lat) : null;
        if (value !== null) [found, finest] = [value, block.step];
      }
      return found;
    }

    tell(place) {
      const line = byId("pointer");
      if (!place) {
        line.textContent = "";
        return;
      }
      const [a, b, c, d, e, f] = this.current.world;
      const [x, y] = [a * place.lng + b * place.lat + c, d * place.lng + e * place.lat + f];
      const digits = this.current.geographic ? 5 : 0;
      const axes = this.current.crs ? (this.current.geographic ? ["lon", "lat"] : ["E", "N"]) : ["x", "y"];
      const texts = [`${axes[0]} ${round(x, digits)}, ${axes[1]} ${round(y, digits)}`];
      for (const layer of this.current.layers) {
        const text = meaning(layer, this.valueAt(layer, place), this.data);
        if (text) texts.push(`${layer.title.toLowerCase()}: ${text}`);
      }
      line.textContent = texts.join(" · ");
    }

    tellDamage(title) {
      byId("damage").textContent = `A picture of the layer “${title}” is damaged and is not shown. `;
    }

    drawMarks() {
      this.marks.clearLayers();
      if (byId("outlines-shown").checked) {
        for (const [scene, points] of this.current.outlines) {
          L.polygon(points.map(([x, y]) => [y, x]), { renderer: this.canvas, color: "#fff", weight: 4, fill: false })
            .addTo(this.marks);
          L.polygon(points.map(([x, y]) => [y, x]), { renderer: this.canvas, color: "#1f2430", weight: 1.5, fill: false })
            .bindTooltip(() => make("span", { textContent: scene }), { sticky: true })
            .addTo(this.marks);
        }
      }
      const paint = byId("tiles-shown").value;
      if (paint) {
        for (const tile of tiles.all) {
          if (tile.map !== this.index) continue;
          const color = tileColor(tile, paint);
          L.polygon(corners(tile), {
            renderer: this.canvas, color: "#1f2430", weight: 0.7, fillColor: color ?? "#777",
            fillOpacity: color ? 0.65 : 0.1, interactive: false,
          }).addTo(this.marks);
        }
      }
      if (byId("points-shown").checked) {
        for (const [x, y, reference, mapped] of this.current.points) {
          const name = (index) => (index === null ? "not answered" : this.data.classes[index].name);
          L.circleMarker([y, x], {
            renderer: this.canvas, radius: 5, color: reference === mapped || reference === null ? "#1f2430" : "#c8102e",
            weight: 2, fillOpacity: 1, fillColor: reference === null ? "#fff" : this.data.classes[reference].color,
          }).bindTooltip(() => make("span", { textContent: `reference: ${name(reference)} · map: ${name(mapped)}` }))
            .addTo(this.marks);
        }
      }
      drawKeys(this);
    }

    open(place) {
      const found = tiles.all.find((tile) => tile.map === this.index && contains(tile.quad, place.lng, place.lat));
      if (found) tiles.open(found);
      else say("No explained tile at this place.");
    }

    mark(tile, move) {
      this.chosen.clearLayers();
      if (!tile || tile.map === null) return;
      if (tile.map !== this.index) {
        byId("map-choice").value = tile.map;
        this.chooseMap(tile.map);
      }
      const shape = L.polygon(corners(tile), { color: "#c8102e", weight: 3, fill: false, interactive: false });
      this.chosen.addLayer(shape);
      const bounds = shape.getBounds();
      if (move) this.map.fitBounds(bounds.pad(1), { animate: false });
    }
  }

  function lengthText(metres) {
    for (const [unit, size] of [["km", 1000], ["m", 1], ["cm", 0.01]]) {
      if (metres >= size) return `${Number((metres / size).toPrecision(3))} ${unit}`;
    }
    return `${Number((metres * 1000).toPrecision(2))} mm`;
  }

  function corners(tile) {
    return [0, 2, 4, 6].map((at) => [tile.quad[at + 1], tile.quad[at]]);
  }

  function contains(quad, x, y) {
    let inside = false;
    for (let i = 0, j = 6; i < 8; j = i, i += 2) {
      if (quad[i + 1] > y !== quad[j + 1] > y) {
        const crossing = ((quad[j] - quad[i]) * (y - quad[i + 1])) / (quad[j + 1] - quad[i + 1]) + quad[i];
        if (x < crossing) inside = !inside;
      }
    }
    return inside;
  }

  const KINDS = { template: ["from the template", [140, 150, 170]], model: ["from the language model", [43, 108, 176]] };

  function tileColor(tile, paint) {
    if (paint === "source") return `rgb(${KINDS[tile.source][1].join(" ")})`;
    const value = tile[paint];
    if (value === null) return null;
    return `rgb(${data.ramps.confidence[Math.round(value / 5)].join(" ")})`;
  }

  function gradient(ramp) {
    return `linear-gradient(to right, ${ramp.map((color) => `rgb(${color.join(" ")})`).join(", ")})`;
  }

  function keyOf(name, ramp, ends) {
    const bar = make("span", { className: "key" });
    bar.style.background = gradient(ramp);
    return make("div", { className: "ramp" }, make("span", { textContent: name }), bar,
      make("span", { className: "keytext" }, ...ends.map((text) => make("span", { textContent: text }))));
  }

  function swatches(name, entries) {
    const items = entries.map(([color, text]) => {
      const swatch = make("span", { className: "swatch" });
      swatch.style.background = color;
      return make("li", {}, swatch, text);
    });
    return make("div", {}, make("span", { textContent: name }), make("ul", { className: "legend small" }, ...items));
  }

  /** Shows the keys of the layers and of the tiles' colours. */
  function drawKeys(viewer) {
    const keys = Object.values(viewer.shown).filter(Boolean).map(({ layer }) => {
      if (layer.key === "confidence") return keyOf(layer.title, data.ramps.confidence, ["0 %", "100 %"]);
      if (layer.key === "optical_share") return keyOf(layer.title, data.ramps.optical_share, ["SAR only", "optical only"]);
      if (layer.kind === "scenes") return swatches(layer.title, data.scenes);
      if (layer.kind === "errors") {
        return swatches(layer.title, data.errors.map((color, value) => [`rgb(${color.join(" ")})`, value ? "wrong" : "right"]));
      }
      return null;
    });
    const paint = byId("tiles-shown").value;
    const title = `Tiles: ${byId("tiles-shown").selectedOptions[0].textContent}`;
    if (paint === "source") keys.push(swatches(title, Object.values(KINDS).map(([text, color]) => [`rgb(${color.join(" ")})`, text])));
    else if (paint) keys.push(keyOf(title, data.ramps.confidence, ["0 %", "100 %"]));
    byId("keys").replaceChildren(...keys.filter(Boolean));
    const usesClasses = Object.values(viewer.shown).some((each) => each?.layer.kind === "classes");
    byId("class-legend").hidden = !usesClasses;
  }

  // ---------------------------------------------------------------- tiles

  class Tiles {
    constructor(data) {
      const { columns, rows, scenes, splits } = data.tiles;
      this.data = data;
      this.all = rows.map((values, position) => {
        const tile = Object.fromEntries(columns.map((name, index) => [name, values[index]]));
        tile.scene = scenes[tile.scene];
        tile.split = splits[tile.split];
        tile.name = `${tile.scene}, row ${tile.row}, column ${tile.col}`;
        tile.position = position;
        return tile;
      });
      this.found = this.all;
      this.open_ = null;
      if (!this.all.length) return;
      byId("by-scene").append(...scenes.map((name) => option(name, name)));
      byId("by-split").append(...splits.map((name) => option(name, SPLITS[name] ?? name)));
      byId("by-class").append(...data.classes.map((each, index) => option(index, each.name)));
      byId("filters").addEventListener("input", () => this.filter());
      byId("filters").addEventListener("submit", (event) => event.preventDefault());
      byId("more").addEventListener("click", () => this.list(this.listed + ROWS_SHOWN));
      byId("previous").addEventListener("click", () => this.step(-1));
      byId("next").addEventListener("click", () => this.step(1));
      byId("to-map").addEventListener("click", () => {
        viewer?.mark(this.open_, true);
        byId("view").scrollIntoView({ block: "nearest" });
      });
      byId("close").addEventListener("click", () => this.close());
      byId("tile").addEventListener("keydown", (event) => {
        if (event.key === "Escape") this.close();
      });
      document.querySelectorAll("[data-open]").forEach((button) =>
        button.addEventListener("click", () => this.open(this.all[Number(button.dataset.open)], button)));
      document.querySelectorAll("[data-confused]").forEach((link) =>
        link.addEventListener("click", () => this.showClass(link.dataset.confused)));
      this.filter();
    }

    showClass(index) {
      byId("filters").reset();
      byId("by-class").value = index;
      byId("by-order").value = "class";
      this.filter();
    }

    filter() {
      const scene = byId("by-scene").value;
      const split = byId("by-split").value;
      const chosen = byId("by-class").value;
      const most = Number(byId("by-confidence").value);
      const order = byId("by-order").value;
      byId("confidence-limit").textContent = `${most} %`;
      const rowOf = (tile) => tile.classes.find(([index]) => String(index) === chosen);
      this.found = this.all.filter((tile) =>
        (!scene || tile.scene === scene) && (!split || tile.split === split) && tile.confidence <= most &&
        (!chosen || rowOf(tile)));
      const unknownLast = (value) => value ?? Infinity;
      if (order === "class" && chosen) {
        this.found.sort((one, other) => unknownLast(rowOf(one)[2]) - unknownLast(rowOf(other)[2]));
      } else if (order === "confidence") {
        this.found.sort((one, other) => one.confidence - other.confidence);
      } else if (order === "place") {
        this.found.sort((one, other) => one.scene.localeCompare(other.scene) || one.row - other.row || one.col - other.col);
      }
      byId("tiles-found").textContent = `${this.found.length} of ${this.all.length} tiles`;
      this.list(ROWS_SHOWN);
    }

    list(count) {
      this.listed = Math.min(count, this.found.length);
      const chosen = byId("by-class").value;
      const rows = this.found.slice(0, this.listed).map((tile) => {
        const button = make("button", { type: "button", className: "link", textContent: tile.name });
        button.addEventListener("click", () => this.open(tile, button));
        const [largest] = tile.classes;
        const own = tile.classes.find(([index]) => String(index) === chosen);
        const cells = [
          SPLITS[tile.split] ?? tile.split, largest ? this.data.classes[largest[0]].name : "–", round(tile.oa),
          round(tile.miou, 1), round(tile.confidence), round(tile.cloud), chosen ? round(own?.[2] ?? null, 2) : "",
        ];
        return make("tr", {}, make("th", { scope: "row" }, button),
          ...cells.map((text, index) => make("td", { textContent: text, className: index < 2 ? "left" : "" })));
      });
      byId("tile-rows").replaceChildren(...rows);
      byId("more").hidden = this.listed >= this.found.length;
    }

    open(tile, from = null) {
      if (!tile) return;
      this.from = from ?? (this.open_ ? this.from : document.activeElement);
      this.open_ = tile;
      byId("tile-name").textContent = tile.name;
      byId("tile-line").textContent = tile.line;
      byId("tile-text").replaceChildren(...this.sentences(tile));
      byId("tile-classes").replaceChildren(...tile.classes.map(([index, area, iou]) => make("tr", {},
        make("th", { scope: "row", textContent: this.data.classes[index].name }),
        make("td", { textContent: round(area, 1) }), make("td", { textContent: round(iou, 2) }))));
      this.showPictures(tile);
      byId("tile").hidden = false;
      byId("tile-name").focus();
      const place = this.found.indexOf(tile);
      byId("tile-place").textContent = place < 0 ? "" : `${place + 1} of ${this.found.length} in the list`;
      viewer?.mark(tile, false);
    }

    sentences(tile) {
      if (typeof tile.text === "string") return [make("p", { textContent: tile.text })];
      const paragraph = make("p");
      tile.text.forEach(([text, figures], index) => {
        if (!figures.length) return paragraph.append(`${text} `);
        const note = make("span", { className: "figures", id: `figures-${index}`, role: "tooltip", textContent: figures.join(" · ") });
        paragraph.append(make("span", { className: "sentence", tabIndex: 0, "aria-describedby": note.id }, text, note), " ");
      });
      return [paragraph];
    }

    showPictures(tile) {
      const card = document.querySelector(`[data-tile="${tile.position}"]`);
      const stored = byId(`tile-${tile.position}`);
      const target = byId("tile-pictures");
      if (card) {
        target.replaceChildren(...[...card.querySelector(".strip").children].map((figure) => figure.cloneNode(true)));
      } else if (stored) {
        const names = ["optical", "SAR", "map", "labels", "errors"];
        target.replaceChildren(...JSON.parse(stored.textContent).map((source, index) => make("figure", {},
          source ? make("img", { src: source, alt: `${names[index]} of tile ${tile.name}` })
                 : make("div", { className: "none", textContent: index < 2 ? `no ${names[index]} image` : "no labels" }),
          make("figcaption", { textContent: names[index] }))));
      } else {
        target.replaceChildren(make("p", { className: "quiet",
          textContent: "The page has no pictures of this tile, which keeps it small. “Show on the map” shows the place." }));
      }
    }

    step(by) {
      const place = this.found.indexOf(this.open_);
      this.open(this.found[Math.min(this.found.length - 1, Math.max(0, place + by))]);
    }

    close() {
      byId("tile").hidden = true;
      viewer?.mark(null);
      if (this.from?.isConnected) this.from.focus();
      this.open_ = null;
    }
  }

  const SPLITS = { train: "training", val: "validation", test: "test", buffer: "buffer", predict: "not used in training" };

  // ---------------------------------------------------------------- tables

  /** Returns the text of a cell without its small print, and the small print. */
  function cellTexts(cell) {
    const small = [...cell.querySelectorAll("small")].map((part) => part.textContent.trim());
    const copy = cell.cloneNode(true);
    copy.querySelectorAll("small, .meter, svg").forEach((part) => part.remove());
    return [copy.textContent.replace(/\s+/g, " ").trim(), small.join("; ")];
  }

  /** Returns the number at the start of a text, null if there is none. */
  function numberOf(text) {
    const plain = text.replace(/[\u202f\u00a0,](?=\d{3})/g, "").replace("\u2212", "-");
    const found = /^[-+]?\d*\.?\d+/.exec(plain);
    return found ? Number(found[0]) : null;
  }

  function sortTable(table, column, header) {
    const direction = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    table.querySelectorAll("th[aria-sort]").forEach((each) => each.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows].map((row) => {
      const text = row.cells[column] ? cellTexts(row.cells[column])[0] : "";
      return { row, text, number: numberOf(text) };
    });
    const isEmpty = ({ text }) => text === "" || text === "–";
    rows.sort((one, other) => {
      if (isEmpty(one) !== isEmpty(other)) return isEmpty(one) ? 1 : -1;
      const difference = one.number !== null && other.number !== null
        ? one.number - other.number : one.text.localeCompare(other.text, undefined, { numeric: true });
      return direction * difference;
    });
    table.tBodies[0].append(...rows.map(({ row }) => row));
    say(`Sorted by ${header.textContent.trim()}, ${header.getAttribute("aria-sort")}.`);
  }

  /** Returns a table as rows of texts; small print gets columns of its own. */
  function tableRows(table) {
    const lines = [...table.rows].map((row) => [...row.cells].flatMap((cell) => {
      const texts = cellTexts(cell);
      return [texts, ...Array(cell.colSpan - 1).fill(["", ""])];
    }));
    const width = Math.max(...lines.map((line) => line.length));
    const hasSmall = [...Array(width).keys()].map((column) => lines.slice(1).some((line) => line[column]?.[1]));
    return lines.map((line, row) => line.flatMap(([text, small], column) =>
      hasSmall[column] ? [text, row ? small : `${text}, interval or note`] : [text]));
  }

  function csvCell(text) {
    const plain = text.replace(/[\u202f\u00a0](?=\d{3})/g, "").replace(/^\u2212(?=\d)/, "-");
    const safe = /^[=+@\t-]/.test(plain) && numberOf(plain) === null ? `'${plain}` : plain;
    return /[",\n;]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  const asCsv = (table) => tableRows(table).map((row) => row.map(csvCell).join(",")).join("\r\n");

  function prepareTable(table, number) {
    if (table.tHead && !table.hasAttribute("data-fixed")) {
      [...table.tHead.rows[0].cells].forEach((header, column) => {
        if (!header.textContent.trim() || header.colSpan > 1) return;
        const button = make("button", { type: "button", className: "sort" });
        button.append(...header.childNodes);
        header.append(button);
        button.addEventListener("click", () => sortTable(table, column, header));
      });
    }
    const copy = make("button", { type: "button", textContent: "Copy" });
    copy.addEventListener("click", async () => {
      const text = tableRows(table).map((row) => row.join("\t")).join("\n");
      try {
        await navigator.clipboard.writeText(text);
        say("The table was copied.");
      } catch {
        say("The browser does not allow copying here. Download the table as CSV.");
      }
    });
    const name = table.closest("section")?.id ?? "table";
    const save = make("a", { textContent: "CSV", download: `${document.body.dataset.region}-${name}-${number + 1}.csv`, href: "#" });
    save.addEventListener("click", () => {
      URL.revokeObjectURL(save.dataset.address);
      save.dataset.address = save.href = URL.createObjectURL(new Blob(["\ufeff", asCsv(table)], { type: "text/csv" }));
    });
    const frame = table.closest(".scroll") ?? table;
    frame.before(make("div", { className: "tools" }, copy, save));
    const heading = table.caption ?? table.closest("section")?.querySelector("h2");
    if (frame === table || !heading) return;
    frame.tabIndex = 0; // wide tables can be moved with the keyboard
    frame.setAttribute("role", "group");
    frame.setAttribute("aria-label", heading.textContent.trim());
  }

  // ---------------------------------------------------------------- start

  let data = null;
  let tiles = null;
  let viewer = null;

  function start() {
    document.documentElement.classList.add("scripted");
    data = JSON.parse(byId("data").textContent);
    addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => (each.open = true)));
    document.querySelectorAll("table:not(.plain)").forEach(prepareTable);
    if (!data.tiles) return;
    tiles = new Tiles(data);
    if (data.maps.length) {
      viewer = new Viewer(data);
      window.report = { viewer, tiles };
    }
  }

  start();
})();
