// The controls of the viewer and the keys; the last of its scripts, it puts everything in motion.
"use strict";

(() => {
  const { clip, sources, state, set, follow, stage, time } = viewer;
  const { byId, make } = vbench;

  if (stage) {
    // --- A and B -----------------------------------------------------------------------------------
    const a = byId("v-a"), b = byId("v-b");
    a.addEventListener("change", () => set({ a: a.value }));
    b.addEventListener("change", () => set({ b: b.value }));
    const swap = () => set({ a: state.b, b: state.a });
    byId("v-swap").addEventListener("click", swap);
    const another = (which, by) => {
      const at = sources.findIndex((s) => s.key === state[which]);
      const key = sources[(at + by + sources.length) % sources.length].key;
      set({ [which]: key });
      vbench.say(`${which.toUpperCase()} is ${viewer.label(key)}`);
    };

    // --- view and what of it -------------------------------------------------------------------------
    const views = [...byId("v-views").children], shows = [...byId("v-shows").children];
    for (const button of views) button.addEventListener("click", () => set(button.dataset.view === "single" && state.view === "single" ? { flip: !state.flip } : { view: button.dataset.view }));
    for (const button of shows) button.addEventListener("click", () => show(button.dataset.show));
    const show = (what) => {
      if (what === "error" && !viewer.byKey.has("truth")) { vbench.say("There is no ground truth to compare with"); return; }
      if (what === "picture") { set({ show: what }); return; }
      time.stop();
      const before = state.f, near = viewer.stills.has(before) ? before : clip.stills.reduce((x, y) => (Math.abs(y - before) < Math.abs(x - before) ? y : x));
      set({ show: what, f: near });
      if (near !== before) vbench.say(`Frame ${near + 1}, the nearest that has lossless pictures`);
    };
    const flip = () => { if (state.view === "single") set({ flip: !state.flip }); else set({ view: "single", flip: !state.flip }); };

    // --- masks -------------------------------------------------------------------------------------
    const list = byId("v-masks");
    const boxes = [];
    if (list) {
      for (const mask of clip.masks) {
        const box = make("input", { type: "checkbox", value: mask.kind }), dot = make("i", { class: "dot" });
        dot.style.background = mask.colour;
        box.addEventListener("change", () => set({ masks: boxes.every((x) => x.checked) ? "all" : boxes.filter((x) => x.checked).map((x) => x.value).join(",") }));
        boxes.push(box);
        list.querySelector("ul").append(make("li", {}, make("label", {}, box, dot, make("bdi", {}, mask.label))));
      }
    }
    const mask = () => {
      if (!boxes.length) { vbench.say("There are no damage masks of this clip"); return; }
      set({ masks: state.masks ? "" : "all" });
      vbench.say(state.masks ? "Damage masks on" : "Damage masks off");
    };

    // --- size --------------------------------------------------------------------------------------
    byId("v-in").addEventListener("click", () => stage.zoomBy(1.5));
    byId("v-out").addEventListener("click", () => stage.zoomBy(1 / 1.5));
    byId("v-fit").addEventListener("click", () => set({ zoom: null }));
    byId("v-one").addEventListener("click", () => stage.zoomTo(1));
    const full = () => {
      if (document.fullscreenElement) document.exitFullscreen();
      else byId("viewer").requestFullscreen?.().catch(() => vbench.say("Full screen is not allowed here"));
    };
    byId("v-full").addEventListener("click", full);

    follow((changed) => {
      a.value = state.a;
      b.value = state.b;
      viewer.roving(views, (button) => button.dataset.view === state.view);
      viewer.roving(shows, (button) => button.dataset.show === state.show);
      byId("v-fit").setAttribute("aria-pressed", String(state.zoom === null));
      if (changed.has("masks")) { const on = viewer.masks(); for (const box of boxes) box.checked = on.has(box.value); if (list) list.classList.toggle("on", on.size > 0); }
    });

    // --- keys --------------------------------------------------------------------------------------
    const help = byId("v-keys"), single = byId("v-single");
    const kept = () => { try { return localStorage.getItem("vbench-keys") !== "off"; } catch { return true; } };
    single.checked = kept();
    single.addEventListener("change", () => { try { localStorage.setItem("vbench-keys", single.checked ? "on" : "off"); } catch { /* a private window keeps nothing */ } });
    byId("v-help").addEventListener("click", () => help.showModal());

    const keys = {
      " ": time.toggle, w: () => set({ view: "wipe" }), s: () => set({ view: "side" }), o: () => set({ view: "single" }), g: () => set({ view: "grid" }),
      f: flip, x: swap, "]": () => another("b", 1), "[": () => another("b", -1), "}": () => another("a", 1), "{": () => another("a", -1),
      r: () => show("picture"), e: () => show(state.show === "error" ? "picture" : "error"), d: () => show(state.show === "difference" ? "picture" : "difference"),
      m: mask, "+": () => stage.zoomBy(1.25), "=": () => stage.zoomBy(1.25), "-": () => stage.zoomBy(0.8), 0: () => set({ zoom: null }), z: () => stage.oneToOne(),
      v: () => set({ turn: !state.turn }), l: () => viewer.slices.next(), n: () => viewer.curves.worst(1), N: () => viewer.curves.worst(-1), t: full,
      ",": () => time.step(-1), ".": () => time.step(1), "<": () => time.step(-10), ">": () => time.step(10), "?": () => help.showModal(),
    };
    const moves = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
    const held = "input, select, textarea, [contenteditable], [role=radio], [role=region]"; // what has a use of its own for arrows
    addEventListener("keydown", (event) => {
      const target = event.target;
      if (event.ctrlKey || event.metaKey || help.open || event.defaultPrevented) return;
      if (event.altKey) return;
      if (event.shiftKey && event.key in moves && state.zoom !== null && !target.closest?.(held)) {
        stage.pan(...moves[event.key]);
        event.preventDefault();
        return;
      }
      if (target.closest?.("input:not([type=checkbox]):not([type=range]), select, textarea, [contenteditable]")) return;
      const presses = target.closest?.("button, summary, a, [role=radio], input[type=checkbox]");
      if (event.key === " " && presses) return;
      if ((event.key === "ArrowLeft" || event.key === "ArrowRight") && !event.shiftKey && !target.closest?.(held)) {
        time.step(event.key === "ArrowLeft" ? -1 : 1);
        event.preventDefault();
        return;
      }
      if (!single.checked && event.key !== "?") return;
      const act = keys[event.key] || (event.shiftKey && event.key.length === 1 && event.key !== "N" ? null : keys[event.key.toLowerCase?.()]);
      if (!act) return;
      act();
      event.preventDefault();
    });
  }

  viewer.refresh();
})();
