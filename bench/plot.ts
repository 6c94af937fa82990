export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Which of the legend's series it belongs to. */
  readonly series: number;
}

export interface BarGroup {
  readonly title: string;
  readonly bars: readonly Bar[];
}

export interface BarChart {
  readonly title: string;
  readonly note: string;
  readonly series: readonly string[];
  /** Each group has a scale of its own: its longest bar fills the width. */
  readonly groups: readonly BarGroup[];
}

const colours = ["#1f77b4", "#9aa5b1", "#d98c3f"];
const layout = { width: 760, left: 210, right: 110, top: 78, bar: 16, gap: 4, groupGap: 16, bottom: 36 } as const;

const escapeXml = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const rounded = (value: number): string => (value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toFixed(1));

/** Horizontal bars in groups as an SVG document; values stand beside their bars, so no axis is needed. */
export function renderBarChart({ title, note, series, groups }: BarChart): string {
  const { width, left, right, top, bar, gap, groupGap, bottom } = layout;
  const parts: string[] = [];
  let y = top;
  for (const group of groups) {
    const longest = Math.max(...group.bars.map(({ value }) => value), Number.MIN_VALUE);
    const middle = y + (group.bars.length * (bar + gap) - gap) / 2 + 5;
    parts.push(`<text x="${left - 12}" y="${middle}" text-anchor="end" class="group">${escapeXml(group.title)}</text>`);
    for (const { label, value, series: index } of group.bars) {
      const length = Math.max(1, ((width - left - right) * value) / longest);
      const colour = colours[index % colours.length] ?? "#000000";
      parts.push(
        `<rect x="${left}" y="${y}" width="${length.toFixed(1)}" height="${bar}" rx="2" fill="${colour}"><title>${escapeXml(label)}</title></rect>`,
        `<text x="${(left + length + 6).toFixed(1)}" y="${y + 12}">${rounded(value)}</text>`,
      );
      y += bar + gap;
    }
    y += groupGap;
  }
  const height = y + bottom - groupGap;
  const legend = series.map((name, index) => {
    const x = left + index * 175;
    return `<rect x="${x}" y="46" width="12" height="12" rx="2" fill="${colours[index % colours.length]}"/><text x="${x + 18}" y="57">${escapeXml(name)}</text>`;
  });
  const style = `text{font:13px system-ui,sans-serif;fill:#1f2933}.title{font-size:16px;font-weight:600}.group{font-weight:500}.note{font-size:11px;fill:#52606d}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeXml(title)}">`,
    `<style>${style}</style><rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="20" y="28" class="title">${escapeXml(title)}</text>`,
    ...legend,
    ...parts,
    `<text x="20" y="${height - 14}" class="note">${escapeXml(note)}</text>`,
    "</svg>",
    "",
  ].join("\n");
}
