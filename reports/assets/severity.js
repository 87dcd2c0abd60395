// The metric of each profile's charts: those of all metrics stand in the page as templates, one is set in. Kept in the address
// ("#p0=ssim").
"use strict";

(() => {
  const { address } = vbench;
  for (const section of document.querySelectorAll("[data-profile]")) {
    const select = section.querySelector('[data-tool="metric"]');
    if (!select) continue;
    const shown = section.querySelector(".shown");
    const first = select.value = select.options[0].value;
    const charts = new Map([[first, [...shown.childNodes]]]);
    for (const template of section.querySelectorAll("template")) {
      charts.set(template.dataset.metric, [...template.content.childNodes]);
    }

    const show = (metric) => {
      select.value = charts.has(metric) ? metric : first;
      shown.replaceChildren(...charts.get(select.value));
      vbench.pointed?.();
    };
    const restore = () => {
      const wanted = address.read().get(section.dataset.profile) || first;
      if (wanted !== select.value) show(wanted);
    };
    select.addEventListener("input", () => {
      show(select.value);
      address.write({ [section.dataset.profile]: select.value === first ? null : select.value });
    });
    addEventListener("hashchange", restore);
    restore();
  }
})();
