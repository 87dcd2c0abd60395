// Slices through time: one line of every frame, of all sources below each other on the same axis of time.
"use strict";

viewer.slices = (() => {
  const { clip, sources, state, set, follow } = viewer;
  const { byId, make } = vbench;
  const holder = byId("v-slices");
  if (!holder) return { next: () => {} };
  const place = byId("v-place"), ruled = byId("v-line"), directions = [...byId("v-lines").querySelectorAll("button")];
  let seen = false;

  const options = () => {
    const lines = viewer.lines(), what = state.line === "r" ? "y" : "x";
    place.replaceChildren(...lines.map((at, i) => new Option(`${what} = ${at}`, String(i))));
    place.value = String(state.place);
  };

  const draw = () => {
    const upright = state.line === "c", count = viewer.lines().length, length = clip.length;
    const wide = holder.clientWidth;
    // Each frame takes at least a pixel of the page; a slice is about so high.
    const high = upright ? Math.round(viewer.clamp(clip.height * 0.6, 70, 150)) : Math.round(length * viewer.clamp(96 / length, 1, 14));
    holder.dataset.line = state.line;
    holder.closest(".slices").classList.add("drawn");
    holder.classList.toggle("short", upright && length * 24 < wide / 2);
    holder.replaceChildren(...sources.map((source) => {
      const file = upright ? source.columns : source.rows;
      const figure = make("figure", { "data-key": source.key });
      const letter = source.key === state.a ? "A" : source.key === state.b ? "B" : "";
      figure.append(make("figcaption", {}, ...(letter ? [make("b", {}, letter), " "] : []), make("bdi", {}, source.label)));
      const box = make("div", { class: "slice" });
      box.style.height = `${high}px`;
      if (file) {
        const image = make("img", { src: file, loading: "lazy", decoding: "async", draggable: "false", alt: `${upright ? "y–t" : "x–t"} slice of ${source.label} at ${upright ? "x" : "y"} = ${viewer.lines()[state.place]}` });
        // The file holds the slices of all lines; the box shows one of them.
        if (upright) Object.assign(image.style, { width: `${100 * count}%`, height: "100%", left: `${-100 * state.place}%`, top: "0" });
        else Object.assign(image.style, { width: "100%", height: `${100 * count}%`, top: `${-100 * state.place}%`, left: "0" });
        box.append(image, make("div", { class: "cursor" }));
      } else box.append(make("p", { class: "gap" }, "no slice"));
      figure.append(box);
      return figure;
    }));
    holder.classList.toggle("pixels", wide > clip.width || high > length);
    cursor();
  };

  const cursor = () => {
    const out = state.f >= clip.length;
    for (const mark of holder.querySelectorAll(".cursor")) {
      mark.hidden = out;
      const share = `${(100 * (state.f + 0.5)) / clip.length}%`;
      Object.assign(mark.style, state.line === "c" ? { left: share, top: "0" } : { top: share, left: "0" });
    }
    holder.dataset.frame = out ? "" : String(state.f);
  };

  holder.addEventListener("click", (event) => {
    const box = event.target.closest(".slice");
    if (!box) return;
    const r = box.getBoundingClientRect();
    const share = state.line === "c" ? (event.clientX - r.left) / r.width : (event.clientY - r.top) / r.height;
    if (viewer.time) viewer.time.stop();
    viewer.goTo(viewer.clamp(Math.floor(share * clip.length), 0, clip.length - 1));
  });
  for (const button of directions) button.addEventListener("click", () => set({ line: button.dataset.line, place: Math.min(state.place, (button.dataset.line === "r" ? clip.rows : clip.columns).length - 1) }));
  place.addEventListener("change", () => set({ place: Number(place.value) }));
  ruled.addEventListener("change", () => set({ ruled: ruled.checked }));

  follow((changed) => {
    const any = (...keys) => keys.some((key) => changed.has(key));
    if (any("line")) { options(); viewer.roving(directions, (b) => b.dataset.line === state.line); }
    if (any("place")) place.value = String(state.place);
    if (any("ruled")) ruled.checked = state.ruled;
    if (!seen) return;
    if (any("line", "place", "a", "b")) draw();
    else if (any("f")) cursor();
  });
  // Slices are many pictures: they are put when the reader comes near.
  new IntersectionObserver((entries, observer) => {
    if (entries.some((entry) => entry.isIntersecting)) { seen = true; observer.disconnect(); draw(); }
  }, { rootMargin: "400px" }).observe(holder);
  let wide = 0;
  new ResizeObserver(() => { if (seen && holder.clientWidth !== wide) { wide = holder.clientWidth; draw(); } }).observe(holder);

  return { next: () => set({ place: (state.place + 1) % viewer.lines().length, ruled: true }) };
})();
