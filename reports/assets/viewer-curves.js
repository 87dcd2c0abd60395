// Figures of every frame: one metric at a time, all models; the frame that is shown stands on the curve, and a click on the
// curve shows the frame. Beside it the worst frames.
"use strict";

viewer.curves = (() => {
  const { clip, state, set, follow, figures } = viewer;
  const { byId, make, makeSvg } = vbench;
  const holder = byId("v-curve");
  if (!holder) return { worst: () => {} };
  const choose = byId("v-metric"), legend = byId("v-legend"), about = byId("v-about");
  choose.addEventListener("change", () => set({ metric: choose.value }));

  const models = Object.keys(clip.looks).sort((x, y) => clip.looks[x].number - clip.looks[y].number);
  const modelOf = (key) => (viewer.byKey.get(key) || {}).model;
  const keyOf = (model) => (model === clip.baseline ? "input" : `model:${model}`);
  /* On a clip without pictures nothing is chosen as A and B: then doing nothing is A, and B the best model until a curve is clicked. */
  const bare = !clip.sources.length;
  let lead = null;
  const leading = () => {
    const first = clip.metrics[0], sign = first.direction === "higher" ? 1 : -1;
    const rated = models.filter((model) => model !== clip.baseline && viewer.whole(first.name, model) !== null);
    const value = (model) => viewer.whole(first.name, model);
    return rated.sort((x, y) => (value(x) === value(y) ? 0 : sign * (value(y) - value(x))))[0] ?? null;
  };
  const modelA = () => (bare ? clip.baseline : modelOf(state.a));
  const modelB = () => (bare ? (lead ??= leading()) : modelOf(state.b));
  const named = (model) => (model === clip.baseline ? `${model} (input)` : clip.looks[model].label);
  let pointed = null, geometry = null;

  // --- chart -------------------------------------------------------------------------------------
  const ticks = (low, high) => {
    const rough = (high - low) / 4, power = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 5, 10].find((s) => s * power >= rough) * power;
    const out = [];
    for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-9; v += step) out.push(v);
    return out;
  };
  const tick = (v) => (Math.abs(v) < 1e-12 ? "0" : Math.abs(v) < 0.001 ? v.toExponential(0) : String(Number(v.toPrecision(4))));

  const draw = () => {
    const name = state.metric, m = viewer.metric(name);
    const shown = models.filter((model) => figures(name, model));
    const width = Math.max(280, holder.clientWidth), height = Math.round(viewer.clamp(width * 0.42, 200, 360));
    const em = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16; // text grows with wide windows
    const left = 50 * em, right = 10, top = 10, bottom = 34 * em;
    const all = shown.flatMap((model) => figures(name, model)).filter(Number.isFinite);
    let low = Math.min(...all), high = Math.max(...all);
    if (!all.length) { low = 0; high = 1; }
    if (low === high) { low -= Math.abs(low) * 0.05 + 1e-6; high += Math.abs(high) * 0.05 + 1e-6; }
    const room = (high - low) * 0.04;
    low -= room; high += room;
    const px = (frame) => left + (width - left - right) * (clip.frames === 1 ? 0.5 : frame / (clip.frames - 1));
    const py = (v) => top + (height - top - bottom) * (1 - (v - low) / (high - low));
    geometry = { px, left, right, width, top, bottom, height };
    const svg = makeSvg("svg", { class: "curve", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", tabindex: "-1" });
    svg.setAttribute("aria-label", `${name} of every frame, ${m.direction} is better. Of the clip: ${shown.map((model) => `${named(model)}: ${viewer.figure(viewer.whole(name, model), name)}`).join("; ")}.`);
    for (const v of ticks(low, high)) {
      svg.append(makeSvg("path", { class: "line0", d: `M${left} ${py(v)}H${width - right}` }), makeSvg("text", { x: left - 6, y: py(v) + 4 * em, "text-anchor": "end", class: "soft" }, tick(v)));
    }
    const steps = Math.max(1, Math.ceil(clip.frames / Math.max(2, Math.floor(width / 70))));
    for (let f = 0; f < clip.frames; f += steps) svg.append(makeSvg("text", { x: px(f), y: height - 18 * em, "text-anchor": "middle", class: "soft" }, String(f + 1)));
    svg.append(makeSvg("text", { x: width - right, y: height - 3, "text-anchor": "end", class: "soft" }, "frame"));
    svg.append(makeSvg("text", { x: left, y: height - 3, class: "soft" }, `${name}${m.unit ? ` in ${m.unit}` : ""}, ${m.direction} is better`));
    for (const model of shown) {
      const series = figures(name, model), shift = (clip.frames - series.length) / 2;
      let pen = "M", d = "";
      series.forEach((v, i) => { if (!Number.isFinite(v)) { pen = "M"; return; } d += `${pen}${px(i + shift).toFixed(1)} ${py(v).toFixed(1)}`; pen = "L"; });
      if (!d) continue;
      const look = clip.looks[model];
      const path = makeSvg("path", { class: `graph s${look.colour}`, d, "data-model": model });
      if (look.dashes) path.setAttribute("stroke-dasharray", look.dashes);
      if (!d.includes("L")) path.setAttribute("d", `${d}h0.01`);
      svg.append(path);
    }
    svg.append(makeSvg("path", { class: "now" }), makeSvg("path", { class: "over" }));
    svg.addEventListener("pointermove", hover);
    svg.addEventListener("pointerleave", () => { tip.hidden = true; svg.querySelector(".over").removeAttribute("d"); });
    svg.addEventListener("click", (event) => { if (viewer.time) viewer.time.stop(); viewer.goTo(frameAt(event)); });
    holder.replaceChildren(svg);
    mark();
    emphasise();
  };

  const frameAt = (event) => {
    const r = holder.firstChild.getBoundingClientRect(), x = ((event.clientX - r.left) / r.width) * geometry.width;
    const share = (x - geometry.left) / (geometry.width - geometry.left - geometry.right);
    return viewer.clamp(Math.round(share * (clip.frames - 1)), 0, clip.frames - 1);
  };
  const upright = (frame) => `M${geometry.px(frame).toFixed(1)} ${geometry.top}V${geometry.height - geometry.bottom}`;
  const mark = () => {
    const now = holder.querySelector(".now");
    if (now) { now.setAttribute("d", upright(state.f)); now.dataset.frame = String(state.f); }
  };

  // --- figures under the pointer --------------------------------------------------------------------
  const tip = make("div", { class: "readout", role: "presentation" });
  tip.hidden = true;
  document.body.append(tip);
  const hover = (event) => {
    const frame = frameAt(event), m = viewer.metric(state.metric), sign = m.direction === "higher" ? -1 : 1;
    const rows = models.map((model) => [model, viewer.figureAt(state.metric, model, frame)]).filter(([, v]) => v !== null).sort((x, y) => (x[1] === y[1] ? 0 : sign * (x[1] - y[1])));
    holder.querySelector(".over").setAttribute("d", upright(frame));
    const mine = new Set([modelA(), modelB()]);
    tip.replaceChildren(make("b", {}, `frame ${frame + 1}, ${viewer.timecode(frame)}`), ...rows.slice(0, 14).map(([model, v]) =>
      make("span", { class: mine.has(model) ? "mine" : "" }, swatch(model), make("bdi", {}, named(model)), make("i", {}, viewer.figure(v, state.metric)))));
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = `${event.clientX + 16 + width > innerWidth ? Math.max(4, event.clientX - width - 16) : event.clientX + 16}px`;
    tip.style.top = `${viewer.clamp(event.clientY - height / 2, 4, Math.max(4, innerHeight - height - 4))}px`;
  };
  const swatch = (model) => {
    const look = clip.looks[model], line = makeSvg("path", { d: "M0 4H22", class: `graph s${look.colour}` });
    if (look.dashes) line.setAttribute("stroke-dasharray", look.dashes);
    return makeSvg("svg", { class: "swatch", viewBox: "0 0 22 8", "aria-hidden": "true" }, line);
  };

  // --- legend ------------------------------------------------------------------------------------
  const list = () => {
    legend.replaceChildren(...models.filter((model) => figures(state.metric, model)).map((model) => {
      const button = make("button", { type: "button", "data-model": model }, swatch(model), make("bdi", {}, named(model)), make("i", {}, viewer.figure(viewer.whole(state.metric, model), state.metric)));
      if (viewer.byKey.has(keyOf(model))) button.addEventListener("click", (event) => set(event.shiftKey ? { a: keyOf(model) } : { b: keyOf(model) }));
      else if (bare) button.addEventListener("click", () => { lead = model; emphasise(); rank(); });
      else button.disabled = true;
      for (const [kind, value] of [["pointerenter", model], ["pointerleave", null], ["focus", model], ["blur", null]]) button.addEventListener(kind, () => { pointed = value; emphasise(); });
      return make("li", {}, button);
    }));
  };
  const emphasise = () => {
    const mine = new Set([modelA(), modelB()]);
    for (const path of holder.querySelectorAll(".graph")) {
      const model = path.dataset.model;
      path.classList.toggle("strong", pointed ? model === pointed : mine.has(model));
      path.classList.toggle("faint", pointed ? model !== pointed : mine.size > 0 && !mine.has(model));
    }
    for (const button of legend.querySelectorAll("button")) {
      const model = button.dataset.model, key = keyOf(model);
      const letter = (bare ? model === modelB() : key === state.b) ? "B" : (bare ? model === modelA() : key === state.a) ? "A" : "";
      button.dataset.letter = letter;
      button.setAttribute("aria-pressed", String(Boolean(letter)));
    }
  };

  // --- worst frames --------------------------------------------------------------------------------
  const of = byId("v-of"), by = byId("v-by"), rows = byId("v-worst").tBodies[0];
  of.append(new Option("B", ""));
  for (const model of models) of.append(new Option(named(model), model));
  let worst = [];
  const rank = () => {
    const model = of.value || modelB(), other = modelA();
    const series = model ? figures(state.metric, model) : null;
    const bad = viewer.badness(state.metric);
    const found = [];
    if (series) {
      const shift = viewer.late(series);
      series.forEach((value, i) => {
        const against = viewer.figureAt(state.metric, other, i + shift);
        const gain = value === null || against === null || other === model ? null : value === against ? 0 : value - against;
        if (value === null || (by.value === "loss" && gain === null)) return;
        const loss = gain ? bad(value) - bad(against) : 0;
        found.push({ frame: i + shift, value, gain, loss, order: by.value === "loss" ? loss : bad(value) });
      });
    }
    found.sort((x, y) => (y.order === x.order ? 0 : y.order - x.order) || x.frame - y.frame);
    worst = found.slice(0, 10);
    rows.replaceChildren(...worst.map((w) => {
      const jump = make("button", { type: "button", class: "jump", "data-frame": w.frame }, String(w.frame + 1));
      jump.addEventListener("click", () => { if (viewer.time) viewer.time.stop(); viewer.goTo(w.frame); });
      const gain = viewer.signed(w.gain, state.metric);
      const kind = viewer.stills.has(w.frame) || !clip.stills.length ? "" : viewer.sources.some((s) => viewer.inVideo(s, w.frame)) ? " video only" : " no picture";
      return make("tr", {}, make("th", { scope: "row" }, jump, make("small", {}, kind)), make("td", {}, viewer.timecode(w.frame)), make("td", { class: "num" }, viewer.figure(w.value, state.metric)),
        make("td", { class: `num ${!w.loss || !/[1-9∞]/.test(gain) ? "" : w.loss < 0 ? "good" : "bad"}` }, gain));
    }));
    if (!worst.length) rows.replaceChildren(make("tr", {}, make("td", { colspan: "4", class: "note" }, by.value === "loss" && model === other ? "A is the same model: choose another A." : "There are no figures of this model.")));
    here();
  };
  const here = () => { for (const row of rows.rows) {
      if (Number(row.querySelector(".jump")?.dataset.frame) === state.f) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    } };
  of.addEventListener("change", rank);
  by.addEventListener("change", rank);

  follow((changed) => {
    if (changed.has("metric")) {
      choose.value = state.metric;
      about.textContent = (viewer.metric(state.metric) || { about: "" }).about;
      list();
      draw();
    }
    if (changed.has("f")) { mark(); here(); }
    if (changed.has("a") || changed.has("b") || changed.has("metric")) { emphasise(); rank(); }
  });
  let wide = 0;
  new ResizeObserver(() => { if (holder.clientWidth !== wide) { wide = holder.clientWidth; if (state.metric) draw(); } }).observe(holder);

  return {
    /** Show the next (or with -1 the former) of the worst frames. */
    worst(by_) {
      if (!worst.length) return;
      const at = worst.findIndex((w) => w.frame === state.f);
      const next = at < 0 ? 0 : viewer.clamp(at + by_, 0, worst.length - 1);
      viewer.goTo(worst[next].frame);
      vbench.say(`Worst frame ${next + 1}: frame ${worst[next].frame + 1}`);
    },
  };
})();
