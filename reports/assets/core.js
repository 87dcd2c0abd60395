// What every page has: the theme button, the state in the address, copying, making elements. Other scripts use `vbench`.
"use strict";

const vbench = (() => {
  const byId = (id) => document.getElementById(id);

  /** The JSON in `<script type="application/json" id="…">`, or null where the page has none. */
  const data = (id) => {
    const holder = byId(id);
    return holder ? JSON.parse(holder.textContent) : null;
  };

  /** An element with attributes and children; texts stay texts. */
  const make = (tag, attributes = {}, ...inside) => {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...inside);
    return element;
  };

  /** The same for SVG. */
  const makeSvg = (tag, attributes = {}, ...inside) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...inside);
    return element;
  };

  // --- the state of the view, kept in the address ----------------------------------------------
  // It is the part after "#" in the form of a query ("#sort=psnr.desc&q=fast"): a link to it works from a file and tells
  // no server. An address without "=" is an ordinary anchor and holds no state.

  const address = {
    read() {
      const text = location.hash.slice(1);
      return new URLSearchParams(text.includes("=") ? text : "");
    },
    /** Set keys of the state (null or "" takes one out); it adds no step to the browser's history. */
    write(changes) {
      const state = address.read();
      for (const [key, value] of Object.entries(changes)) {
        if (value === null || value === "") state.delete(key);
        else state.set(key, value);
      }
      const text = state.toString();
      const old = location.hash.slice(1);
      // An anchor that the reader followed stays until there is a state to keep.
      if (text === old || (text === "" && !old.includes("="))) return;
      history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
    },
  };

  // --- copying ---------------------------------------------------------------------------------

  /** Put text on the clipboard; false where the browser does not allow it. */
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Pages from files may have no clipboard interface; the old way works there.
      const area = make("textarea", { class: "hidden", "aria-hidden": "true" });
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  };

  /** Let a button copy what `text()` gives, and say so on the button and to screen readers. */
  const copyButton = (button, text) => {
    const label = button.textContent;
    button.addEventListener("click", async () => {
      const done = await copy(text());
      button.focus();
      button.textContent = done ? "Copied" : "Not allowed here";
      say(done ? `${label}: done` : "The browser does not allow copying here");
      setTimeout(() => { button.textContent = label; }, 1500);
    });
  };

  /** Say something to screen readers. */
  const say = (text) => {
    let place = byId("spoken");
    if (!place) {
      place = make("p", { id: "spoken", class: "hidden", role: "status" });
      document.body.append(place);
    }
    place.textContent = text;
  };

  // --- theme -----------------------------------------------------------------------------------

  const themeButton = () => {
    const root = document.documentElement;
    const button = byId("theme");
    button.hidden = false;
    button.addEventListener("click", () => {
      const dark = root.dataset.theme
        ? root.dataset.theme === "dark"
        : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      try { localStorage.setItem("vbench-theme", root.dataset.theme); } catch { /* a private window keeps nothing */ }
    });
  };

  /** Open what is folded up, where an address points into it. */
  const unfold = (id) => {
    const target = id ? byId(id) : null;
    const fold = target && (target.closest("details") || target.querySelector("details"));
    if (fold && target.matches("details, .alarms")) fold.open = true;
    return target;
  };
  const follow = () => { if (!location.hash.includes("=")) unfold(decodeURIComponent(location.hash.slice(1))); };

  themeButton();
  follow();
  addEventListener("hashchange", follow);
  for (const button of document.querySelectorAll("button[data-copies]")) {
    button.hidden = false;
    copyButton(button, () => byId(button.dataset.copies).textContent);
  }
  return { byId, data, make, makeSvg, address, copy, copyButton, say, unfold };
})();
