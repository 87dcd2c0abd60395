// The stage: panes laid out by the view, one size and place for all, the wipe between two, and the gestures.
"use strict";

viewer.stage = (() => {
  const { clip, sources, state, set, follow, clamp, Pane } = viewer;
  const { byId, make, say } = vbench;
  const stage = byId("v-stage");
  if (!stage) return null;

  const LEAST = 0.05, MOST = 40;
  let panes = [], cell = { width: 1, height: 1 }, active = false, playing = false;
  const divider = make("div", { id: "v-wipe", role: "slider", tabindex: "0", "aria-label": "Divider between A and B", "aria-valuemin": "0", "aria-valuemax": "100" }, make("span"));
  const shade = make("div", { id: "v-bar" });
  const frame = make("div", { id: "v-cells" });
  stage.append(frame, divider, shade);
  const hold = stage.querySelector(".hold");

  // --- colour bar --------------------------------------------------------------------------------
  const scale = make("select", { id: "v-scale", "aria-label": "Largest difference of the colour scale, in levels of 255" });
  for (const level of viewer.SCALES) scale.append(new Option(String(level), String(level)));
  const half = make("span");
  shade.append(make("span", {}, "0"), viewer.pictures.bar(), half, scale, make("span", {}, "levels of 255"));
  scale.addEventListener("change", () => set({ scale: Number(scale.value) }));

  // --- layout ------------------------------------------------------------------------------------
  const shown = () => {
    if (state.show === "difference" && state.view !== "grid") return [["", state.a]];
    if (state.view === "grid") return sources.map((s) => [s.key === state.a ? "A" : s.key === state.b ? "B" : "", s.key]);
    if (state.view === "single") return state.flip ? [["B", state.b]] : [["A", state.a]];
    return [["A", state.a], ["B", state.b]];
  };

  /** Columns of so many panes in a width; on the full screen those that make pictures largest, else wide enough to be seen. */
  const columnsOf = (count, width, full) => {
    if (full && state.view !== "single") {
      const scale = (columns) => Math.min(width / columns / clip.width, innerHeight / Math.ceil(count / columns) / clip.height);
      return Array.from({ length: count }, (_, i) => i + 1).reduce((x, y) => (scale(y) > scale(x) ? y : x));
    }
    // Upright pictures are narrower, so that two of them are in sight at a time.
    if (state.view === "grid") return clamp(Math.floor(width / clamp((0.7 * innerHeight * clip.width) / clip.height, 110, 230)), 1, count);
    if (state.view === "side" && count === 2) return width >= 560 && clip.height < 2.2 * clip.width ? 2 : 1;
    return 1;
  };

  const layout = () => {
    const wanted = shown(), overlaid = state.view === "wipe" && wanted.length === 2;
    while (panes.length > wanted.length) panes.pop().element.remove();
    while (panes.length < wanted.length) { const pane = new Pane(""); panes.push(pane); frame.append(pane.element); }
    wanted.forEach(([letter], i) => { panes[i].letter = letter; });
    const full = document.fullscreenElement !== null, width = stage.clientWidth;
    const columns = overlaid ? 1 : columnsOf(wanted.length, width, full), rows = overlaid ? 1 : Math.ceil(wanted.length / columns);
    const gap = 2, each = (width - gap * (columns - 1)) / columns, ratio = clip.height / clip.width;
    const most = full ? innerHeight - 8 : state.view === "grid" ? Infinity : Math.max(240, innerHeight * 0.74);
    // A small clip is enlarged to four times at most, so that its page begins with a picture and not with squares.
    let high = Math.min(each * ratio, most / rows);
    if (!full && state.view !== "grid") high = Math.max(Math.min(high, clip.height * 6), Math.min(200, each * ratio));
    if (full) high = (innerHeight - gap * (rows - 1)) / rows;
    cell = { width: each, height: Math.round(high) };
    frame.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    frame.style.gridAutoRows = `${cell.height}px`;
    hold.hidden = true;
    stage.style.height = `${cell.height * rows + gap * (rows - 1)}px`;
    stage.dataset.view = overlaid ? "wipe" : state.view === "wipe" ? "single" : state.view;
    stage.dataset.show = state.show;
    divider.hidden = !overlaid;
    shade.hidden = state.show === "picture";
  };

  let ahead = 0;
  const show = () => {
    shown().forEach(([, key], i) => panes[i].show(key, playing));
    clearTimeout(ahead);
    if (!playing) ahead = setTimeout(prepare, 250);
  };

  /** What is likely to be looked at next: A and B of this still and of those beside it. */
  const prepare = () => {
    const index = viewer.stills.get(state.f);
    if (index === undefined) return;
    for (const key of [state.a, state.b]) {
      for (const at of [index, index + 1, index - 1]) { const url = viewer.byKey.get(key).stills[at]; if (url) viewer.pictures.load(url); }
    }
  };

  // --- size and place ------------------------------------------------------------------------------
  const dpr = () => devicePixelRatio || 1;
  const fit = () => Math.min(cell.width / clip.width, cell.height / clip.height);
  /** CSS pixels for a pixel of the picture. The state holds screen pixels for one, so that 1 is one to one on any screen. */
  const size = () => (state.zoom === null ? fit() : state.zoom / dpr());

  const place = () => {
    const now = size(), x = state.zoom === null ? clip.width / 2 : state.x, y = state.zoom === null ? clip.height / 2 : state.y;
    for (const pane of panes) pane.place(now, x, y);
    const percent = 100 * now * dpr();
    byId("v-zoom").textContent = `${percent >= 10 ? percent.toFixed(0) : percent.toFixed(1)} %`;
    stage.classList.toggle("large", state.zoom !== null && now > fit() * 1.001);
    viewer.pictures.setScale(state.scale);
    scale.value = String(state.scale);
    half.textContent = String(state.scale / 2);
    wipe();
  };

  /** Keep the picture in sight: its edge never leaves the middle of the pane, and what is smaller than the pane stays in its middle. */
  const kept = (x, y, scale = size()) => ({
    x: clip.width * scale <= cell.width ? clip.width / 2 : clamp(x, 0, clip.width),
    y: clip.height * scale <= cell.height ? clip.height / 2 : clamp(y, 0, clip.height),
  });

  /** Enlarge by a factor about a point of the page (the middle of the stage by default). */
  const zoomBy = (factor, at = null) => {
    const next = size() * dpr() * factor;
    if (factor < 1 && next / dpr() <= fit() * 1.0005) set({ zoom: null });
    else zoomTo(next, at);
  };
  const zoomTo = (zoom, at = null) => {
    const before = size(), next = clamp(zoom, LEAST, MOST), after = next / dpr();
    const from = state.zoom === null ? { x: clip.width / 2, y: clip.height / 2 } : state;
    const off = at ? offset(at) : { x: 0, y: 0 };
    // What is under the pointer stays under it.
    set({ zoom: next, ...kept(from.x + off.x / before - off.x / after, from.y + off.y / before - off.y / after, after) });
  };
  const pan = (dx, dy) => {
    if (state.zoom === null) return;
    set(kept(state.x - dx / size(), state.y - dy / size()));
  };
  /** A point of the page from the centre of the pane that holds it. */
  const offset = (at) => {
    const pane = panes.find((p) => { const r = p.element.getBoundingClientRect(); return at.x >= r.left && at.x <= r.right && at.y >= r.top && at.y <= r.bottom; }) || panes[0];
    const r = pane.element.getBoundingClientRect();
    return { x: at.x - r.left - r.width / 2, y: at.y - r.top - r.height / 2 };
  };
  const oneToOne = (at = null) => { if (state.zoom === 1) set({ zoom: null }); else zoomTo(1, at); };

  // --- the wipe ------------------------------------------------------------------------------------
  const wipe = () => {
    const overlaid = stage.dataset.view === "wipe", percent = 100 * state.wipe;
    panes.forEach((pane, i) => {
      pane.element.style.clipPath = !overlaid || i ? "" : state.turn ? `inset(0 0 ${100 - percent}% 0)` : `inset(0 ${100 - percent}% 0 0)`;
      pane.element.classList.toggle("above", overlaid && i === 0);
    });
    divider.classList.toggle("lying", state.turn);
    divider.style.left = state.turn ? "" : `${percent}%`;
    divider.style.top = state.turn ? `${percent}%` : "";
    divider.setAttribute("aria-orientation", state.turn ? "vertical" : "horizontal");
    divider.setAttribute("aria-valuenow", percent.toFixed(0));
    const sides = state.turn ? ["above", "below"] : ["left", "right"];
    divider.setAttribute("aria-valuetext", `${viewer.label(state.a)} ${sides[0]} ${percent.toFixed(0)} %, ${viewer.label(state.b)} ${sides[1]} ${(100 - percent).toFixed(0)} %`);
  };
  divider.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const step = event.shiftKey ? 0.1 : 0.01;
    const moves = { ArrowLeft: -step, ArrowUp: state.turn ? -step : step, ArrowRight: step, ArrowDown: state.turn ? step : -step, PageUp: 0.1, PageDown: -0.1, Home: -1, End: 1 };
    if (!(event.key in moves)) return;
    set({ wipe: clamp(state.wipe + moves[event.key], 0, 1) });
    event.preventDefault();
    event.stopPropagation();
  });

  // --- pointers: a drag moves the divider or the picture, two fingers enlarge --------------------------
  const down = new Map();
  let drag = null;
  const at = (event) => ({ x: event.clientX, y: event.clientY });
  const wipeTo = (point) => {
    const r = frame.getBoundingClientRect();
    set({ wipe: clamp(state.turn ? (point.y - r.top) / r.height : (point.x - r.left) / r.width, 0, 1) });
  };
  const near = (point) => {
    if (divider.hidden) return false;
    const r = frame.getBoundingClientRect();
    const gap = state.turn ? point.y - r.top - state.wipe * r.height : point.x - r.left - state.wipe * r.width;
    return Math.abs(gap) < 22;
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.target.closest("#v-bar") || (event.pointerType === "mouse" && event.button !== 0)) return;
    down.set(event.pointerId, at(event));
    active = true;
    if (down.size === 2) { drag = null; return; }
    const overlaid = !divider.hidden, wiping = overlaid && (near(at(event)) || !stage.classList.contains("large"));
    drag = { what: wiping ? "wipe" : "pan", from: at(event), last: at(event), moved: false };
    if (wiping && near(at(event))) divider.focus({ preventScroll: true });
    else stage.focus({ preventScroll: true });
    stage.setPointerCapture(event.pointerId);
    if (event.pointerType === "mouse") event.preventDefault();
  });
  stage.addEventListener("pointermove", (event) => {
    if (!down.has(event.pointerId)) { stage.classList.toggle("near", near(at(event))); return; }
    const before = [...down.values()];
    down.set(event.pointerId, at(event));
    if (down.size === 2) {
      const now = [...down.values()], far = (p) => Math.hypot(p[0].x - p[1].x, p[0].y - p[1].y);
      const mid = (p) => ({ x: (p[0].x + p[1].x) / 2, y: (p[0].y + p[1].y) / 2 });
      zoomBy(far(now) / Math.max(1, far(before)), mid(now));
      pan(mid(now).x - mid(before).x, mid(now).y - mid(before).y);
      return;
    }
    if (!drag) return;
    const point = at(event);
    if (!drag.moved && Math.hypot(point.x - drag.from.x, point.y - drag.from.y) < 3) return;
    drag.moved = true;
    if (drag.what === "wipe") wipeTo(point);
    else pan(point.x - drag.last.x, point.y - drag.last.y);
    drag.last = point;
  });
  const up = (event) => {
    if (!down.delete(event.pointerId) || event.type === "pointercancel") { drag = null; return; }
    if (drag && !drag.moved && event.type === "pointerup") {
      if (state.view === "grid") {
        const pane = panes.find((p) => p.element.contains(document.elementFromPoint(event.clientX, event.clientY)));
        if (pane) set(event.shiftKey ? { a: pane.key } : { b: pane.key });
      }
    }
    drag = null;
  };
  for (const kind of ["pointerup", "pointercancel"]) stage.addEventListener(kind, up);
  stage.addEventListener("dblclick", (event) => { if (!event.target.closest("#v-bar")) oneToOne(at(event)); });
  stage.addEventListener("focusout", (event) => { if (!stage.contains(event.relatedTarget)) active = false; });
  let hinted = false;
  stage.addEventListener("wheel", (event) => {
    // The page keeps its wheel until the reader has turned to the picture.
    if (!event.ctrlKey && !event.metaKey && !active) {
      if (!hinted) { hinted = true; stage.classList.add("hint"); setTimeout(() => stage.classList.remove("hint"), 1800); }
      return;
    }
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 24 : 1;
    zoomBy(Math.exp(clamp(-event.deltaY * lines * (event.ctrlKey && Math.abs(event.deltaY) < 50 ? 0.01 : 0.0022), -0.6, 0.6)), at(event));
  }, { passive: false });

  // --- together -----------------------------------------------------------------------------------
  const announce = () => {
    const words = shown().slice(0, 2).map(([letter, key]) => {
      const value = viewer.figureAt(state.metric, viewer.byKey.get(key).model, state.f), m = viewer.metric(state.metric);
      return `${letter} ${viewer.label(key)}${value === null ? "" : `, ${state.metric} ${viewer.figure(value, state.metric)} ${m.unit}`}`.trim();
    });
    const what = { picture: "", error: "Error maps of ", difference: "Difference: " }[state.show];
    byId("v-status").textContent = `${clip.frames > 1 ? `Frame ${state.f + 1} of ${clip.frames}. ` : ""}${what}${state.show === "difference" ? `${viewer.label(state.a)} and ${viewer.label(state.b)}` : state.view === "grid" ? `all ${sources.length} pictures` : words.join("; ")}.`;
  };
  let speaking = 0;
  const update = (changed) => {
    const any = (...keys) => keys.some((key) => changed.has(key));
    if (any("view", "show", "a", "b", "flip")) layout();
    if (any("view", "show", "a", "b", "flip", "f", "masks", "metric")) show();
    if (any("view", "show", "a", "b", "flip", "zoom", "x", "y", "wipe", "turn", "scale", "ruled", "line", "place")) place();
    if (!playing && any("view", "show", "a", "b", "flip", "f")) { clearTimeout(speaking); speaking = setTimeout(announce, 400); }
  };
  const redraw = () => { layout(); show(); place(); };
  follow(update);
  new ResizeObserver(() => { layout(); place(); }).observe(stage.parentElement);
  addEventListener("resize", () => { layout(); place(); });
  document.addEventListener("fullscreenchange", redraw);
  // Paper has another width, of which the page is not told: the stage takes that of an A4 or Letter sheet meanwhile.
  const PAPER = 690;
  const onPaper = (on) => { stage.style.width = on ? `${PAPER}px` : ""; layout(); place(); };
  addEventListener("beforeprint", () => onPaper(true));
  addEventListener("afterprint", () => onPaper(false));

  return {
    element: stage, redraw, zoomBy, zoomTo, oneToOne, pan, size, say,
    panes: () => panes,
    /** Let videos lead (true), or stills (false). */
    play(on) { playing = on; show(); },
  };
})();
