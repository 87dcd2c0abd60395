// The report in one file. Which page is shown stands in the address ("#page=boards/noise.html&sort=…"), beside the state that the
// page's own scripts keep there; another page is another load of the file, so that scripts always begin with a fresh one.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const holders = new Map([...document.querySelectorAll("script[data-page]")].map((s) => [s.dataset.page, s]));
  const first = [...holders.keys()][0];

  const state = () => new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  const asked = () => (holders.has(state().get("page")) ? state().get("page") : first);
  const here = asked();

  /** Links between files become links within this one: "../models.html#model-a" is "#page=models.html&at=model-a". */
  const turn = (link) => {
    const [file, part = ""] = link.getAttribute("href").split("#");
    const target = file ? new URL(file, `file:///${here}`).pathname.slice(1) : here;
    if (!holders.has(target)) return;
    const next = new URLSearchParams({ page: target });
    for (const [key, value] of new URLSearchParams(part.includes("=") ? part : "")) next.set(key, value);
    if (part && !part.includes("=")) next.set("at", part);
    link.setAttribute("href", `#${next}`);
  };

  const point = () => {
    const target = vbench.unfold(state().get("at"));
    if (!target) return;
    target.scrollIntoView();
    if (target.tabIndex >= -1 && target.id === "main") target.focus({ preventScroll: true });
  };

  const page = JSON.parse(holders.get(here).textContent);
  document.title = page.title;
  if (here !== first) byId("main").innerHTML = page.main;
  byId("data-of-page").innerHTML = page.data;
  for (const style of document.querySelectorAll("style[data-name]")) {
    style.media = page.styles.includes(style.dataset.name) ? "all" : "not all";
  }
  const section = here.startsWith("boards/") ? "boards.html" : here;
  for (const link of document.querySelectorAll(".bar nav a")) {
    if (link.getAttribute("href") === section) link.setAttribute("aria-current", here === section ? "page" : "true");
    else link.removeAttribute("aria-current");
  }
  for (const link of document.querySelectorAll("a[href]")) turn(link);

  // A script that is set by a script runs where its hash is in the policy, as that of each of these is.
  for (const name of page.scripts) {
    const script = document.createElement("script");
    script.textContent = document.querySelector(`script[data-name="${name}"]`).textContent;
    document.head.append(script);
  }
  point();
  addEventListener("hashchange", () => {
    if (asked() === here) point();
    else location.reload();
  });
})();
