// The plots of the page.

/** Which colour stands for what. */
const legend = (id, entries) => find(id).querySelector(".legend").replaceChildren(
  ...entries.map(({ tone, name }) => made("span", "", made("i", `swatch ${tone}`), name)));

/** A plot of the last minutes, with its legend; `measures` are [name, tone, what it is between two looks]. */
function drawLines(id, title, looks, measures, shown, least) {
  const series = measures.map(([name, tone, measure]) => ({ name, tone, points: looks.points(measure) }));
  const last = series.map(({ name, points }) => `${name} ${shown(points[points.length - 1]?.[1] ?? 0)}`);
  const words = `${title}, the last five minutes; now ${last.join(", ")}`;
  new Drawing(id).lines(words, looks.last.time, series, shown, least);
  legend(id, series);
}

const drawRequests = (looks) => drawLines("requests", "Requests a second", looks, [
  ["answered", "blue", (look, before) => rate(look, before, requests(ANSWERED))],
  ["refused", "muted", (look, before) => rate(look, before, requests(REFUSED))],
  ["failed", "vermillion", (look, before) => rate(look, before, requests(FAILED))],
], number, 1);

function drawLatency(looks) {
  const lately = (share) => (look, before) =>
    quantile(between(look.told.seconds[PREDICT], before.told.seconds[PREDICT]), share);
  const measures = [["median", "blue", lately(0.5)], ["99 of 100 are quicker", "vermillion", lately(0.99)]];
  drawLines("latency", "Service time of predictions", looks, measures, duration, 0.001);
}

/** Answers of each version by bin, as shares of its own, of all since the start. */
function drawAnswers({ told: { answers, release } }) {
  const versions = (release?.parts ?? []).map((part) => part.version).filter((version) => answers[version]);
  find("no-answers").hidden = versions.length > 0;
  if (!versions.length) return;
  const { edges } = answers[versions[0]]; // one service has one set of bins
  const series = versions.map((version) => {
    const { counts } = answers[version], total = sum(counts);
    const name = `${version}, ${plural(total, "answer")}`;
    return { name, tone: toneOf(release, version), shares: counts.map((each) => each / total) };
  });
  const bins = series.some(({ shares }) => shares[edges.length]) ? edges.length + 1 : edges.length;
  const ends = ["", ...edges.map(number), "more"].slice(0, bins + 1);
  if (edges[0] > 0) ends[0] = "0";
  const visible = series.map((each) => ({ ...each, shares: each.shares.slice(0, bins) }));
  const told = series.map(({ name }) => name).join("; ");
  new Drawing("answers").steps(`Answers by version: ${told}`, ends, visible);
  legend("answers", series);
}

/** What the release says, and whose answers there were. */
function drawShares(looks, now) {
  const { release } = now.told, before = looks.before(now, SPAN);
  const parts = (release?.parts ?? []).filter((part) => part.role !== "shadow")
    .map((part) => ({ ...part, tone: toneOf(release, part.version), rows: rowsOf(part.version, now, before) }));
  const all = sum(parts.map((part) => part.rows));
  const bars = [{ name: "as the release says", parts }];
  if (all) {
    const name = `of ${plural(all, "row")} in the last minutes`;
    bars.push({ name, parts: parts.map((part) => ({ ...part, share: part.rows / all })) });
  }
  new Drawing("shares", 140).bars(`Shares of the release: ${release?.told ?? "none"}`, bars);
  legend("shares", parts.map(({ version, role, tone }) => ({ tone, name: `${version}, ${role}` })));
}

/** How many rows a version has answered between two looks. */
const rowsOf = (version, now, before) => since(now, before, (told) =>
  count(told.rows, (each) => each.version === version && each.role !== "shadow"));
