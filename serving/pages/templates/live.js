// Asks the service again and again what happens, and shows it.
const EVERY = 2_000, PATIENCE = 5_000; // milliseconds
const KEPT = `perennial-key:${data.project}`;
const looks = new Looks();
let heard = Date.now(); // when the service has answered last, or the page was opened

const wait = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });

function say(state, words) {
  find("state").replaceChildren(badge(state, { good: "answers", watch: "busy", act: "silent" }[state]), ` ${words}`);
  document.querySelector("main").classList.toggle("stale", state === "act");
}

/** What the service tells; throws what is wrong, with its status where it answered at all. */
async function ask() {
  const key = sessionStorage.getItem(KEPT);
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const path = `/v1/${data.project}/traffic?past=${!looks.all.length}`; // the page itself keeps what it has seen
  const response = await fetch(path, { headers, signal: AbortSignal.timeout(PATIENCE) });
  const told = await response.json();
  if (!response.ok) throw Object.assign(new Error(told.error), { status: response.status });
  return told;
}

function show(told) {
  looks.add(told);
  const now = looks.last, before = looks.before(now, LATELY);
  find("figures").hidden = false;
  showFacts(looks, now, before);
  showHealth(looks, now);
  showRelease(now, before);
  showJudgement(told.judgement);
  drawRequests(looks);
  drawLatency(looks);
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

/** Say why nothing was told; whether to go on looking. */
function excuse({ status, message }) {
  if (status === 401 || status === 403) {
    wantKey(sessionStorage.getItem(KEPT) ? `The service refused this key: ${message}.` : "");
    return false;
  }
  const long = `since ${clock(heard)}, for ${ago(Date.now() - heard)}`;
  const last = looks.last ? ` What is below is from ${clock(looks.last.time)}.` : "";
  if (status) say("watch", `${message}, ${long}.${last}`);
  else say("act", `The service has not answered ${long}.${last}`);
  return true;
}

/** Look once; whether to go on looking. */
async function look() {
  let told;
  try {
    told = await ask();
  } catch (error) {
    return excuse(error);
  }
  heard = Date.now();
  show(told);
  const running = ago(looks.last.time - Date.parse(told.running_since));
  say("good", `as of ${clock(looks.last.time)}; running for ${running}`);
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
