// The script of the report page, after the other parts (page_data.SCRIPTS) in one function.
// Texts of the data become text nodes only.

const NODATA = 255;
const MAX_PIXEL = 12; // largest size of a stored pixel on the screen
const ROWS_SHOWN = 100;
const NARROW = 900; // width of a window in which the panel of a tile covers the map, as in page.css
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
