// The metric of each profile's charts: those of the first stand in the page, those of the others as text that the page's
// template has set and escaped, so that a page of many opens at once. Kept in the address ("#p0=ssim").
"use strict";

(() => {
  const { address } = vbench;
  for (const section of document.querySelectorAll("[data-profile]")) {
    const select = section.querySelector('[data-tool="metric"]');
    if (!select) continue;
    const shown = section.querySelector(".shown");
    const first = select.value = select.options[0].value;
    const charts = new Map([[first, [...shown.childNodes]]]);
    const texts = new Map([...section.querySelectorAll("script[data-metric]")].map((s) => [s.dataset.metric, s]));

    /** The charts of a metric, made when they are asked for first. */
    const chartsOf = (metric) => {
      if (!charts.has(metric)) {
        const template = document.createElement("template");
        template.innerHTML = JSON.parse(texts.get(metric).textContent);
        charts.set(metric, [...template.content.childNodes]);
      }
      return charts.get(metric);
    };
    const show = (metric) => {
      select.value = metric === first || texts.has(metric) ? metric : first;
      shown.replaceChildren(...chartsOf(select.value));
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
