// A pane shows one source at the frame, place and size of the state: as a picture, as an error map, or as a video. All panes
// of a view have one size, so one transformation holds for all and they move together.
"use strict";

viewer.Pane = (() => {
  const { clip, state, stills, byKey, masks } = viewer;
  const { put } = viewer.pictures;
  const { make } = vbench;

  const picture = (kind) => {
    const img = make("img", { class: kind, alt: "", draggable: "false", decoding: "sync" });
    img.hidden = true;
    return img;
  };

  return class Pane {
    /** `letter` is A or B, or "" in the grid. */
    constructor(letter) {
      this.letter = letter;
      this.key = null;
      this.base = picture("base");
      this.other = picture("other");
      this.video = null;
      this.world = make("div", { class: "world" }, this.base, this.other);
      this.lens = make("div", { class: "lens" }, this.world);
      this.marks = make("div", { class: "world marks" });
      this.layers = clip.masks.map((mask) => {
        const img = picture("mask");
        this.marks.append(img);
        return [mask, img];
      });
      this.rule = make("div", { class: "rule" });
      this.said = make("p", { class: "gap" });
      this.name = make("span", { class: "chip" });
      this.kind = make("span", { class: "kind" });
      this.element = make("div", { class: "pane" }, this.lens, this.marks, this.rule, this.said, this.name, this.kind);
      for (const world of [this.world, this.marks]) {
        world.style.width = `${clip.width}px`;
        world.style.height = `${clip.height}px`;
      }
    }

    /** The element that plays this pane's video, made when it is first wanted. */
    film() {
      const source = byKey.get(this.key);
      if (!this.video) {
        this.video = make("video", { muted: "", playsinline: "", preload: "auto", "aria-hidden": "true", tabindex: "-1" });
        this.video.muted = true;
        this.video.hidden = true;
        // Odd sides have a row or column more in the video, which stays outside of the picture.
        const { width, height, stored } = clip.video;
        this.video.style.width = `${(clip.width * stored[0]) / width}px`;
        this.video.style.height = `${(clip.height * stored[1]) / height}px`;
        this.video.addEventListener("error", () => {
          if (this.video.getAttribute("src") && !this.video.hidden) this.gap("This browser does not play this video (H.264). The stills are there.");
        });
        this.world.prepend(this.video);
      }
      if (this.video.getAttribute("src") !== source.video) {
        if (source.video) this.video.setAttribute("src", source.video);
        else this.video.removeAttribute("src");
      }
      return this.video;
    }

    /** Show a source; `playing` leaves the frame to the video. */
    show(key, playing = false) {
      this.key = key;
      const source = byKey.get(key);
      const index = stills.get(state.f);
      const mode = state.show === "error" && key === "truth" ? "picture" : state.show;
      const compared = mode === "picture" ? null : byKey.get(mode === "error" ? "truth" : state.a === key ? state.b : state.a);
      const still = index === undefined ? null : source.stills[index];
      const moving = playing && mode === "picture" && source.video;
      const filmed = moving || (!still && mode === "picture" && viewer.inVideo(source, state.f));
      this.lens.classList.toggle("error", Boolean(compared));
      put([[this.base, filmed ? this.base.dataset.url : still], [this.other, compared && index !== undefined ? compared.stills[index] : null]]);
      this.base.classList.toggle("under", Boolean(filmed));
      if (filmed) {
        const video = this.film();
        video.hidden = false;
        if (!moving) this.seek();
      } else if (this.video) {
        this.video.hidden = true;
        this.video.pause();
      }
      const near = viewer.nearest(state.f) + 1;
      this.gap(still || filmed ? "" : mode === "picture" ? `There is no picture of this frame; the nearest is of frame ${near}.` : `There is no lossless picture of this frame to make a map of; the nearest is of frame ${near}.`);
      this.overlay(index);
      this.caption(mode, filmed, still);
      this.element.dataset.key = key;
      this.element.dataset.lossless = String(Boolean(still && !filmed));
    }

    /** Put the video at the state's frame: into the middle of its time, so that rounding cannot hit a neighbour. */
    seek() {
      const at = (state.f + 0.5) / clip.fps;
      if (Math.abs(this.video.currentTime - at) > 0.25 / clip.fps) this.video.currentTime = at;
    }

    gap(text) {
      this.said.textContent = text;
      this.said.hidden = !text;
    }

    overlay(index) {
      const on = masks();
      put(this.layers.map(([mask, img]) => [img, on.has(mask.kind) && index !== undefined ? mask.stills[index] : null]));
    }

    caption(mode, filmed, still) {
      const source = byKey.get(this.key);
      const value = viewer.figureAt(state.metric, source.model, state.f);
      const unit = (viewer.metric(state.metric) || { unit: "" }).unit;
      const figure = value === null ? "" : ` ${viewer.figure(value, state.metric)}${unit ? ` ${unit}` : ""}`;
      const what = mode === "error" ? "error of " : mode === "difference" ? "A − B" : "";
      const name = make("bdi", {}, mode === "difference" ? `${viewer.label(state.a)} − ${viewer.label(state.b)}` : source.label);
      const letter = this.letter && mode !== "difference" ? [make("b", {}, this.letter), " "] : [];
      this.name.replaceChildren(...letter, mode === "difference" ? "" : what, name, make("i", {}, mode === "difference" ? "" : figure));
      this.kind.textContent = filmed ? "lossy preview" : still ? "lossless" : "";
      this.kind.classList.toggle("lossy", Boolean(filmed));
    }

    /** Put the picture's point (x, y) into the pane's centre, `scale` times as large. */
    place(scale, x, y) {
      const ratio = devicePixelRatio || 1, snap = (v) => Math.round(v * ratio) / ratio;
      const left = snap(this.element.clientWidth / 2 - x * scale), top = snap(this.element.clientHeight / 2 - y * scale);
      for (const world of [this.world, this.marks]) world.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
      this.element.classList.toggle("pixels", scale * ratio >= 2);
      const at = viewer.lines()[state.place];
      this.rule.hidden = !state.ruled || at === undefined;
      this.rule.classList.toggle("upright", state.line === "c");
      if (state.line === "r") Object.assign(this.rule.style, { top: `${top + (at + 0.5) * scale}px`, left: "0" });
      else Object.assign(this.rule.style, { left: `${left + (at + 0.5) * scale}px`, top: "0" });
    }

    stop() {
      if (this.video) this.video.pause();
    }
  };
})();
