// Plots as inline SVG that take their colours from the page.
const WIDE = 560, HIGH = 220, LEFT = 52, RIGHT = 12, TOP = 12, BOTTOM = 28;

/** An element of SVG with these attributes and children. */
function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** The next number up that reads well, by which a scale ends. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 4, 5, 10].find((step) => step * power >= value * 0.9999);
}

/** Draws into the drawing of a figure; `description` is read aloud in its place. */
function put(id, description, ...shapes) {
  const drawing = document.querySelector(`#${id} svg`);
  drawing.setAttribute("aria-label", description);
  drawing.setAttribute("viewBox", `0 0 ${WIDE} ${HIGH}`);
  drawing.replaceChildren(...shapes);
}

const across = (share) => LEFT + share * (WIDE - LEFT - RIGHT);
const up = (share) => HIGH - BOTTOM - share * (HIGH - BOTTOM - TOP);
const text = (x, y, anchor, words) => svg("text", { x, y, "text-anchor": anchor }, words);

/** Lines from left to right at the quarters of a scale from 0 to `most`, with their numbers. */
const scale = (most, shown) => [0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
  svg("line", { class: "grid", x1: across(0), x2: across(1), y1: up(share), y2: up(share) }),
  text(across(0) - 6, up(share) + 4, "end", shown(most * share)),
]);

/** The minutes before now, below a plot of the last SPAN. */
const minutes = () => [5, 4, 3, 2, 1, 0].map((ago) => text(
  across(1 - (ago * 60_000) / SPAN), HIGH - 8, ago ? "middle" : "end", ago ? `−${ago} min` : "now"));

/** Lines over the last SPAN up to `now`: each of `series` has a tone and points, of which a null breaks it. */
function lines(id, description, now, series, shown, least) {
  const values = series.flatMap((each) => each.points.map(([, value]) => value)).filter(Number.isFinite);
  const most = roundUp(Math.max(least, ...values));
  const place = ([time, value]) =>
    `${across(1 - (now - time) / SPAN).toFixed(1)},${up(Math.min(1, value / most)).toFixed(1)}`;
  const drawn = series.flatMap(({ tone, points }) => {
    const visible = points.filter(([time]) => now - time <= SPAN);
    return pieces(visible).flatMap((piece) => [
      svg("polyline", { class: `line ${tone}`, points: piece.map(place).join(" ") }),
      ...(piece.length === 1 ? [dot(place(piece[0]), tone)] : []),
    ]);
  });
  put(id, description, ...scale(most, shown), ...minutes(), ...drawn);
}

const dot = (place, tone) => {
  const [cx, cy] = place.split(",");
  return svg("circle", { class: `dot ${tone}`, cx, cy, r: 2.5 });
};

/** Points in runs without a null. */
function pieces(points) {
  const found = [[]];
  for (const point of points) {
    if (point[1] === null) found.push([]);
    else found[found.length - 1].push(point);
  }
  return found.filter((piece) => piece.length);
}

/** Shares by bin as steps, from edge to edge: each of `series` has a tone and shares; the first is filled. */
function steps(id, description, edges, series, shown) {
  const most = roundUp(Math.max(0.1, ...series.flatMap((each) => each.shares)));
  const bins = edges.length - 1;
  const outline = (shares) => shares.map((share, bin) =>
    `V${up(share / most).toFixed(1)} H${across((bin + 1) / bins).toFixed(1)}`).join(" ");
  const drawn = series.map(({ tone, shares }, place) => svg("path", {
    class: `line ${tone}${place ? "" : " filled"}`,
    d: `M${across(0)},${up(0)} ${outline(shares)} V${up(0)}`,
  }));
  const every = Math.ceil(bins / 5);
  const named = edges.flatMap((edge, place) => place % every ? [] :
    [text(across(place / bins), HIGH - 8, place === bins ? "end" : "middle", shown(edge))]);
  put(id, description, ...scale(most, percent), ...named, ...drawn);
}

/** A bar for each of `rows`, which is cut into shares; beside each is its name. */
function shares(id, description, rows) {
  const high = 30, gap = 46;
  const drawn = rows.flatMap(({ name, parts }, row) => {
    let from = 0;
    const y = 30 + row * (high + gap);
    return [svg("text", { class: "name", x: 0, y: y - 8 }, name), ...parts.flatMap(({ tone, share }) => {
      const x = from * WIDE, width = share * WIDE;
      from += share;
      const bar = svg("rect", { class: `bar ${tone}`, x, y, width, height: high });
      const inside = svg("text", { class: "inside", x: x + width / 2, y: y + 20, "text-anchor": "middle" }, percent(share));
      return share > 0.08 ? [bar, inside] : [bar];
    })];
  });
  put(id, description, ...drawn);
}
