// Pointing at a model in one place shows it in all of a page: charts, tables, legends. Anything with data-m takes part. A model
// that is chosen (a click, or a button of the legend) stays, is kept in the address ("#model=3"), and goes along to other pages.
"use strict";

(() => {
  const { address, make, data } = vbench;
  const names = data("models") || [];
  let chosen = null;

  const parts = () => document.querySelectorAll("[data-m]");

  const show = (number) => {
    document.body.classList.toggle("pointing", number !== null);
    for (const part of parts()) part.classList.toggle("on", part.dataset.m === number);
  };

  /** Links to other pages take the chosen model along; the address holds its name, as numbers change with the models. */
  const carry = () => {
    const name = chosen === null ? null : names[Number(chosen)];
    for (const link of document.querySelectorAll(".bar nav a, .chips a")) {
      const [file, old = ""] = link.getAttribute("href").split("#");
      const state = new URLSearchParams(old.includes("=") ? old : "");
      if (name) state.set("model", name);
      else state.delete("model");
      link.setAttribute("href", `${state}` ? `${file}#${state}` : file);
    }
    address.write({ model: name });
  };

  const choose = (number) => {
    chosen = chosen === number ? null : number;
    for (const button of document.querySelectorAll(".legend button")) {
      button.setAttribute("aria-pressed", String(button.dataset.m === chosen));
    }
    show(chosen);
    carry();
  };

  // --- tips --------------------------------------------------------------------------------------
  const tip = make("div", { class: "tip", role: "presentation" });
  tip.hidden = true;
  document.body.append(tip);

  const place = (event) => {
    const gap = 14, { width, height } = tip.getBoundingClientRect();
    const left = event.clientX + gap + width > innerWidth ? event.clientX - gap - width : event.clientX + gap;
    const top = event.clientY + gap + height > innerHeight ? event.clientY - gap - height : event.clientY + gap;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${Math.max(4, top)}px`;
  };

  document.addEventListener("pointermove", (event) => {
    const at = event.target instanceof Element ? event.target.closest("[data-tip]") : null;
    tip.hidden = !at;
    if (at) {
      tip.textContent = at.dataset.tip;
      place(event);
    }
  });
  document.addEventListener("pointerover", (event) => {
    const at = event.target instanceof Element ? event.target.closest("[data-m]") : null;
    show(at ? at.dataset.m : chosen);
  });
  document.addEventListener("pointerleave", () => { tip.hidden = true; show(chosen); });
  document.addEventListener("click", (event) => {
    const at = event.target instanceof Element ? event.target.closest(".chart [data-m], .multiples [data-m]") : null;
    if (at) choose(at.dataset.m);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && chosen !== null) choose(chosen);
  });

  for (const button of document.querySelectorAll(".legend button")) {
    button.addEventListener("click", () => choose(button.dataset.m));
    button.addEventListener("focus", () => show(button.dataset.m));
    button.addEventListener("blur", () => show(chosen));
  }

  const restore = () => {
    const number = names.indexOf(address.read().get("model"));
    chosen = null;
    if (number >= 0) choose(String(number));
    else show(null);
  };
  addEventListener("hashchange", restore);
  restore();
  vbench.pointed = () => show(chosen);
})();
