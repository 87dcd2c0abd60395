// What is shown of a table as text for a paper: CSV in full precision, Markdown, LaTeX (booktabs). Figures are read from the
// page; names come ready for each format from leaderboards.export, as `pieces`.
"use strict";

vbench.formats = (() => {
  const visible = (cells) => [...cells].filter((cell) => !cell.hidden);

  /** Columns and rows as they are shown: texts, figures in full, and which is best. */
  const read = (table) => {
    const heads = visible(table.tHead.rows[0].cells).map((cell) => cell.dataset.key);
    const gains = table.dataset.show === "gain";
    const rows = visible(table.tBodies[0].rows).map((row) => visible(row.cells).map((cell, i) => {
      const figure = cell.querySelector(".v");
      const gain = cell.querySelector(".g");
      const shown = gains && gain ? gain : figure;
      const mark = !figure ? "" : figure.classList.contains("best") ? "best" : figure.classList.contains("second") ? "second" : "";
      const text = cell.classList.contains("hole") ? "–" : shown ? shown.textContent : cell.firstChild.textContent.trim();
      return { key: heads[i], value: cell.dataset.v, text: heads[i] === "model" ? cell.dataset.v : text, mark };
    }));
    return { heads, rows, gains };
  };

  const FIXED = { rank: "#", model: "Model", seconds: "s/frame", memory: "MiB" };
  const title = (key, pieces) => FIXED[key] ?? pieces.heads[key];
  const metrics = (heads, pieces) => heads.filter((key) => key in pieces.signatures).map((key) => pieces.signatures[key]);

  const csv = (table, pieces) => {
    const { heads, rows, gains } = read(table);
    const quote = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    // What a spreadsheet would take for a formula is kept a text.
    const safe = (text) => quote(/^[=+@\t\r]/.test(text) ? `'${text}` : text);
    const gain = (cell) => cell.text.replace("−", "-").replace(/^\+/, "");
    const cell = (c) => {
      if (c.key === "model") return safe(c.value);
      return c.value === "" ? "" : gains && c.key in pieces.heads ? gain(c) : c.value;
    };
    const names = heads.map((key) => ({ rank: "place", model: "model", seconds: "seconds_per_frame", memory: "memory_bytes" })[key] ?? key);
    return `${[names.map(safe), ...rows.map((row) => row.map(cell))].map((line) => line.join(",")).join("\n")}\n`;
  };

  const markdown = (table, pieces) => {
    const shown = read(table);
    const escape = (text) => pieces.markdown[text] ?? text;
    const cell = (c) => (c.mark === "best" ? `**${c.text}**` : c.mark === "second" ? `*${c.text}*` : escape(c.text));
    const line = (cells) => `| ${cells.join(" | ")} |`;
    const sides = shown.heads.map((key) => (key === "model" ? "---" : "---:"));
    return `${[
      line(shown.heads.map((key) => escape(title(key, pieces)))),
      line(sides),
      ...shown.rows.map((row) => line(row.map(cell))),
      "",
      (shown.gains ? "Gain over doing nothing. " : "") + escape(pieces.caption),
    ].join("\n")}\n`;
  };

  const latex = (table, pieces) => {
    const shown = read(table);
    // A place in the order of means says less in print than the order of rows does.
    const columns = shown.heads.map((key, i) => [key, i]).filter(([key]) => key !== "rank");
    const escape = (text) => pieces.latex[text] ?? text;
    const math = (text) => text.replace("−", "$-$").replace("∞", "$\\infty$").replace("–", "--").replace("#", "\\#");
    const cell = (c) => {
      const text = c.key === "model" ? escape(c.text) : math(c.text);
      return c.mark === "best" ? `\\textbf{${text}}` : c.mark === "second" ? `\\underline{${text}}` : text;
    };
    const line = (cells) => `${cells.join(" & ")} \\\\`;
    const signatures = metrics(shown.heads, pieces).map(escape).join(", ");
    const lead = shown.gains ? "Gain over doing nothing. " : "";
    return [
      "% Needs \\usepackage{booktabs}.",
      ...(pieces.preamble ? [pieces.preamble] : []),
      "\\begin{table}[htbp]", "\\centering", "\\small",
      `\\caption{${lead}${escape(pieces.caption)}}`,
      `\\begin{tabular}{${columns.map(([key]) => (key === "model" ? "l" : "r")).join("")}}`,
      "\\toprule",
      line(columns.map(([key]) => escape(title(key, pieces)))),
      "\\midrule",
      ...shown.rows.map((row) => line(columns.map(([, i]) => cell(row[i])))),
      "\\bottomrule", "\\end{tabular}",
      ...(signatures ? ["", "\\smallskip", `{\\footnotesize Metrics: ${signatures}.}`] : []),
      "\\end{table}", "",
    ].join("\n");
  };

  return { csv, markdown, latex };
})();
