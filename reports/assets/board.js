// Tables of figures: sorting, searching, choosing columns and what cells show, copying. The table in the page is whole; this
// only moves its rows and hides its cells. The state of the first board of a page is kept in the address as it is
// ("#sort=psnr.descending&q=fast"), that of further ones with the board's key before it ("b1.sort").
"use strict";

(() => {
  const { address, copyButton, data } = vbench;
  const copies = data("copies") || {};

  /** A figure from its text in full; what has none is null and stays at the end whichever way one sorts. */
  const figure = (text) => {
    if (text === "") return null;
    if (text === "inf") return Infinity;
    if (text === "-inf") return -Infinity;
    return Number(text);
  };

  const byNumber = (a, b) => {
    const x = figure(a), y = figure(b);
    if (x === null || y === null) return (x === null) - (y === null);
    return x === y ? 0 : x < y ? -1 : 1;
  };

  class BoardView {
    constructor(section) {
      this.key = section.dataset.board;
      this.section = section;
      this.table = section.querySelector("table.figures");
      this.heads = [...this.table.tHead.rows[0].cells];
      this.rows = [...this.table.tBodies[0].rows];
      this.tool = (name) => section.querySelector(`[data-tool="${name}"]`);
      this.boxes = [...this.tool("columns").querySelectorAll("input")];
      this.usual = this.boxes.filter((box) => box.checked).map((box) => box.value);
      this.listen();
      this.restore();
      const holder = this.table.parentElement;
      new ResizeObserver(() => holder.classList.toggle("fits", this.table.scrollWidth <= holder.clientWidth)).observe(this.table);
    }

    // --- state ---------------------------------------------------------------------------------

    prefix(key) { return this.key === "b0" ? key : `${this.key}.${key}`; }

    restore() {
      const state = address.read();
      const read = (key) => state.get(this.prefix(key)) || "";
      const [column, order] = read("sort").split(/\.(?=(?:as|des)cending$)/);
      const known = this.heads.some((head) => head.dataset.key === column);
      this.sort = known && order ? { column, order } : { column: "rank", order: "ascending" };
      this.tool("q").value = read("q");
      if (this.tool("for")) this.tool("for").value = read("for");
      this.tool("show").value = read("show");
      // A link may come from a report with other tasks or tools.
      for (const name of ["for", "show"]) if (this.tool(name)?.selectedIndex === -1) this.tool(name).value = "";
      this.tool("helps").checked = read("helps") === "1";
      const chosen = state.has(this.prefix("columns")) ? read("columns").split("~") : this.usual;
      for (const box of this.boxes) box.checked = box.disabled || chosen.includes(box.value);
      this.show();
    }

    keep() {
      const columns = this.boxes.filter((box) => box.checked).map((box) => box.value);
      const usual = columns.join("~") === this.usual.join("~");
      const { column, order } = this.sort;
      const state = {
        sort: column === "rank" && order === "ascending" ? "" : `${column}.${order}`,
        q: this.tool("q").value,
        for: this.tool("for")?.value || "",
        show: this.tool("show").value,
        helps: this.tool("helps").checked ? "1" : "",
        columns: usual ? "" : columns.join("~"),
      };
      const prefixed = Object.entries(state).map(([key, value]) => [this.prefix(key), value]);
      address.write(Object.fromEntries(prefixed));
      this.tool("reset").hidden = Object.values(state).every((value) => value === "");
    }

    changed() { this.show(); this.keep(); }

    reset() {
      this.sort = { column: "rank", order: "ascending" };
      this.tool("q").value = "";
      if (this.tool("for")) this.tool("for").value = "";
      this.tool("show").value = "";
      this.tool("helps").checked = false;
      for (const box of this.boxes) box.checked = this.usual.includes(box.value);
      this.changed();
      this.tool("q").focus();
    }

    // --- what is shown -------------------------------------------------------------------------

    show() {
      this.order();
      this.filter();
      this.columns();
      this.table.dataset.show = this.tool("show").value;
      this.tool("reset").hidden = !this.isChanged();
    }

    isChanged() {
      const columns = this.boxes.filter((box) => box.checked).map((box) => box.value).join("~");
      return this.sort.column !== "rank" || this.sort.order !== "ascending" || this.tool("q").value !== "" ||
        Boolean(this.tool("for")?.value) || this.tool("show").value !== "" || this.tool("helps").checked ||
        columns !== this.usual.join("~");
    }

    order() {
      const { column, order } = this.sort;
      const index = this.heads.findIndex((head) => head.dataset.key === column);
      const value = (row) => row.cells[index].dataset.v;
      const compare = column === "model" ? (a, b) => a.localeCompare(b, "en") : byNumber;
      const sign = order === "ascending" ? 1 : -1;
      const missing = (row) => value(row) === "";
      const sorted = [...this.rows].sort((a, b) =>
        missing(a) || missing(b) ? missing(a) - missing(b) : sign * compare(value(a), value(b)));
      this.table.tBodies[0].append(...sorted);
      for (const head of this.heads) head.removeAttribute("aria-sort");
      this.heads[index].setAttribute("aria-sort", order);
      this.table.classList.toggle("byrank", column === "rank" && order === "ascending");
    }

    filter() {
      const words = this.tool("q").value.toLowerCase().split(/\s+/).filter(Boolean);
      const task = this.tool("for")?.value || "";
      const helps = this.tool("helps").checked;
      let shown = 0;
      for (const row of this.rows) {
        const text = `${row.dataset.name} ${row.dataset.words} ${row.dataset.for}`.toLowerCase();
        const fits = words.every((word) => text.includes(word)) && (!task || row.dataset.for === task) &&
          !(helps && row.classList.contains("harm"));
        row.hidden = !fits;
        shown += fits;
      }
      this.tool("shown").textContent = shown === this.rows.length ? "" : `${shown} of ${this.rows.length} models`;
    }

    columns() {
      const chosen = new Set(["rank", "model", ...this.boxes.filter((box) => box.checked).map((box) => box.value)]);
      const hidden = this.heads.map((head) => !chosen.has(head.dataset.key));
      for (const row of [this.table.tHead.rows[0], ...this.rows]) {
        hidden.forEach((hide, i) => { row.cells[i].hidden = hide; });
      }
      const count = this.boxes.filter((box) => box.checked).length;
      this.tool("count").textContent = `${count} of ${this.boxes.length}`;
    }

    // --- what the reader does ------------------------------------------------------------------

    listen() {
      for (const head of this.heads) {
        head.querySelector("button").addEventListener("click", () => this.click(head));
      }
      for (const name of ["q", "for", "show", "helps"]) {
        this.tool(name)?.addEventListener("input", () => this.changed());
      }
      for (const box of this.boxes) box.addEventListener("change", () => this.changed());
      for (const button of this.section.querySelectorAll("[data-columns]")) {
        button.addEventListener("click", () => {
          const all = button.dataset.columns === "all";
          for (const box of this.boxes) box.checked = all || this.usual.includes(box.value);
          this.changed();
        });
      }
      this.tool("reset").addEventListener("click", () => this.reset());
      for (const button of this.section.querySelectorAll("[data-format]")) {
        copyButton(button, () => vbench.formats[button.dataset.format](this.table, copies[this.key]));
      }
      this.menu();
    }

    /** A column begins with its best; another click turns it around. */
    click(head) {
      const column = head.dataset.key;
      const turned = { ascending: "descending", descending: "ascending" };
      const order = this.sort.column === column ? turned[this.sort.order] : head.dataset.first || "ascending";
      this.sort = { column, order };
      this.changed();
    }

    /** The menu of columns closes as menus do: by Escape, and by a click elsewhere. */
    menu() {
      const menu = this.tool("columns");
      menu.addEventListener("keydown", (event) => {
        if (event.key !== "Escape") return;
        menu.open = false;
        menu.querySelector("summary").focus();
      });
      document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
    }
  }

  const views = [...document.querySelectorAll("[data-board]")].map((section) => new BoardView(section));
  addEventListener("hashchange", () => { for (const view of views) view.restore(); });
})();
