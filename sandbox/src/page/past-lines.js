const MAX_KEPT = 50;

/** What was sent before, for the up arrow: each `{ line }` or `{ entry, values }`. */
export class PastLines {
  constructor() {
    this.lines = [];
    this.depth = -1;
  }

  /** True while the composer shows a line that was recalled. */
  get isRecalled() {
    return this.depth >= 0;
  }

  /** The line before the one that was recalled last; undefined where there is none. */
  older() {
    const found = this.lines.at(-2 - this.depth);
    if (found) this.depth += 1;
    return found;
  }

  /** Begins again at the newest line. */
  leave() {
    this.depth = -1;
  }

  add(line) {
    this.lines = [...this.lines, line].slice(-MAX_KEPT);
    this.leave();
  }
}
