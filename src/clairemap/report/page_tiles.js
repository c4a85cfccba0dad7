// The list of tiles and the panel of one tile.

class Tiles {
  constructor(data) {
    const { columns, rows, scenes, splits, errors } = data.tiles;
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
    const name = (index) => data.classes[index].name;
    byId("by-error").append(...errors.map(([label, mapped], number) =>
      option(number, `${name(label)} mapped as ${name(mapped)}`)));
    byId("by-class").append(...data.classes.map((each, index) => option(index, each.name)));
    byId("filters").addEventListener("input", () => this.filter());
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("more").addEventListener("click", () => this.list(this.listed + ROWS_SHOWN));
    byId("tiles-csv").addEventListener("click", () => saveCsv(byId("tiles-csv"), this.table()));
    byId("previous").addEventListener("click", () => this.step(-1));
    byId("next").addEventListener("click", () => this.step(1));
    byId("to-map").addEventListener("click", () => this.showPlace());
    byId("close").addEventListener("click", () => this.close());
    byId("tile").addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    document.querySelectorAll("[data-open]").forEach((button) =>
      button.addEventListener("click", () => this.open(this.all[Number(button.dataset.open)], button)));
    document.querySelectorAll("[data-confused]").forEach((link) =>
      link.addEventListener("click", () => this.showClass(link.dataset.confused)));
    document.querySelectorAll("[data-error]").forEach((link) =>
      link.addEventListener("click", (event) => this.showError(link, event)));
    this.filter();
  }

  showClass(index) {
    byId("filters").reset();
    byId("by-class").value = index;
    byId("by-order").value = "class";
    this.filter();
  }

  /** Lists the tiles with an error of a class, most pixels first, and opens the first one. */
  showError(link, event) {
    byId("filters").reset();
    byId("by-error").value = link.dataset.error;
    byId("by-split").value = link.dataset.split;
    byId("by-order").value = "error";
    this.filter();
    const first = this.found.find((tile) => tile.map !== null);
    if (!first) return;
    event.preventDefault();
    this.open(first, link);
    this.showPlace();
  }

  /** Shows the place of the open tile on the map; where the panel covers the map, it is closed. */
  showPlace() {
    const tile = this.open_;
    if (innerWidth <= NARROW) this.close();
    viewer?.mark(tile, true);
    byId("view").scrollIntoView({ block: "center", behavior: "instant" });
  }

  filter() {
    const scene = byId("by-scene").value;
    const split = byId("by-split").value;
    const chosen = byId("by-class").value;
    const most = Number(byId("by-confidence").value);
    const order = byId("by-order").value;
    byId("confidence-limit").textContent = `${most} %`;
    const error = byId("by-error").value;
    const rowOf = (tile) => tile.classes.find(([index]) => String(index) === chosen);
    const pixels = (tile) => errorPixels(tile, error);
    this.found = this.all.filter((tile) =>
      (!scene || tile.scene === scene) && (!split || tile.split === split) && tile.confidence <= most &&
      (!chosen || rowOf(tile)) && (!error || pixels(tile)));
    const unknownLast = (value) => value ?? Infinity;
    if (order === "class" && chosen) {
      this.found.sort((one, other) => unknownLast(rowOf(one)[2]) - unknownLast(rowOf(other)[2]));
    } else if (order === "error" && error) {
      this.found.sort((one, other) => pixels(other) - pixels(one));
    } else if (order === "confidence") {
      this.found.sort((one, other) => one.confidence - other.confidence);
    } else if (order === "place") {
      this.found.sort(
        (one, other) => one.scene.localeCompare(other.scene) || one.row - other.row || one.col - other.col);
    }
    byId("tiles-found").textContent = `${this.found.length} of ${this.all.length} tiles`;
    this.list(ROWS_SHOWN);
  }

  list(count) {
    this.listed = Math.min(count, this.found.length);
    const chosen = byId("by-class").value;
    const error = byId("by-error").value;
    byId("chosen-figure").textContent = error ? "Pixels with the error" : "IoU of the class";
    const rows = this.found.slice(0, this.listed).map((tile) => {
      const button = make("button", { type: "button", className: "link", textContent: tile.name });
      button.addEventListener("click", () => this.open(tile, button));
      const [largest] = tile.classes;
      const own = tile.classes.find(([index]) => String(index) === chosen);
      const figure = error ? errorPixels(tile, error) : chosen ? round(own?.[2] ?? null, 2) : "";
      const cells = [
        SPLITS[tile.split] ?? tile.split, largest ? this.data.classes[largest[0]].name : "–", round(tile.oa),
        round(tile.miou, 1), round(tile.confidence), round(tile.cloud), figure,
      ];
      return make("tr", {}, make("th", { scope: "row" }, button),
        ...cells.map((text, index) => make("td", { textContent: text, className: index < 2 ? "left" : "" })));
    });
    byId("tile-rows").replaceChildren(...rows);
    byId("more").hidden = this.listed >= this.found.length;
  }

  /** Returns the tiles of the list as rows of texts. */
  table() {
    const figures = ["oa", "miou", "confidence", "optical_share", "cloud"];
    const head = [
      "scene", "row", "column", "split", "accuracy, %", "mean IoU, %", "confidence, %", "optical share, %", "cloud, %",
    ];
    const rows = this.found.map((tile) => [
      tile.scene, tile.row, tile.col, SPLITS[tile.split] ?? tile.split, ...figures.map((name) => tile[name] ?? ""),
      textOf(tile),
    ]);
    return [[...head, "explanation"], ...rows].map((row) => row.map(String));
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
      const note = make("span", { className: "figures", id: `figures-${index}`, role: "tooltip" }, figures.join(" · "));
      const sentence = { className: "sentence", tabIndex: 0, "aria-describedby": note.id };
      paragraph.append(make("span", sentence, text, note), " ");
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
        textContent: "The page has no pictures of this tile, to keep it small. “Show on the map” shows the place." }));
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

function errorPixels(tile, error) {
  return tile.errors.find(([number]) => String(number) === error)?.[1] ?? 0;
}

function textOf(tile) {
  return typeof tile.text === "string" ? tile.text : tile.text.map(([text]) => text).join(" ");
}

const SPLITS = {
  train: "training", val: "validation", test: "test", buffer: "buffer", predict: "not used in training",
};
