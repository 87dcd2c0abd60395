"use strict";
(() => {
  const byId = vbench.byId;
  // Viewer.
  const data = JSON.parse(byId("data").textContent);
  if (!byId("viewer") || !data.datasets.length) return;
  const ui = Object.fromEntries(["dataset", "clip", "left", "right", "mode", "zoom", "mask", "frame", "under", "over", "maskimg",
    "handle", "split", "time", "timetext", "play", "leftname", "rightname", "curves"].map((k) => [k, byId("v-" + k)]));
  const options = (select, entries, wanted) => {
    const last = wanted ?? select.value;
    select.replaceChildren(...entries.map(([value, text]) => new Option(text, value)));
    if (entries.some(([value]) => value === last)) select.value = last;
  };
  let clip = null, timer = 0;
  const source = (key) => clip.sources.find((s) => s.key === key);

  function chooseDataset() {
    const set = data.datasets[Number(ui.dataset.value)];
    options(ui.clip, set.clips.map((c, i) => [String(i), c.name]));
    chooseClip();
  }
  function chooseClip() {
    clip = data.datasets[Number(ui.dataset.value)].clips[Number(ui.clip.value)];
    const entries = clip.sources.filter((s) => s.key !== "mask").map((s) => [s.key, s.label]);
    const best = bestModel();
    options(ui.left, entries, ui.left.value || "input");
    options(ui.right, entries, ui.right.value || best || "truth");
    ui.mask.disabled = !source("mask");
    ui.time.max = String(clip.frames.length - 1);
    ui.time.value = String(Math.min(Number(ui.time.value), clip.frames.length - 1));
    curves();
    show();
  }
  function bestModel() {
    const values = Object.entries(clip.curves[Object.keys(clip.curves)[0]] || {}).filter(([m]) => source("model:" + m))
      .map(([m, v]) => [m, v.reduce((a, b) => a + (b ?? 0), 0) / v.length]);
    values.sort((a, b) => b[1] - a[1]);
    return values.length ? "model:" + values[0][0] : null;
  }
  function picture(img, key, index, slice) {
    const s = source(key);
    const url = slice ? s.slice : s.files[index];
    if (img.getAttribute("src") !== url) img.src = url;
    img.alt = (slice ? "x–t slice, " : "") + s.label;
  }
  function show() {
    const index = Number(ui.time.value), mode = ui.mode.value, slice = mode === "slice";
    const left = ui.left.value, right = ui.right.value;
    picture(ui.under, right, index, slice);
    picture(ui.over, mode === "error" ? "truth" : left, index, slice);
    ui.frame.classList.toggle("error", mode === "error");
    ui.handle.hidden = ui.split.hidden = mode === "error";
    ui.maskimg.hidden = !(ui.mask.checked && source("mask") && mode === "slider");
    if (!ui.maskimg.hidden) picture(ui.maskimg, "mask", index, false);
    const share = Number(ui.split.value);
    ui.over.style.clipPath = `inset(0 ${100 - share}% 0 0)`;
    ui.handle.style.left = share + "%";
    ui.frame.style.aspectRatio = slice ? `${clip.width} / ${Math.max(clip.height * 0.4, 4 * clip.total)}` : `${clip.width} / ${clip.height}`;
    const zoom = ui.zoom.value;
    ui.frame.classList.toggle("pixels", zoom !== "fit" || slice);
    ui.frame.style.width = zoom === "fit" ? "" : clip.width * Number(zoom) + "px";
    ui.frame.style.maxWidth = zoom === "fit" ? "" : "none";
    ui.leftname.textContent = mode === "error" ? `|${source(right).label} − ground truth| × 5` : "◂ " + source(left).label;
    ui.rightname.textContent = mode === "error" ? "" : source(right).label + " ▸";
    ui.timetext.textContent = slice ? "all frames" : `${clip.frames[index]} of ${clip.total}`;
    for (const mark of ui.curves.querySelectorAll(".now")) {
      const x = mark.dataset.left * 1 + mark.dataset.width * (clip.frames[index] / Math.max(1, clip.total - 1));
      mark.setAttribute("x1", x); mark.setAttribute("x2", x);
    }
  }

  // Curves per frame, drawn here so that they can follow the frame that is shown.
  const make = (name, attributes, ...inside) => {
    const e = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    e.append(...inside);
    return e;
  };
  const DASH = ["", "6 3", "2 2", "8 3 2 3"];
  const colour = (model) => `var(--s${data.numbers[model] % 8})`;
  function curves() {
    const W = 420, H = 190, L = 52, B = 24, T = 8, R = 8;
    const models = Object.keys(data.numbers).filter((m) => Object.values(clip.curves).some((c) => c[m]));
    const figures = Object.entries(clip.curves).map(([metric, series]) => {
      const all = Object.values(series).flat().filter((v) => v !== null);
      const low = Math.min(...all), high = Math.max(...all), span = high - low || 1;
      const px = (i) => L + (W - L - R) * (i / Math.max(1, clip.total - 1));
      const py = (v) => T + (H - T - B) * (1 - (v - low) / span);
      const svg = make("svg", { viewBox: `0 0 ${W} ${H}`, class: "chart", role: "img", "aria-label": `${metric} of each frame` });
      for (let k = 0; k <= 3; k++) {
        const v = low + (span * k) / 3;
        svg.append(make("line", { x1: L, x2: W - R, y1: py(v), y2: py(v), stroke: "var(--rule)", "stroke-width": 0.6 }),
          make("text", { x: L - 5, y: py(v) + 4, "text-anchor": "end", "font-size": 11 }, Math.abs(high) < 0.1 ? v.toExponential(1) : v.toFixed(span < 1 ? 3 : 1)));
      }
      svg.append(make("text", { x: L, y: H - 5, "font-size": 11 }, "0"), make("text", { x: W - R, y: H - 5, "font-size": 11, "text-anchor": "end" }, String(clip.total - 1)));
      svg.append(make("line", { class: "now", y1: T, y2: H - B, stroke: "var(--ink)", "stroke-width": 1, "stroke-dasharray": "2 3", "data-left": L, "data-width": W - L - R }));
      for (const model of models) {
        if (!series[model]) continue;
        let pen = "M", path = "";
        series[model].forEach((v, i) => { if (v === null) { pen = "M"; } else { path += `${pen}${px(i).toFixed(1)} ${py(v).toFixed(1)}`; pen = "L"; } });
        svg.append(make("path", { d: path, fill: "none", stroke: colour(model), "stroke-width": 1.6, "stroke-dasharray": DASH[Math.floor(data.numbers[model] / 8) % 4] }, make("title", {}, model)));
      }
      const figure = document.createElement("figure"), caption = document.createElement("figcaption");
      caption.textContent = `${metric}${data.units[metric] ? " [" + data.units[metric] + "]" : ""} per frame, ${data.directions[metric]} is better`;
      figure.append(caption, svg);
      return figure;
    });
    const legend = document.createElement("ul");
    legend.className = "legend";
    for (const model of models) {
      const item = document.createElement("li"), dot = document.createElement("i");
      dot.className = "dot"; dot.style.background = colour(model);
      item.append(dot, " " + model); legend.append(item);
    }
    ui.curves.replaceChildren(legend, ...figures);
  }

  const step = (by) => { const n = clip.frames.length; ui.time.value = String((Number(ui.time.value) + by + n) % n); show(); };
  ui.dataset.addEventListener("change", chooseDataset);
  ui.clip.addEventListener("change", chooseClip);
  for (const k of ["left", "right", "mode", "zoom", "mask"]) ui[k].addEventListener("change", show);
  for (const k of ["split", "time"]) ui[k].addEventListener("input", show);
  ui.play.addEventListener("click", () => {
    if (timer) { clearInterval(timer); timer = 0; ui.play.textContent = "Play"; } else { timer = setInterval(() => step(1), 160); ui.play.textContent = "Stop"; }
  });
  byId("viewer").addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "SELECT") return;
    if (event.key === ",") step(-1);
    else if (event.key === ".") step(1);
    else if (event.key === "f") { [ui.left.value, ui.right.value] = [ui.right.value, ui.left.value]; show(); } else return;
    event.preventDefault();
  });
  options(ui.dataset, data.datasets.map((d, i) => [String(i), d.name]));
  chooseDataset();
})();
