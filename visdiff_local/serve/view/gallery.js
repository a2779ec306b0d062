// A gallery of any number of images that holds and loads only what is looked at.
// The server orders the images; here are their places, a page of them at a time.
const PAGE = 120;
const CAPTION = 24;
const MOST_PIXELS = 15000000; // browsers stop drawing far below an element of 33 million

export default {
  template: `
    <div class="vd-gallery" ref="box" tabindex="0" role="listbox" aria-multiselectable="true"
         :aria-label="total.toLocaleString('en') + ' images'" @scroll.passive="look" @keydown="key">
      <div :style="{height: Math.max(height, 1) + 'px', position: 'relative'}">
        <figure v-for="p in shown" :key="version + ':' + p" class="vd-cell" role="option"
                :aria-selected="chosen.has(rowAt(p))" :class="classes(p)" :style="where(p)"
                @click="click(p, $event)" @dblclick="open(p)">
          <template v-if="at(p)">
            <img v-if="at(p).id" :src="base + '/thumb/' + at(p).row" :alt="at(p).name" loading="lazy"
                 decoding="async" draggable="false" @error="$event.target.classList.add('vd-lost')">
            <span class="vd-mark" :class="'vd-' + side(at(p).set)">{{ named(at(p).set) }}</span>
            <button class="vd-pick" tabindex="-1" :aria-label="'select ' + at(p).name"
                    @click.stop="toggle(p)">{{ chosen.has(at(p).row) ? '✓' : '' }}</button>
            <figcaption><b v-if="at(p).score !== null">{{ at(p).score.toFixed(2) }}</b>
              <i v-for="tag in at(p).tags" class="vd-tag">{{ tag }}</i>{{ at(p).name }}</figcaption>
          </template>
        </figure>
      </div>
      <p v-if="total === 0" class="vd-none">No image fits. Take a filter away.</p>
    </div>`,
  props: { query: String, total: Number, version: Number, base: String, groups: Array, size: Number },
  data: () => ({ width: 0, view: 0, top: 0, cursor: -1, chosen: new Set(), pages: {}, loading: {} }),
  computed: {
    columns() { return Math.max(3, Math.floor(this.width / this.size)); },
    cell() { return this.width / this.columns; },
    line() { return this.cell + CAPTION; },
    lines() { return Math.ceil(this.total / this.columns); },
    height() { return Math.min(this.lines * this.line, MOST_PIXELS); },
    first() { // the line at the upper edge; the scroll bar is squeezed where there are too many
      const rest = Math.max(1, this.height - this.view), lines = this.lines - this.view / this.line;
      return this.height < MOST_PIXELS ? this.top / this.line : (this.top / rest) * lines;
    },
    shown() {
      const from = Math.max(0, Math.floor(this.first) - 1) * this.columns;
      const count = (Math.ceil(this.view / this.line) + 3) * this.columns;
      return Array.from({ length: Math.max(0, Math.min(count, this.total - from)) }, (_, i) => from + i);
    },
  },
  watch: {
    version() {
      this.pages = {}; this.loading = {}; this.cursor = -1;
      this.$refs.box.scrollTop = 0; this.look();
      this.$nextTick(() => this.load());
    },
    shown() { this.load(); },
  },
  mounted() {
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(this.$refs.box);
    this.measure();
  },
  unmounted() { this.observer.disconnect(); },
  methods: {
    measure() {
      this.width = this.$refs.box.clientWidth;
      this.view = this.$refs.box.clientHeight;
      this.load();
    },
    look() { this.top = this.$refs.box.scrollTop; },
    where(p) {
      const line = Math.floor(p / this.columns);
      const y = this.top + (line - this.first) * this.line;
      const at = this.height < MOST_PIXELS ? line * this.line : y;
      return { width: this.cell + 'px', height: this.line + 'px', position: 'absolute',
               transform: `translate(${(p % this.columns) * this.cell}px, ${at}px)` };
    },
    at(p) { const page = this.pages[Math.floor(p / PAGE)]; return page && page[p % PAGE]; },
    rowAt(p) { const item = this.at(p); return item ? item.row : -1; },
    named(group) { return group.length === 1 ? group.toUpperCase() : group; },
    side(group) { return this.groups.indexOf(group) % 2 === 0 ? 'a' : 'b'; },
    classes(p) {
      return { 'vd-cursor': p === this.cursor, 'vd-chosen': this.chosen.has(this.rowAt(p)) };
    },
    async load() {
      if (!this.width || !this.shown.length) return;
      const version = this.version;
      const from = Math.floor(this.shown[0] / PAGE);
      const to = Math.floor(this.shown[this.shown.length - 1] / PAGE);
      for (let page = from; page <= to; page++) {
        if (this.pages[page] || this.loading[page]) continue;
        this.loading[page] = true;
        const url = `${this.base}/rows?query=${this.query}&start=${page * PAGE}&count=${PAGE}`;
        const response = await fetch(url);
        if (version !== this.version) return;
        delete this.loading[page];
        if (response.ok) this.pages = { ...this.pages, [page]: await response.json() };
      }
    },
    refresh() { this.pages = {}; this.loading = {}; this.load(); },
    clear() { this.chosen = new Set(); this.tell(); },
    tell() { this.$emit('chosen', [...this.chosen].filter((row) => row >= 0)); },
    toggle(p) {
      const row = this.rowAt(p), chosen = new Set(this.chosen);
      if (row < 0) return;
      if (!chosen.delete(row)) chosen.add(row);
      this.chosen = chosen;
      this.cursor = p;
      this.tell();
    },
    range(p) {
      const chosen = new Set(this.chosen);
      const [from, to] = [Math.min(this.cursor, p), Math.max(this.cursor, p)];
      for (let i = Math.max(0, from); i <= to; i++) if (this.rowAt(i) >= 0) chosen.add(this.rowAt(i));
      this.chosen = chosen;
      this.tell();
    },
    click(p, event) {
      if (event.shiftKey) { this.range(p); return; }
      if (event.ctrlKey || event.metaKey) { this.toggle(p); return; }
      this.cursor = p;
      this.open(p);
    },
    open(p) {
      if (this.rowAt(p) < 0) return;
      this.cursor = p;
      this.$emit('open', { place: p, row: this.rowAt(p) });
    },
    reveal(p) {
      this.cursor = p;
      const line = Math.floor(p / this.columns), box = this.$refs.box;
      if (this.height >= MOST_PIXELS) return;
      if (line * this.line < box.scrollTop) box.scrollTop = line * this.line;
      const below = (line + 1) * this.line - this.view;
      if (below > box.scrollTop) box.scrollTop = below;
    },
    key(event) {
      const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns,
                   PageDown: this.columns * Math.max(1, Math.floor(this.view / this.line)),
                   PageUp: -this.columns * Math.max(1, Math.floor(this.view / this.line)) }[event.key];
      if (by !== undefined) this.reveal(Math.min(this.total - 1, Math.max(0, this.cursor + by)));
      else if (event.key === 'Home') this.reveal(0);
      else if (event.key === 'End') this.reveal(this.total - 1);
      else if (event.key === 'Enter') this.open(Math.max(0, this.cursor));
      else if (event.key === ' ' || event.key === 'x') this.toggle(Math.max(0, this.cursor));
      else if (event.key === 'Escape') this.clear();
      else return;
      event.preventDefault();
    },
  },
};
