// What was told, put where it is read.
const TONES = ["blue", "vermillion", "green", "muted"];
const MOST_DRIFTS = 8;

const toneOf = (release, version) => {
  const place = release ? release.parts.findIndex((part) => part.version === version) : -1;
  return TONES[place < 0 ? TONES.length - 1 : Math.min(place, TONES.length - 1)];
};

function fact(id, value, detail) {
  find(id).textContent = value;
  find(`${id}-detail`).textContent = detail;
}

function showFacts(looks, now, before) {
  const lately = between(now.told.seconds[PREDICT], before.told.seconds[PREDICT]);
  const oldest = looks.before(now, SPAN);
  const [all, failed] = [null, FAILED].map((kind) => since(now, oldest, requests(kind)));
  const [champion] = now.told.release?.parts ?? [];
  fact("champion", champion?.version ?? "none",
    champion ? `${champion.family}, ${percent(champion.share)} of the traffic` : "nothing serves");
  fact("asked", `${number(rate(now, before, requests()))} / s`,
    `${plural(requests()(now.told), "request")} since the start`);
  fact("median", duration(quantile(lately, 0.5)), "half of the predictions are quicker");
  fact("slowest", duration(quantile(lately, 0.99)), "99 of 100 predictions are quicker");
  fact("failed", number(failed), `of ${plural(all, "request")} in ${ago(now.time - oldest.time)}`);
}

function showRelease(now, before) {
  const { release } = now.told;
  find("versions").replaceChildren(...(release?.parts ?? []).map((part) => lineOf(part, now, before)));
  find("release-told").textContent = release
    ? `Release ${release.number}, since ${instant(release.since)}, by ${release.by}: `
      + `${release.why.replace(/\.$/, "")}.`
      + (release.advances ? " The canary takes more in steps, as long as nothing speaks against it." : "")
    : "No version serves yet.";
}

/** A version of the release as a line of the table. */
function lineOf({ version, role, share, family }, now, before) {
  const { told } = now, isOf = (each) => each.version === version;
  const lately = between(told.version_seconds[version], before.told.version_seconds[version]);
  const head = made("th", "", made("i", `swatch ${toneOf(told.release, version)}`), version);
  head.scope = "row";
  const words = [
    role === "shadow" ? `${percent(share)}, unseen` : percent(share),
    number(rate(now, before, (each) => count(each.rows, isOf))),
    number(count(told.rows, isOf)),
    duration(quantile(lately, 0.5)),
    duration(quantile(lately, 0.99)),
    number(count(told.failed_rows, isOf)),
  ];
  return made("tr", "", head, made("td", "", `${role}, ${family}`), ...words.map((each) => made("td", "number", each)));
}

function showJudgement(judgement) {
  find("judgement").hidden = !judgement;
  find("not-judged").hidden = Boolean(judgement);
  if (!judgement) return;
  const { decision, batch, version, as_of: asOf, final, reasons } = judgement;
  const state = { nothing: "good", watch: "watch" }[decision] ?? "act";
  find("decision").replaceChildren(badge(state, decision));
  find("judged").textContent = `Batch ${batch}, answered by ${version}; judged as of ${instant(asOf)}`
    + (final ? "." : ", before all outcomes were due.");
  find("reasons").replaceChildren(...reasons.map((reason) => made("li", "", reason)));
  showDrifts(judgement);
}

/** How far the features have drifted: first those that have beyond their limits. */
function showDrifts({ drift, drifted }) {
  const isBeyond = (feature) => drifted.includes(feature);
  const measured = Object.entries(drift).filter(([, value]) => value !== null)
    .sort(([one, much], [other, more]) => isBeyond(other) - isBeyond(one) || more - much);
  const most = Math.max(0.2, ...measured.map(([, value]) => value));
  find("drifts").replaceChildren(...measured.slice(0, MOST_DRIFTS).map(([feature, value]) => {
    const [tone, words] = isBeyond(feature) ? ["vermillion", ", drifted"] : ["blue", ""];
    const bar = svg("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { class: `bar ${tone}`, width: (100 * value) / most, height: 8 }));
    return made("li", "", made("span", "", feature), bar, made("span", "number", value.toFixed(3) + words));
  }));
}
