// The four plots of the page.
function drawRequests(looks, now) {
  const kinds = [["answered", "blue", ANSWERED], ["refused", "muted", REFUSED], ["failed", "vermillion", FAILED]];
  const series = kinds.map(([name, tone, kind]) =>
    ({ name, tone, points: looks.points((look, before) => rate(look, before, requests(kind))) }));
  const last = series.map(({ name, points }) => `${name} ${number(points[points.length - 1]?.[1] ?? 0)}`);
  lines("requests", `Requests a second over the last five minutes; now ${last.join(", ")}`, now.time, series, number, 1);
  legend("requests", series);
}

function drawLatency(looks, now) {
  const kinds = [["median", "blue", 0.5], ["99 of 100 are quicker", "vermillion", 0.99]];
  const lately = (look, before) => between(look.told.seconds[PREDICT], before.told.seconds[PREDICT]);
  const series = kinds.map(([name, tone, share]) =>
    ({ name, tone, points: looks.points((look, before) => quantile(lately(look, before), share)) }));
  const last = series.map(({ name, points }) => `${name} ${duration(points[points.length - 1]?.[1] ?? null)}`);
  lines("latency", `Service time of predictions over the last five minutes; now ${last.join(", ")}`, now.time, series, duration, 0.001);
  legend("latency", series);
}

/** Answers of each version by bin, as shares of its own, of all that it has answered. */
function drawAnswers(now) {
  const { answers, release } = now.told;
  const versions = Object.keys(answers).filter((each) => release?.parts.some((part) => part.version === each));
  find("no-answers").hidden = versions.length > 0;
  if (!versions.length) return put("answers", "No version of the release has answered yet");
  const edges = answers[versions[0]].edges;
  const series = versions.filter((each) => String(answers[each].edges) === String(edges)).map((version) => {
    const { counts } = answers[version], total = sum(counts);
    return { name: `${version}, ${plural(total, "row")}`, tone: toneOf(release, version), shares: counts.map((each) => each / total) };
  });
  const beyond = series.some(({ shares }) => shares[shares.length - 1]);
  const bins = beyond ? edges.length + 1 : edges.length;
  series.forEach((each) => { each.shares = each.shares.slice(0, bins); });
  const ends = [edges[0] > 0 ? 0 : null, ...edges, ...(beyond ? [Infinity] : [])];
  const shown = (edge) => (edge === null ? "" : edge === Infinity ? "more" : number(edge));
  steps("answers", `Answers by version: ${series.map(({ name }) => name).join("; ")}`, ends, series, shown);
  legend("answers", series);
}

/** What the release says, and whose answers there were. */
function drawShares(looks, now) {
  const { release } = now.told;
  const parts = (release?.parts ?? []).filter((part) => part.role !== "shadow");
  const before = looks.before(now, SPAN);
  const rows = (version) => since(now, before, (told) =>
    count(told.rows, (each) => each.version === version && each.role !== "shadow"));
  const answered = parts.map((part) => rows(part.version)), all = sum(answered);
  const said = parts.map(({ version, share }) => ({ tone: toneOf(release, version), share }));
  const bars = [{ name: "as the release says", parts: said }];
  if (all) bars.push({
    name: `of ${plural(all, "row")} answered in the last minutes`,
    parts: parts.map(({ version }, place) => ({ tone: toneOf(release, version), share: answered[place] / all })),
  });
  shares("shares", `Shares of the release: ${release?.told ?? "none"}`, bars);
  legend("shares", parts.map(({ version, role }) => ({ tone: toneOf(release, version), name: `${version}, ${role}` })));
}
