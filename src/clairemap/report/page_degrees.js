// Longitude and latitude from the nodes of degrees_grid.py.

const sum = (values, each) => values.reduce((total, value) => total + each(value), 0);

/** Returns the four nodes around a position with their weights in the cubic polynomial through them. */
function cubicWeights(position, count) {
  const first = Math.min(Math.max(Math.floor(position) - 1, 0), count - 4);
  const nodes = [0, 1, 2, 3].map((step) => first + step);
  return nodes.map((node) => [node, nodes.reduce((weight, other) =>
    other === node ? weight : (weight * (position - other)) / (node - other), 1)]);
}

function degreesText(longitude, latitude) {
  const text = (value, names) => `${Math.abs(value).toFixed(5)}° ${names[value < 0 ? 1 : 0]}`;
  return `${text(latitude, "NS")}, ${text(longitude, "EW")}`;
}

/** Returns longitude and latitude, degrees, at shares of the map's height and width. */
function interpolatedDegrees(rows, down, across) {
  const last = rows.length - 1;
  const [ofRows, ofColumns] = [down, across].map((share) => cubicWeights(last * share, rows.length));
  const [x, y, z] = [0, 1, 2].map((axis) => sum(ofRows, ([row, weight]) =>
    weight * sum(ofColumns, ([column, other]) => other * rows[row][column][axis])));
  return [Math.atan2(y, x), Math.atan2(z, Math.hypot(x, y))].map((angle) => (angle * 180) / Math.PI);
}
