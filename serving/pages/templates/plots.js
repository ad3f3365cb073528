// Plots as inline SVG that take their colours from the page.
const LEFT = 52, RIGHT = 12, TOP = 12, BOTTOM = 28;

/** An element of SVG with these attributes and children. */
function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const text = (x, y, anchor, words, kind = "") => svg("text", { x, y, "text-anchor": anchor, class: kind }, words);

/** The next number up that reads well, by which a scale ends. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 3, 4, 6, 8, 10].find((step) => step * power >= value * 0.9999);
}

/** Points in runs without a null. */
function pieces(points) {
  const found = [[]];
  for (const point of points) {
    if (point[1] === null) found.push([]);
    else found[found.length - 1].push(point);
  }
  return found.filter((piece) => piece.length);
}

/** The drawing of a figure, in pixels of the page, so that letters are as large on a phone. */
class Drawing {
  constructor(id, high = 220) {
    this.drawing = document.querySelector(`#${id} svg`);
    this.wide = this.drawing.clientWidth || 560;
    this.high = high;
  }

  /** Put shapes in the place of those before; `description` is read aloud in their place. */
  put(description, ...shapes) {
    this.drawing.setAttribute("aria-label", description);
    this.drawing.setAttribute("viewBox", `0 0 ${this.wide} ${this.high}`);
    this.drawing.setAttribute("height", this.high);
    this.drawing.replaceChildren(...shapes);
  }

  across(share) { return LEFT + share * (this.wide - LEFT - RIGHT); }

  up(share) { return this.high - BOTTOM - share * (this.high - BOTTOM - TOP); }

  /** Lines from left to right at the quarters of a scale from 0 to `most`, with their numbers. */
  scale(most, shown) {
    const [x1, x2] = [this.across(0), this.across(1)];
    return [0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
      svg("line", { class: "grid", x1, x2, y1: this.up(share), y2: this.up(share) }),
      text(x1 - 6, this.up(share) + 4, "end", shown(most * share)),
    ]);
  }

  /** Words below the plot, at shares of its width. */
  below(words) {
    return words.map(([share, each]) => text(this.across(share), this.high - 8, share === 1 ? "end" : "middle", each));
  }

  /** Lines over the last SPAN up to `now`: each of `series` has a tone and points, of which a null breaks it. */
  lines(description, now, series, shown, least) {
    const values = series.flatMap((each) => each.points.map(([, value]) => value)).filter(Number.isFinite);
    const most = roundUp(Math.max(least, ...values));
    const place = ([time, value]) => [this.across(1 - (now - time) / SPAN), this.up(Math.min(1, value / most))];
    const drawn = series.flatMap(({ tone, points }) =>
      pieces(points.filter(([time]) => now - time <= SPAN)).flatMap((piece) => {
        const [cx, cy] = place(piece[piece.length - 1]);
        const line = svg("polyline", { class: `line ${tone}`, points: piece.map(place).join(" ") });
        return piece.length > 1 ? [line] : [svg("circle", { class: `dot ${tone}`, cx, cy, r: 2.5 })];
      }));
    const minutes = [5, 4, 3, 2, 1, 0].map((ago) => [1 - (ago * 60_000) / SPAN, ago ? `−${ago} min` : "now"]);
    this.put(description, ...this.scale(most, shown), ...this.below(minutes), ...drawn);
  }

  /** Shares by bin as steps: each of `series` has a tone and shares, and the first is filled; `ends` are words. */
  steps(description, ends, series) {
    const most = roundUp(Math.max(0.1, ...series.flatMap((each) => each.shares)));
    const bins = ends.length - 1, every = Math.ceil(bins / 5);
    const outline = (all) => all.map((share, bin) => `V${this.up(share / most)} H${this.across((bin + 1) / bins)}`);
    const drawn = series.map((each, place) => svg("path", {
      class: `line ${each.tone}${place ? "" : " filled"}`,
      d: `M${this.across(0)},${this.up(0)} ${outline(each.shares).join(" ")} V${this.up(0)}`,
    }));
    const named = ends.map((end, place) => [place / bins, end]).filter((_, place) => place % every === 0);
    this.put(description, ...this.scale(most, percent), ...this.below(named), ...drawn);
  }

  /** A bar for each of `rows`, which is cut into shares; above each is its name. */
  bars(description, rows) {
    const drawn = rows.flatMap(({ name, parts }, row) => {
      const y = 26 + row * 72;
      let from = 0;
      return [text(0, y - 8, "start", name, "name"), ...parts.flatMap(({ tone, share }) => {
        const x = from * this.wide, width = share * this.wide;
        from += share;
        const bar = svg("rect", { class: `bar ${tone}`, x, y, width, height: 30 });
        return width > 45 ? [bar, text(x + width / 2, y + 20, "middle", percent(share), "inside")] : [bar];
      })];
    });
    this.put(description, ...drawn);
  }
}
