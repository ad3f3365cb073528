// What two looks at the service tell of the time between them. Times are in milliseconds.
const SPAN = 300_000; // that the plots show
const LATELY = 10_000; // over which rates and latencies are told
const CLIENTS = /\/(predict|outcomes|model)$/; // routes that clients take; the page itself takes others
const PREDICT = "/v1/{project}/predict";

/** The looks of the last minutes: each is what was `told`, and the `time` at which it was. */
class Looks {
  all = [];

  /** Add what was told now, and what is told of the past; another run of the service counts from nothing. */
  add(told) {
    const isAnother = this.all.length && this.last.told.running_since !== told.running_since;
    const before = isAnother ? [] : this.all;
    const [now, ...past] = [told, ...told.past].map((each) => ({ told: each, time: Date.parse(each.told_at) }));
    this.all = [...past, ...before, now].filter((look) => look.time >= now.time - SPAN - LATELY);
  }

  get last() { return this.all[this.all.length - 1]; }

  /** The newest look that is so much older than another one, or else the oldest of all. */
  before(look, milliseconds) {
    const older = this.all.filter((each) => each.time <= look.time - milliseconds);
    return older[older.length - 1] ?? this.all[0];
  }

  /** A measure of each look and of one before it, as points [time, value]. */
  points(measure) {
    return this.all.slice(1).map((look) => [look.time, measure(look, this.before(look, LATELY))]);
  }
}

const sum = (numbers) => numbers.reduce((total, each) => total + each, 0);

/** The sum of the counts that are kept. */
const count = (list, keep = () => true) => sum(list.filter(keep).map((each) => each.count));

/** What came between two looks, of a number that each tells. */
const since = (now, before, told) => Math.max(0, told(now.told) - told(before.told));

/** So many a second between two looks. */
function rate(now, before, told) {
  const seconds = (now.time - before.time) / 1000;
  return seconds > 0 ? since(now, before, told) / seconds : 0;
}

/** The distribution of what came between two, of which the first may be missing. */
function between(now, before) {
  if (!now) return null;
  if (!before || String(before.edges) !== String(now.edges)) return now;
  return { edges: now.edges, counts: now.counts.map((each, bin) => Math.max(0, each - before.counts[bin])) };
}

/** The value that a share of a distribution lies below: null of nothing, Infinity above the last edge. */
function quantile(distribution, share) {
  const total = distribution ? sum(distribution.counts) : 0;
  if (!total) return null;
  const { edges, counts } = distribution;
  let below = 0;
  for (let bin = 0; bin < edges.length; bin += 1) {
    const low = bin ? edges[bin - 1] : Math.min(0, edges[0]);
    if (below + counts[bin] >= share * total) {
      return low + (edges[bin] - low) * ((share * total - below) / counts[bin]);
    }
    below += counts[bin];
  }
  return Infinity;
}

/** The requests of clients in a list that were told one of the statuses of a kind. */
const requests = (kind) => (told) =>
  count(told.requests, (each) => CLIENTS.test(each.route) && (!kind || kind(each.status)));

const ANSWERED = (status) => status < "400";
const REFUSED = (status) => status >= "400" && status < "500";
const FAILED = (status) => status >= "500";
