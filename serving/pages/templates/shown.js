// What was told, put where it is read.
const TONES = ["blue", "vermillion", "green", "muted"];
const STATES = { good: "✓", watch: "◐", act: "■" };
const WHAT = {
  log: "The log of predictions", registry: "The registry", release: "The release", store: "The online store",
};
const find = (id) => document.getElementById(id);
const data = document.querySelector("main").dataset;
const refusals = JSON.parse(data.refusals);

/** An element of HTML of a class, with texts and elements in it. */
function made(name, kind, ...children) {
  const element = document.createElement(name);
  if (kind) element.className = kind;
  element.append(...children);
  return element;
}

/** A word in a badge: its state is told by a symbol, too. */
function badge(state, word = state) {
  const symbol = made("i", "", STATES[state]);
  symbol.setAttribute("aria-hidden", "true");
  return made("span", `badge ${state}`, symbol, ` ${word}`);
}

const fact = (id, value, detail) => {
  find(id).textContent = value;
  find(`${id}-detail`).textContent = detail;
};

const toneOf = (release, version) => {
  const place = release ? release.parts.findIndex((part) => part.version === version) : -1;
  return TONES[place < 0 ? 3 : Math.min(place, 3)];
};

/** Which colour stands for what. */
const legend = (id, entries) => find(id).querySelector(".legend").replaceChildren(
  ...entries.map(({ tone, name }) => made("span", "", made("i", `swatch ${tone}`), name)));

function showFacts(looks, now, before) {
  const asked = rate(now, before, requests());
  const lately = between(now.told.seconds[PREDICT], before.told.seconds[PREDICT]);
  const oldest = looks.before(now, SPAN);
  const [all, wrong] = [since(now, oldest, requests()), since(now, oldest, requests(FAILED))];
  const release = now.told.release;
  const champion = release?.parts[0];
  fact("champion", champion?.version ?? "none", release ? `${champion.family}, ${percent(champion.share)} of the traffic` : "nothing serves");
  fact("asked", `${number(asked)} / s`, `${plural(requests()(now.told), "request")} since the start`);
  fact("median", duration(quantile(lately, 0.5)), "half of the predictions were quicker");
  fact("slowest", duration(quantile(lately, 0.99)), "99 of 100 predictions were quicker");
  fact("failed", number(wrong), `of ${plural(all, "request")} in ${ago(Math.min(SPAN, now.time - oldest.time))}`);
}

/** Each thing that may be wrong, as [name, state, words]. */
function health(looks, now) {
  const { told } = now, before = looks.before(now, SPAN);
  const lost = (told.log.dropped ?? 0) + (told.log.unfit ?? 0);
  const wrong = since(now, before, requests(FAILED)), refused = since(now, before, requests(REFUSED));
  const degraded = since(now, before, (each) => each.degraded_rows);
  const failed = since(now, before, (each) => count(each.failed_rows));
  return [
    ["Requests", wrong ? "act" : refused ? "watch" : "good", statuses(now, before)],
    ["Versions", failed ? "act" : "good", failed
      ? `${plural(failed, "row")} could not be answered by the version whose turn it was: its log says why.`
      : "Each row was answered by the version whose turn it was."],
    ["Features", degraded ? "watch" : "good", degraded
      ? `${plural(degraded, "row")} of the last minutes were answered without the online store, and are marked so.`
      : "No row had to be answered without the online store."],
    ["Log", lost ? "act" : "good", `${plural(told.log.written ?? 0, "row")} on disk, ${number(told.log.waiting)} on the way there; `
      + (lost ? `${plural(lost, "row")} lost since the start.` : "none lost.")],
    ...Object.entries(told.troubles).map(([what, why]) => [WHAT[what] ?? what, "act", why]),
  ];
}

/** The requests of the last minutes by what they were told, with words. */
function statuses(now, before) {
  const all = [...new Set(now.told.requests.map((each) => each.status))].sort();
  const told = all.map((status) => [status, since(now, before, requests((each) => each === status))])
    .filter(([, number]) => number)
    .map(([status, many]) => `${number(many)} × ${status}${refusals[status] ? ` (${refusals[status]})` : " (answered)"}`);
  return told.length ? `In the last minutes: ${told.join(", ")}.` : "Nobody asked in the last minutes.";
}

const showHealth = (looks, now) => find("health").replaceChildren(...health(looks, now).map(
  ([name, state, words]) => made("li", "", made("strong", "", name), made("span", "", badge(state)), made("p", "first", words))));

function showRelease(now, before) {
  const release = now.told.release;
  if (!release) return void (find("release-told").textContent = "No version serves yet.");
  const { told } = now;
  find("release-told").textContent = `Release ${release.number}, since ${instant(release.since)}, by ${release.by}: ${release.why}`
    + (release.advances ? " Its canary takes more in steps, as long as nothing speaks against it." : "");
  const rows = (look, version) => count(look.rows, (each) => each.version === version);
  find("versions").replaceChildren(...release.parts.map(({ version, role, share, family }) => {
    const lately = between(told.version_seconds[version], before.told.version_seconds[version]);
    const failed = count(told.failed_rows, (each) => each.version === version);
    const head = made("th", "", made("i", `swatch ${toneOf(release, version)}`), version);
    head.scope = "row";
    return made("tr", "", head, made("td", "", `${role}, ${family}`), ...[
      role === "shadow" ? `${percent(share)}, unseen` : percent(share),
      number(rate(now, before, (each) => rows(each, version))), number(rows(told, version)),
      duration(quantile(lately, 0.5)), duration(quantile(lately, 0.99)), number(failed),
    ].map((words) => made("td", "number", words)));
  }));
}

function showJudgement(judgement) {
  find("judgement").hidden = !judgement;
  find("not-judged").hidden = Boolean(judgement);
  if (!judgement) return;
  const calm = judgement.decision === "nothing";
  find("decision").replaceChildren(badge(calm ? "good" : judgement.decision === "watch" ? "watch" : "act", judgement.decision));
  find("judged").textContent = `Batch ${judgement.batch}, answered by ${judgement.version}; judged as of ${instant(judgement.as_of)}`
    + (judgement.final ? "." : ", before all outcomes were due.");
  find("reasons").replaceChildren(...judgement.reasons.map((reason) => made("li", "", reason)));
  const measured = Object.entries(judgement.drift).filter(([, value]) => value !== null).sort((a, b) => b[1] - a[1]);
  const most = Math.max(0.2, ...measured.map(([, value]) => value));
  find("drifts").replaceChildren(...measured.slice(0, 8).map(([feature, value]) => {
    const beyond = judgement.drifted.includes(feature);
    const bar = svg("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { class: `bar ${beyond ? "vermillion" : "blue"}`, width: (100 * value) / most, height: 8 }));
    return made("li", "", made("span", "", feature), bar, made("span", "number", `${value.toFixed(3)}${beyond ? ", drifted" : ""}`));
  }));
}
