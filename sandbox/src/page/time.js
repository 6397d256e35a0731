const clockFormat = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const relativeFormat = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const UNITS = [["year", 31_557_600], ["month", 2_629_800], ["day", 86_400], ["hour", 3600], ["minute", 60]];
const STYLES = {
  t: { timeStyle: "short" },
  T: { timeStyle: "medium" },
  d: { dateStyle: "short" },
  D: { dateStyle: "long" },
  f: { dateStyle: "long", timeStyle: "short" },
  F: { dateStyle: "full", timeStyle: "short" },
};

/** Hours and minutes of a date. */
export const clock = (date) => clockFormat.format(date);

/** The full date, for tooltips. */
export const fullDate = (date) => date.toLocaleString(undefined, STYLES.F);

/** The words of a day divider. */
export function dayName(date, now = new Date()) {
  const days = Math.round((startOfDay(now) - startOfDay(date)) / 86_400_000);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return date.toLocaleDateString(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
}

const startOfDay = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();

/** True when both dates fall on one calendar day. */
export const sameDay = (one, other) => startOfDay(one) === startOfDay(other);

/** "in 3 hours", "5 minutes ago". */
export function relative(unix, now = Date.now() / 1000) {
  const seconds = unix - now;
  for (const [unit, length] of UNITS) {
    if (Math.abs(seconds) >= length) return relativeFormat.format(Math.trunc(seconds / length), unit);
  }
  return relativeFormat.format(Math.trunc(seconds), "second");
}

/** The text of `<t:unix:style>`. */
export function stamp(unix, style = "f") {
  return style === "R" ? relative(unix) : new Date(unix * 1000).toLocaleString(undefined, STYLES[style]);
}

/** Keeps every `<time data-relative>` on the page true. */
export function keepRelativeTimesFresh() {
  setInterval(() => {
    for (const element of document.querySelectorAll("time[data-relative]")) {
      element.textContent = relative(Number(element.dataset.relative));
    }
  }, 15_000);
}
