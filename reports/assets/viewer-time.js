// Time: the strip, the frame slider, and playing, from stills or from the videos of the panes, which are kept together.
"use strict";

viewer.time = (() => {
  const { clip, sources, state, set, follow, goTo, stage } = viewer;
  const { byId, make } = vbench;
  const slider = byId("v-frame");
  const idle = { step: () => {}, toggle: () => {}, stop: () => {} };
  if (!slider || !stage) return idle;
  const play = byId("v-play"), from = byId("v-from"), speed = byId("v-speed"), clock = byId("v-clock"), strip = byId("v-strip");
  const film = byId("v-film");

  // --- strip -------------------------------------------------------------------------------------
  const part = (frame) => (frame + 0.5) / clip.frames;
  // As many frames as there is room for, each the nearest of those that the file holds beside each other.
  const tiles = make("div", { class: "tiles" });
  strip.append(tiles);
  let tiled = 0;
  const tile = () => {
    const held = clip.strip.frames;
    if (!clip.strip.file || !held.length) return;
    const wanted = viewer.clamp(Math.round(strip.clientWidth / ((strip.clientHeight * clip.width) / clip.height)), 1, clip.frames);
    if (wanted === tiled) return;
    tiled = wanted;
    tiles.replaceChildren(...Array.from({ length: wanted }, (_, i) => {
      const at = ((i + 0.5) * clip.frames) / wanted - 0.5;
      const k = held.reduce((x, y, j) => (Math.abs(y - at) < Math.abs(held[x] - at) ? j : x), 0);
      const box = make("b");
      Object.assign(box.style, { aspectRatio: `${clip.width} / ${clip.height}`, backgroundImage: `url("${clip.strip.file}")`, backgroundSize: `${100 * held.length}% 100%`, backgroundPosition: `${held.length > 1 ? (100 * k) / (held.length - 1) : 0}% 0` });
      return make("i", {}, box);
    }));
  };
  new ResizeObserver(tile).observe(strip);
  const cursor = make("div", { class: "cursor" });
  const marks = make("div", { class: "marks" });
  // A dot under each frame that has a lossless picture, if not all have.
  if (clip.stills.length < clip.frames) {
    for (const frame of clip.stills) {
      const dot = make("i");
      dot.style.left = `${100 * part(frame)}%`;
      marks.append(dot);
    }
  }
  strip.append(marks, cursor);
  // The slider's button, 16 pixels wide, stands under the middle of its frame of the strip.
  slider.style.width = `calc(${100 - 100 / clip.frames}% + 16px)`;
  slider.style.marginInlineStart = `calc(${50 / clip.frames}% - 8px)`;
  const pick = (event) => {
    const r = film.getBoundingClientRect();
    const frame = Math.floor(((event.clientX - r.left) / r.width) * clip.frames);
    goTo(viewer.nearest(viewer.clamp(frame, 0, clip.frames - 1)));
  };
  let held = false;
  strip.addEventListener("pointerdown", (event) => { held = true; stop(); strip.setPointerCapture(event.pointerId); pick(event); });
  strip.addEventListener("pointermove", (event) => { if (held) pick(event); });
  for (const kind of ["pointerup", "pointercancel"]) strip.addEventListener(kind, () => { held = false; });
  slider.addEventListener("input", () => { stop(); goTo(viewer.nearest(Number(slider.value))); });

  const update = (changed) => {
    if (!changed.has("f")) return;
    slider.value = String(state.f);
    slider.setAttribute("aria-valuetext", `frame ${state.f + 1} of ${clip.frames}, ${viewer.timecode(state.f)}`);
    clock.textContent = `${viewer.timecode(state.f)} · ${state.f + 1}/${clip.frames}`;
    cursor.style.left = `${(100 * state.f) / clip.frames}%`;
    cursor.style.width = `${100 / clip.frames}%`;
  };
  follow(update);

  // --- what plays ----------------------------------------------------------------------------------
  const whole = clip.stills.length === clip.frames;
  if (clip.stills.length > 1) from.append(new Option(whole ? "stills, lossless" : `${clip.stills.length} stills, lossless`, "stills"));
  if (sources.some((s) => s.video)) from.append(new Option("video, lossy preview", "video"));
  if (!whole && sources.some((s) => s.video)) from.value = "video";
  const still = from.options.length === 0;
  play.disabled = from.disabled = speed.disabled = still;

  const step = (by) => {
    stop();
    let frame = state.f;
    for (let i = 0; i < clip.frames; i++) {
      frame = (((frame + Math.sign(by)) % clip.frames) + clip.frames) % clip.frames;
      if (viewer.canShow(frame) && (Math.abs(by) === 1 || i + 1 >= Math.abs(by))) break;
    }
    goTo(frame);
  };

  // --- playing -------------------------------------------------------------------------------------
  let timer = 0, leading = null, running = "";

  const say = (on) => {
    play.textContent = on ? "Stop" : "Play";
    play.setAttribute("aria-pressed", String(on));
  };

  const stop = () => {
    if (!running) return;
    const was = running;
    running = "";
    clearTimeout(timer);
    cancelAnimationFrame(timer);
    say(false);
    if (was === "video") {
      for (const pane of stage.panes()) pane.stop();
      stage.play(false);
      stage.redraw();
    }
  };

  const stillsPlay = () => {
    const at = clip.stills;
    const tick = () => {
      if (running !== "stills") return;
      const next = at.find((frame) => frame > state.f);
      const frame = next === undefined ? at[0] : next;
      // The next picture is put when it is decoded; until then the old one stands.
      const wait = 1000 / (clip.fps * Number(speed.value));
      const due = performance.now() + (whole ? wait : Math.max(wait, 160));
      const pictures = stage.panes().map((pane) => viewer.byKey.get(pane.key).stills[viewer.stills.get(frame)]).filter(Boolean);
      Promise.all(pictures.map((url) => viewer.pictures.load(url))).then(() => {
        timer = setTimeout(() => { if (running === "stills") { goTo(frame); tick(); } }, Math.max(0, due - performance.now()));
      });
    };
    tick();
  };

  /** Videos of all panes run together: the first leads, the others are put right when they are half a frame away. */
  const videoPlay = () => {
    stage.play(true);
    const films = stage.panes().filter((pane) => pane.video && !pane.video.hidden).map((pane) => pane.video);
    if (!films.length) { running = ""; say(false); stage.play(false); return; }
    leading = films[0];
    const begin = state.f >= clip.length - 1 ? 0 : state.f;
    const ready = films.map((video) => new Promise((done) => {
      video.playbackRate = Number(speed.value);
      const go = () => { if (video.readyState >= 3) done(); else video.addEventListener("canplay", done, { once: true }); };
      const target = (begin + 0.5) / clip.fps;
      if (Math.abs(video.currentTime - target) < 0.25 / clip.fps) { go(); return; }
      video.addEventListener("seeked", go, { once: true });
      video.currentTime = target;
    }));
    Promise.all(ready).then(() => {
      if (running !== "video") return;
      for (const video of films) video.play().catch(() => stop());
      const follow = () => {
        if (running !== "video") return;
        if (leading.ended || leading.currentTime >= clip.length / clip.fps - 0.2 / clip.fps) {
          for (const video of films) { video.currentTime = 0.5 / clip.fps; if (video.paused) video.play().catch(() => stop()); }
        } else {
          for (const video of films.slice(1)) if (Math.abs(video.currentTime - leading.currentTime) > 0.5 / clip.fps) video.currentTime = leading.currentTime;
          const frame = viewer.clamp(Math.floor(leading.currentTime * clip.fps), 0, clip.length - 1);
          if (frame !== state.f) goTo(frame);
        }
        timer = requestAnimationFrame(follow);
      };
      timer = requestAnimationFrame(follow);
    });
  };

  const toggle = () => {
    if (still) return;
    if (running) { stop(); return; }
    // A map of errors is of stills: those of a lossy preview would be the codec's.
    running = from.value === "video" && state.show === "picture" ? "video" : "stills";
    if (running === "stills" && clip.stills.length < 2) { running = ""; vbench.say("There are no other stills to play"); return; }
    say(true);
    if (running === "video") videoPlay();
    else stillsPlay();
  };

  play.addEventListener("click", toggle);
  byId("v-back").addEventListener("click", () => step(-1));
  byId("v-next").addEventListener("click", () => step(1));
  from.addEventListener("change", stop);
  speed.addEventListener("change", () => { if (running) { stop(); toggle(); } });
  follow((changed) => { if (running === "video" && ["view", "show", "a", "b", "flip"].some((key) => changed.has(key))) { stop(); } });
  return { step, toggle, stop, running: () => running };
})();
