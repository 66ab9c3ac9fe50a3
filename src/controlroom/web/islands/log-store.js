// An attempt's log as the viewer sees it: lines by their number, fetched in blocks and forgotten again, so that a log of
// millions of lines costs no more than a screen; or, where it is filtered, the lines found so far.

const BLOCK = 500;
const MOST_BLOCKS = 60;
const MOST_FOUND = 200000;
const LEVELS = ["debug", "info", "warning", "error"];

export class LogStore {
  constructor(attemptId, total, changed, late = false) {
    this.attemptId = attemptId;
    this.late = late;
    this.total = total;
    this.complete = false;
    this.problem = "";
    this.changed = changed;
    this.blocks = new Map();
    this.asked = new Set();
    this.clearFilter();
  }

  clearFilter() {
    this.level = "debug";
    this.search = "";
    this.found = [];
    this.next = 0;
    this.isSearching = false;
    this.ticket = {};
  }

  get isFiltered() {
    return this.level !== "debug" || this.search !== "";
  }

  get length() {
    return this.isFiltered ? this.found.length : this.total;
  }

  // The line at a place of the view, or undefined while it is on its way.
  at(index) {
    if (this.isFiltered) return this.found[index];
    const block = this.blocks.get(Math.floor(index / BLOCK));
    return block?.[index % BLOCK];
  }

  indexOfLine(line) {
    if (!this.isFiltered) return Math.min(line, this.total - 1);
    const index = this.found.findIndex((each) => each.line >= line);
    return index < 0 ? this.found.length - 1 : index;
  }

  // Makes sure that a stretch of the view is there or on its way.
  want(first, last) {
    if (this.isFiltered) {
      if (last >= this.found.length - 50) this.searchOn();
      return;
    }
    const end = Math.floor(Math.min(last, this.total - 1) / BLOCK);
    for (let number = Math.floor(Math.max(0, first) / BLOCK); number <= end; number += 1) {
      const block = this.blocks.get(number);
      const wanted = Math.min(BLOCK, this.total - number * BLOCK);
      if (block && count(block) >= wanted) touch(this.blocks, number, block);
      else if (!this.asked.has(number)) this.fetchBlock(number);
    }
  }

  async fetchBlock(number) {
    this.asked.add(number);
    try {
      const part = await this.read({ first: number * BLOCK, limit: BLOCK });
      this.take(part.lines);
      this.grow(part.total_lines);
      this.problem = "";
    } catch (error) {
      this.problem = `These lines could not be read (${error.message}). Scroll or wait to try again.`;
    }
    setTimeout(() => this.asked.delete(number), this.problem ? 3000 : 0);
    this.changed();
  }

  setFilter(level, search) {
    this.clearFilter();
    this.level = level;
    this.search = search;
    if (this.isFiltered) this.searchOn();
    this.changed();
  }

  async searchOn() {
    if (this.isSearching || this.next === null || this.found.length >= MOST_FOUND) return;
    this.isSearching = true;
    const { ticket } = this;
    try {
      const part = await this.read({ first: this.next, limit: BLOCK, level: this.level, search: this.search });
      if (ticket !== this.ticket) return;
      this.found.push(...part.lines);
      this.grow(part.total_lines);
      this.next = part.next_line;
      if (this.next === null) this.searchedTo = part.total_lines;
      this.problem = "";
    } catch (error) {
      if (ticket === this.ticket) this.problem = `The search stopped (${error.message}).`;
    }
    this.isSearching = false;
    this.changed();
    const hasRoom = this.found.length < BLOCK;
    if (!this.problem && this.next !== null && hasRoom) this.searchOn();
  }

  // Lines that came by the stream.
  append(lines, total) {
    this.take(lines);
    if (this.isFiltered && this.next === null) {
      const words = this.search.toLowerCase();
      const least = LEVELS.indexOf(this.level);
      const last = this.found.length ? this.found[this.found.length - 1].line : -1;
      for (const line of lines) {
        const fits = LEVELS.indexOf(line.level) >= least && line.text.toLowerCase().includes(words);
        if (fits && line.line > last && line.line >= (this.searchedTo ?? 0) && this.found.length < MOST_FOUND) this.found.push(line);
      }
    }
    this.grow(total);
    this.changed();
  }

  grow(total) {
    this.total = Math.max(this.total, total);
  }

  take(lines) {
    for (const line of lines) {
      const number = Math.floor(line.line / BLOCK);
      let block = this.blocks.get(number);
      if (!block) {
        block = new Array(BLOCK);
        this.blocks.set(number, block);
      }
      block[line.line % BLOCK] = line;
    }
    while (this.blocks.size > MOST_BLOCKS) this.blocks.delete(this.blocks.keys().next().value);
  }

  async read(query) {
    const parts = this.late ? { ...query, late: "true" } : query;
    const address = `/api/v1/attempts/${this.attemptId}/log?${new URLSearchParams(parts)}`;
    const response = await fetch(address, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    return response.json();
  }
}

const count = (block) => block.reduce((sum) => sum + 1, 0);

function touch(blocks, number, block) {
  blocks.delete(number);
  blocks.set(number, block);
}
