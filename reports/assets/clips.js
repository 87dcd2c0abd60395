// The index of clips: what does not hold the words that are looked for is hidden.
"use strict";

(() => {
  const { byId, address } = vbench;
  const find = byId("find");
  if (!find) return;
  const sets = [...document.querySelectorAll(".set")].map((set) => ({ set, cards: [...set.querySelectorAll(".cards > li")] }));

  const show = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const { set, cards } of sets) {
      let any = false;
      for (const card of cards) {
        const text = `${set.dataset.text} ${card.dataset.text}`.toLowerCase();
        card.hidden = !words.every((word) => text.includes(word));
        if (!card.hidden) { any = true; count += 1; }
      }
      set.hidden = !any;
    }
    byId("found").textContent = words.length ? `${count} clip${count === 1 ? "" : "s"}` : "";
    address.write({ q: find.value || null });
  };
  find.value = address.read().get("q") || "";
  find.addEventListener("input", show);
  addEventListener("hashchange", () => { find.value = address.read().get("q") || ""; show(); });
  if (find.value) show();
})();
