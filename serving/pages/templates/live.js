// Asks the service again and again what happens, and shows it.
const EVERY = 2_000, PATIENCE = 5_000; // milliseconds
const KEPT = `perennial-key:${data.project}`;
const looks = new Looks();
let silent = null; // since when the service has not answered

const wait = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });

function say(state, words) {
  find("state").replaceChildren(badge(state, { good: "answers", watch: "busy", act: "silent" }[state]), ` ${words}`);
  document.querySelector("main").classList.toggle("stale", state === "act");
}

/** What the service tells; throws what is wrong, with its status where it answered at all. */
async function ask() {
  const key = sessionStorage.getItem(KEPT);
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const response = await fetch(`/v1/${data.project}/traffic`, { headers, signal: AbortSignal.timeout(PATIENCE) });
  const told = await response.json();
  if (!response.ok) throw Object.assign(new Error(told.error), { status: response.status });
  return told;
}

function show(told) {
  looks.add(told, Date.now());
  const now = looks.last, before = looks.before(now, LATELY);
  find("figures").hidden = false;
  showFacts(looks, now, before);
  showHealth(looks, now);
  showRelease(now, before);
  showJudgement(told.judgement);
  drawRequests(looks, now);
  drawLatency(looks, now);
  drawAnswers(now);
  drawShares(looks, now);
}

/** Ask for an API key, and say what is wrong with the last one. */
function wantKey(why) {
  sessionStorage.removeItem(KEPT);
  find("figures").hidden = true;
  find("door").hidden = false;
  find("refused").textContent = why;
  find("state").replaceChildren();
  find("key").focus();
}

/** Look once; whether to go on looking. */
async function look() {
  try {
    const told = await ask();
    silent = null;
    show(told);
    say("good", `as of ${clock(Date.now())}; running since ${clock(told.running_since)}, for ${ago(Date.now() - Date.parse(told.running_since))}`);
  } catch (error) {
    if (error.status === 401 || error.status === 403) {
      wantKey(sessionStorage.getItem(KEPT) ? `The service refused this key: ${error.message}.` : "");
      return false;
    }
    silent ??= Date.now();
    const long = `since ${clock(silent)}, for ${ago(Date.now() - silent)}`;
    const told = looks.all.length ? ` What is below is from ${clock(looks.last.time)}.` : "";
    if (error.status) say("watch", `${error.message}, ${long}.${told}`);
    else say("act", `The service does not answer ${long}.${told}`);
  }
  return true;
}

async function watch() {
  find("door").hidden = true;
  while (await look()) await wait(EVERY);
}

find("door").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEPT, find("key").value.trim());
  find("key").value = "";
  watch();
});

if (data.guarded && !sessionStorage.getItem(KEPT)) wantKey("");
else watch();
