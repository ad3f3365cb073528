// Numbers and instants in words, and elements to put them in.
const find = (id) => document.getElementById(id);
const { dataset: data } = document.querySelector("main");
const NONE = "–";
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const three = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

const number = (value) => (value >= 100 ? whole : three).format(value);
const percent = (share) => `${three.format(100 * share)}%`;
const plural = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;
const clock = (time) => new Date(time).toLocaleTimeString("en-GB");
const instant = (iso) => `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;

/** An element of HTML of a class, with texts and elements in it. */
function made(name, kind, ...children) {
  const element = document.createElement(name);
  if (kind) element.className = kind;
  element.append(...children);
  return element;
}

/** Seconds in the unit that reads best. */
function duration(seconds) {
  if (seconds === null) return NONE;
  if (seconds === Infinity) return "over 5 s";
  return seconds < 1 ? `${three.format(1000 * seconds)} ms` : `${three.format(seconds)} s`;
}

/** How long ago a time is, in milliseconds. */
function ago(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
