// Runs before the first paint, so that a chosen theme does not flash: the system's until the reader chooses.
"use strict";
document.documentElement.classList.add("js");
try {
  const kept = localStorage.getItem("vbench-theme");
  if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
} catch { /* a private window keeps nothing */ }
