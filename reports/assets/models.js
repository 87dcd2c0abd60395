// Cards: those that fit the words of the search are shown; kept in the address ("#q=flow").
"use strict";

(() => {
  const { address } = vbench;
  const box = document.querySelector('[data-tool="cards"]');
  const shown = document.querySelector('[data-tool="shown"]');
  const cards = [...document.querySelectorAll(".card")].map((card) => ({ card, text: card.textContent.toLowerCase() }));

  const show = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const { card, text } of cards) {
      card.hidden = !words.every((word) => text.includes(word));
      count += !card.hidden;
    }
    shown.textContent = count === cards.length ? "" : `${count} of ${cards.length} models`;
  };
  const restore = () => {
    box.value = address.read().get("q") || "";
    show();
  };
  box.addEventListener("input", () => { show(); address.write({ q: box.value }); });
  addEventListener("hashchange", restore);
  restore();
})();
