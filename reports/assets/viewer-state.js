// The viewer of a clip: what is shown, as one object that lives in the address. Every part of the page reads `viewer.state`,
// changes it by `viewer.set(...)`, and is told by `viewer.follow(...)`.
"use strict";

const viewer = (() => {
  const clip = vbench.data("clip");
  // Infinite figures (frames that equal the ground truth) are texts in JSON.
  for (const of of Object.values(clip.curves)) for (const model of Object.keys(of)) of[model] = of[model].map((v) => (v === null ? null : Number(v === "inf" ? Infinity : v === "-inf" ? -Infinity : v)));
  for (const of of Object.values(clip.figures)) for (const model of Object.keys(of)) of[model] = { inf: Infinity, "-inf": -Infinity }[of[model]] ?? of[model];
  const sources = clip.sources;
  const byKey = new Map(sources.map((s) => [s.key, s]));
  const stills = new Map(clip.stills.map((frame, index) => [frame, index]));
  const has = (key) => byKey.has(key);

  /** Whether a video shows this frame of a source. */
  const inVideo = (source, frame) => Boolean(source.video) && frame < clip.length;

  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

  // --- figures -----------------------------------------------------------------------------------
  const metric = (name) => clip.metrics.find((m) => m.name === name) || null;

  /** Figures of a source: one per frame, or one less (the i-th is of frames i and i + 1), or two less (of i to i + 2); else null. */
  const figures = (name, model) => (model && clip.curves[name] && clip.curves[name][model]) || null;

  const figureAt = (name, model, frame) => {
    const series = figures(name, model);
    if (!series) return null;
    return series[clamp(frame - late(series), 0, series.length - 1)] ?? null;
  };

  /** The frame at which the first figure is told: the later of two, the middle one of three. */
  const late = (series) => (series.length < clip.frames ? 1 : 0);

  /** The clip's figure, which is the mean of its frames unless the metric's convention says else; null where there is none. */
  const whole = (name, model) => (clip.figures[name] && clip.figures[name][model]) ?? null;

  /** How bad a figure is. Where small is good and figures have either sign (steps of flicker), what is far from 0 is bad. */
  const badness = (name) => {
    const either = Object.values(clip.curves[name] || {}).some((series) => series.some((v) => v !== null && v < 0));
    if (metric(name).direction === "higher") return (v) => -v;
    return either ? Math.abs : (v) => v;
  };

  /** The model of the best mean under the first metric that has pictures. */
  const best = () => {
    const first = clip.metrics[0];
    const models = sources.filter((s) => s.key.startsWith("model:"));
    if (!first || !models.length) return models.length ? models[0].key : null;
    const sign = first.direction === "higher" ? 1 : -1;
    const rated = models.map((s) => [s.key, whole(first.name, s.model)]).filter(([, v]) => v !== null);
    rated.sort((x, y) => (x[1] === y[1] ? 0 : sign * (y[1] - x[1])));
    return rated.length ? rated[0][0] : models[0].key;
  };

  // --- state -------------------------------------------------------------------------------------
  const half = Math.floor(clip.frames / 2);
  const middle = clip.stills.reduce((x, y) => (Math.abs(y - half) < Math.abs(x - half) ? y : x), clip.stills[0] ?? 0);
  const first = sources.length ? sources[0].key : null;
  const start = {
    f: middle, a: first, b: best() || (sources[1] ? sources[1].key : first), view: sources.length > 1 ? "wipe" : "single",
    show: "picture", scale: 32, zoom: null, x: clip.width / 2, y: clip.height / 2, wipe: 0.5, turn: false, flip: false,
    masks: "", line: "r", place: 2, ruled: false, metric: clip.metrics.length ? clip.metrics[0].name : "",
  };
  const state = { ...start };
  const followers = [];

  const VIEWS = ["wipe", "side", "single", "grid"], SHOWS = ["picture", "error", "difference"];
  const SCALES = [8, 16, 32, 64, 128, 255];
  const number = (text, low, high, other) => {
    const value = text === null || text === "" ? NaN : Number(text);
    return Number.isFinite(value) ? clamp(value, low, high) : other;
  };
  const one = (text, allowed, other) => (allowed.includes(text) ? text : other);

  const lines = () => (state.line === "r" ? clip.rows : clip.columns);

  /** From the address; what makes no sense there is passed over. */
  const read = () => {
    const q = vbench.address.read();
    const shows = SHOWS.filter((show) => show !== "error" || has("truth"));
    Object.assign(state, {
      f: Math.round(number(q.get("f"), 0, Math.max(0, clip.frames - 1), start.f)),
      a: has(q.get("a")) ? q.get("a") : start.a,
      b: has(q.get("b")) ? q.get("b") : start.b,
      view: one(q.get("view"), VIEWS, start.view),
      show: one(q.get("show"), shows, start.show),
      scale: one(Number(q.get("scale")), SCALES, start.scale),
      zoom: number(q.get("z"), 0.02, 64, null),
      x: number(q.get("x"), 0, clip.width, start.x),
      y: number(q.get("y"), 0, clip.height, start.y),
      wipe: number(q.get("w"), 0, 1, start.wipe),
      turn: q.get("turn") === "1",
      flip: q.get("flip") === "1",
      masks: q.get("masks") ?? "",
      line: one(q.get("line"), ["r", "c"], start.line),
      ruled: q.get("ruled") === "1",
      metric: metric(q.get("metric")) ? q.get("metric") : start.metric,
    });
    state.place = Math.round(number(q.get("place"), 0, Math.max(0, lines().length - 1), Math.min(start.place, Math.max(0, lines().length - 1))));
  };

  const round = (value, digits) => String(Number(value.toFixed(digits)));
  const write = () => {
    const differs = (key, value, other = start[key]) => (value === other ? null : String(value));
    const placed = state.zoom !== null;
    vbench.address.write({
      f: differs("f", state.f), a: differs("a", state.a), b: differs("b", state.b), view: differs("view", state.view),
      show: differs("show", state.show), scale: differs("scale", state.scale),
      z: placed ? round(state.zoom, 4) : null, x: placed ? round(state.x, 2) : null, y: placed ? round(state.y, 2) : null,
      w: state.wipe === start.wipe ? null : round(state.wipe, 4), turn: state.turn ? "1" : null, flip: state.flip ? "1" : null,
      masks: state.masks || null, line: differs("line", state.line), place: differs("place", state.place),
      ruled: state.ruled ? "1" : null, metric: differs("metric", state.metric),
    });
  };

  let waiting = 0;
  /** Change the state and tell all parts; the address follows a moment later, as browsers limit how often it may change. */
  const set = (changes) => {
    const changed = Object.keys(changes).filter((key) => !Object.is(state[key], changes[key]));
    if (!changed.length) return;
    Object.assign(state, changes);
    clearTimeout(waiting);
    waiting = setTimeout(write, 120);
    for (const follower of followers) follower(new Set(changed));
  };

  /** Be told of changes: `tell(changed)` gets the names of what is another. */
  const follow = (tell) => { followers.push(tell); };
  const refresh = () => { for (const follower of followers) follower(new Set(Object.keys(state))); };

  addEventListener("hashchange", () => { read(); refresh(); });
  read();

  // --- frames ------------------------------------------------------------------------------------
  const anyVideo = sources.some((s) => s.video);
  /** Whether a frame can be shown: by a still, or by a video; maps of differences are made of stills only. */
  const canShow = (frame) => stills.has(frame) || (state.show === "picture" && anyVideo && frame < clip.length);
  /** The nearest frame that can be shown. */
  const nearest = (frame) => {
    for (let off = 0; off < clip.frames; off++) {
      for (const at of [frame - off, frame + off]) if (at >= 0 && at < clip.frames && canShow(at)) return at;
    }
    return frame;
  };
  const goTo = (frame) => set({ f: clamp(Math.round(frame), 0, clip.frames - 1) });

  /** From the clip's start, as leaderboards.moments has it: HH:MM:SS:FF of whole frame rates, HH:MM:SS.mmm of others. */
  const timecode = (frame) => {
    const rate = Math.round(clip.fps), two = (v) => String(v).padStart(2, "0");
    const clock = (s) => `${two(Math.floor(s / 3600))}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
    if (rate > 0 && Math.abs(clip.fps - rate) < 1e-6) return `${clock(Math.floor(frame / rate))}:${two(frame % rate)}`;
    const thousandths = Math.round((1000 * frame) / clip.fps);
    return `${clock(Math.floor(thousandths / 1000))}.${String(thousandths % 1000).padStart(3, "0")}`;
  };

  /** A figure as it is printed everywhere: with the digits of its metric. */
  const figure = (value, name) => {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    const text = Number.isFinite(value) ? Math.abs(value).toFixed(metric(name)?.digits ?? 4) : "∞";
    return value < 0 && /[1-9∞]/.test(text) ? `−${text}` : text;
  };
  /** A difference, with its sign. */
  const signed = (value, name) => {
    const text = figure(value, name);
    return value > 0 && /[1-9∞]/.test(text) ? `+${text}` : text;
  };
  const label = (key) => (byKey.get(key) || { label: "–" }).label;

  /** A row of buttons as radio buttons: one is checked and in the order of the tab key, arrows go to the others. */
  const roving = (buttons, checked) => {
    const any = buttons.some(checked);
    buttons.forEach((button, i) => {
      const on = checked(button);
      button.setAttribute("aria-checked", String(on));
      button.tabIndex = on || (!any && i === 0) ? 0 : -1;
      if (button.dataset.roving) return;
      button.dataset.roving = "1";
      button.addEventListener("keydown", (event) => {
        const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
        const next = buttons[(i + by + buttons.length) % buttons.length];
        next.focus();
        next.click();
        event.preventDefault();
        event.stopPropagation();
      });
    });
  };

  return {
    clip, sources, roving, byKey, stills, state, set, follow, refresh, goTo, nearest, canShow, inVideo, metric, figures, figureAt, late, whole, badness,
    timecode, figure, signed, label, clamp, lines, SCALES, VIEWS,
    masks: () => new Set(state.masks === "all" ? clip.masks.map((m) => m.kind) : state.masks ? state.masks.split(",") : []),
  };
})();
