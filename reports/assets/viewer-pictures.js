// Pictures and the colours of error maps. A picture is put in place when it is decoded, so nothing flashes; error maps are
// computed by the browser's own filters, as a page from a file may not read the pixels of its pictures.
"use strict";

viewer.pictures = (() => {
  // --- loading -----------------------------------------------------------------------------------
  // Decoded pictures take four bytes a pixel; so many are kept at hand.
  const LIMIT = viewer.clamp(Math.floor(3e8 / Math.max(1, viewer.clip.width * viewer.clip.height * 4)), 12, 160);
  const kept = new Map(); // address to decoded picture, the latest last

  /** A decoded picture of this address. */
  const load = (url) => {
    let entry = kept.get(url);
    if (entry) {
      kept.delete(url);
    } else {
      const image = new Image();
      image.src = url;
      entry = image.decode().then(() => true, () => false);
      entry.image = image;
    }
    kept.set(url, entry);
    if (kept.size > LIMIT) kept.delete(kept.keys().next().value);
    return entry;
  };

  /** Show addresses in img elements, all at once when all are decoded; what was asked for later wins. */
  const put = async (pairs) => {
    const wanted = pairs.filter(([img, url]) => img.dataset.url !== (url || ""));
    for (const [img, url] of wanted) img.dataset.url = url || "";
    const fresh = wanted.filter(([, url]) => url);
    for (const [img, url] of wanted) if (!url) { img.removeAttribute("src"); img.hidden = true; }
    if (!fresh.length) return;
    await Promise.all(fresh.map(([, url]) => load(url)));
    for (const [img, url] of fresh) {
      if (img.dataset.url !== url) continue;
      img.src = url;
      img.hidden = false;
    }
  };

  // --- colours of errors -------------------------------------------------------------------------
  // "inferno" of matplotlib (CC0), at 32nds: even steps look even, also to colour-blind eyes and in gray.
  const MAP = [
    "#000004", "#040312", "#0b0724", "#150b37", "#210c4a", "#2f0a5b", "#3d0965", "#4a0c6b", "#57106e", "#64156e", "#71196e",
    "#7d1e6d", "#8a226a", "#972766", "#a32c61", "#b0315b", "#bc3754", "#c73e4c", "#d24644", "#db503b", "#e45a31", "#eb6628",
    "#f1731d", "#f68013", "#f98e09", "#fb9d07", "#fcac11", "#fbbc21", "#f9cb35", "#f5db4c", "#f2ea69", "#f3f68a", "#fcffa4",
  ];
  const { makeSvg } = vbench;

  const filter = () => {
    const gain = makeSvg("feColorMatrix", { type: "matrix" });
    const table = makeSvg("feComponentTransfer");
    const levels = [1, 3, 5].map((at) => MAP.map((c) => (parseInt(c.slice(at, at + 2), 16) / 255).toFixed(4)).join(" "));
    ["R", "G", "B"].forEach((part, i) => table.append(makeSvg(`feFunc${part}`, { type: "table", tableValues: levels[i] })));
    const element = makeSvg("filter", { id: "error-map", x: 0, y: 0, width: 1, height: 1, "color-interpolation-filters": "sRGB" }, gain, table);
    document.body.append(makeSvg("svg", { class: "nowhere", "aria-hidden": "true" }, element));
    return (scale) => {
      const k = (255 / (3 * scale)).toFixed(5), row = `${k} ${k} ${k} 0 0`;
      gain.setAttribute("values", `${row}  ${row}  ${row}  0 0 0 1 0`);
    };
  };
  const setScale = filter();

  /** The bar that says what a colour means. */
  const bar = () => {
    const stops = MAP.map((colour, i) => makeSvg("stop", { offset: (i / (MAP.length - 1)).toFixed(4), "stop-color": colour }));
    const shade = makeSvg("linearGradient", { id: "error-shade" }, ...stops);
    return makeSvg("svg", { class: "shade", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
      makeSvg("defs", {}, shade), makeSvg("rect", { width: 100, height: 8, fill: "url(#error-shade)" }));
  };

  return { load, put, setScale, bar, MAP };
})();
