// Keys of the map's layers, and colours of its tiles.

function css(color) {
  return `rgb(${color.join(" ")})`;
}

const KINDS = { template: ["from the template", [140, 150, 170]], model: ["from the language model", [43, 108, 176]] };

function tileColor(tile, paint) {
  if (paint === "source") return css(KINDS[tile.source][1]);
  const value = tile[paint];
  if (value === null) return null;
  return css(data.ramps.confidence[Math.round(value / 5)]);
}

function gradient(ramp) {
  return `linear-gradient(to right, ${ramp.map(css).join(", ")})`;
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
    if (layer.key === "optical_share") {
      return keyOf(layer.title, data.ramps.optical_share, ["SAR only", "optical only"]);
    }
    if (layer.kind === "scenes") return swatches(layer.title, data.scenes);
    if (layer.kind === "errors") {
      return swatches(layer.title, data.errors.map((color, value) => [css(color), value ? "wrong" : "right"]));
    }
    return null;
  });
  const paint = byId("tiles-shown").value;
  const title = `Tiles: ${byId("tiles-shown").selectedOptions[0].textContent}`;
  const kinds = Object.values(KINDS).map(([text, color]) => [css(color), text]);
  if (paint === "source") keys.push(swatches(title, kinds));
  else if (paint) keys.push(keyOf(title, data.ramps.confidence, ["0 %", "100 %"]));
  byId("keys").replaceChildren(...keys.filter(Boolean));
  const usesClasses = Object.values(viewer.shown).some((each) => each?.layer.kind === "classes");
  byId("class-legend").hidden = !usesClasses;
}
