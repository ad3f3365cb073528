// Whether all is well, thing by thing.
const STATES = { good: "✓", watch: "◐", act: "■" };
const MANY = 0.05; // share of refused requests from which somebody should look at who asks
const WHAT = {
  log: "The log",
  registry: "The registry",
  release: "The release",
  store: "The online store",
};
const refusals = JSON.parse(data.refusals);

/** A word in a badge: its state is told by a symbol, too. */
function badge(state, word = state) {
  const symbol = made("i", "", STATES[state]);
  symbol.setAttribute("aria-hidden", "true");
  return made("span", `badge ${state}`, symbol, ` ${word}`);
}

/** Each thing that may be wrong, as [name, state, words], by what came since a look before. */
const health = (now, before) => [
  ofRequests(now, before),
  ofVersions(since(now, before, (told) => count(told.failed_rows))),
  ofFeatures(since(now, before, (told) => told.degraded_rows)),
  ofLog(now.told.log),
  ...Object.entries(now.told.wrong).map(([what, why]) => [WHAT[what] ?? what, "act", `${why}.`]),
];

function ofRequests(now, before) {
  const [failed, refused, all] = [FAILED, REFUSED, null].map((kind) => since(now, before, requests(kind)));
  const state = failed ? "act" : refused > MANY * all ? "watch" : "good";
  const statuses = [...new Set(now.told.requests.map((each) => each.status))].sort();
  const words = statuses.flatMap((status) => {
    const many = since(now, before, requests((each) => each === status));
    return many ? [`${number(many)} × ${status} (${refusals[status] ?? "answered"})`] : [];
  });
  return ["Requests", state, words.length ? `${words.join("; ")}.` : "Nobody asked in the last minutes."];
}

const ofVersions = (failed) => failed
  ? ["Versions", "act", `${plural(failed, "row")} could not be answered by the version whose turn it was.`]
  : ["Versions", "good", "Each row was answered by the version whose turn it was."];

const ofFeatures = (degraded) => degraded
  ? ["Features", "watch", `${plural(degraded, "row")} answered without the online store, and marked so.`]
  : ["Features", "good", "No row was answered without the online store."];

function ofLog({ written = 0, dropped = 0, unfit = 0, waiting }) {
  const lost = dropped + unfit;
  const kept = `${plural(written, "row")} on disk since the start, ${number(waiting)} on the way there`;
  return ["Log", lost ? "act" : "good", `${kept}; ${lost ? `${plural(lost, "row")} lost` : "none lost"}.`];
}

const showHealth = (looks, now) => find("health").replaceChildren(
  ...health(now, looks.before(now, SPAN)).map(([name, state, words]) => made(
    "li", "", made("strong", "", name), made("span", "", badge(state)), made("p", "first", words))));
