// The interactive map and its controls.

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
    byId("scene").addEventListener("change", () => {
      this.update();
      this.tellLayers();
    });
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
    const scenes = this.current.choice.map(([scene], number) => option(number, scene));
    byId("scene").replaceChildren(option("", "the one with the least cloud"), ...scenes);
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

  /** Returns the blocks of the scene that the reader put on top. */
  chosenBlocks(layer) {
    const [, parts] = this.current.choice[byId("scene").value] ?? [null, {}];
    this.choiceBlocks ??= new Map();
    const blocks = parts[layer.key];
    if (!blocks) return [];
    if (!this.choiceBlocks.has(blocks)) this.choiceBlocks.set(blocks, blocks.map((values) => new Block(layer, values)));
    return this.choiceBlocks.get(blocks);
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
    const hasPhotograph = Object.values(this.shown).some((each) => each?.layer.kind === "photograph");
    byId("scene").closest("label").hidden = !hasPhotograph || !this.current.choice.length;
    if (hasPhotograph && this.current.choice.length) notes.push(this.sceneText());
    byId("resolution").textContent = notes.join(" ");
    drawKeys(this);
  }

  sceneText() {
    const [chosen, parts] = this.current.choice[byId("scene").value] ?? [null, {}];
    const step = Math.max(...Object.values(parts).flat().map(([each]) => each));
    const rest = "Where scenes overlap, the one with the least cloud is on top";
    const text = chosen ? `${chosen} is on top, one pixel for ${step} × ${step}. ${rest} elsewhere.` : `${rest}.`;
    const missing = this.current.scenes_without_picture;
    return missing ? `${text} ${missing} covered scenes have no picture of their own, to keep the page small.` : text;
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

  /** Returns longitude and latitude of a position, degrees; null where they are unknown. */
  degreesAt(place) {
    const rows = this.current.degrees;
    if (!rows || !this.bounds.contains(place)) return null;
    const share = (value, low, high) => (value - low) / (high - low);
    return interpolatedDegrees(rows, share(place.lat, this.bounds.getSouth(), this.bounds.getNorth()),
      share(place.lng, this.bounds.getWest(), this.bounds.getEast()));
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
    const degrees = this.degreesAt(place);
    if (degrees) texts.push(degreesText(...degrees));
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
    if (!move) return;
    const view = this.map.getContainer().getBoundingClientRect();
    const panel = byId("tile").getBoundingClientRect();
    const covered = panel.width ? Math.max(0, view.right - panel.left) : 0;
    this.map.fitBounds(bounds.pad(1), { animate: false, paddingBottomRight: [covered, 0] });
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
