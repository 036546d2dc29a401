import { html, svg, type SVGTemplateResult, type TemplateResult } from "lit";

const paths = {
  back: svg`<path d="M15 5l-7 7 7 7"/>`,
  plus: svg`<path d="M12 5v14M5 12h14"/>`,
  play: svg`<path d="M8 5.5v13l10.5-6.5z"/>`,
  fullscreen: svg`<path d="M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5"/>`,
  fit: svg`<rect x="3" y="5" width="18" height="14" rx="2"/><path d="M8 9.5v5M16 9.5v5M12 10.5v0M12 14v0"/>`,
  resize: svg`<path d="M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7"/>`,
  clipboard: svg`<rect x="6" y="5" width="12" height="16" rx="2"/><path d="M9 5V3h6v2"/>`,
  keyboard: svg`<rect x="3" y="6" width="18" height="12" rx="2"/><path d="M7 10v0M11 10v0M15 10v0M8 14h8"/>`,
  keys: svg`<rect x="3" y="3" width="18" height="18" rx="4"/><path d="M6 17.5h12M9 13l3-5 3 5M10 11.5h4"/>`,
  latency: svg`<path d="M3 13h4l3-8 4 14 3-6h4"/>`,
  folder: svg`<path d="M3 7a2 2 0 012-2h4l2 2h8a2 2 0 012 2v8a2 2 0 01-2 2H5a2 2 0 01-2-2z"/>`,
  file: svg`<path d="M6 3h8l4 4v14H6zM14 3v4h4"/>`,
  terminal: svg`<rect x="3" y="4" width="18" height="16" rx="2"/><path d="M7 9l3 3-3 3M12.5 15H17"/>`,
  log: svg`<path d="M5 6h14M5 12h14M5 18h9"/>`,
  egress: svg`<circle cx="12" cy="12" r="9"/><path d="M3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18"/>`,
  fork: svg`<circle cx="7" cy="5" r="2"/><circle cx="7" cy="19" r="2"/><circle cx="17" cy="8" r="2"/><path d="M7 7v10M17 10c0 4-10 2-10 7"/>`,
  trash: svg`<path d="M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13"/>`,
  close: svg`<path d="M6 6l12 12M18 6L6 18"/>`,
  check: svg`<path d="M5 12.5l4.5 4.5L19 7.5"/>`,
  people: svg`<circle cx="9" cy="8" r="3.2"/><path d="M3 20c0-4 2.5-6 6-6s6 2 6 6M16 5.5a3 3 0 010 5.5M17 14c2.6.4 4 2.5 4 6"/>`,
  more: svg`<path d="M5 12v0M12 12v0M19 12v0"/>`,
  monitor: svg`<rect x="3" y="4" width="18" height="13" rx="2"/><path d="M9 21h6M12 17v4"/>`,
  shield: svg`<path d="M12 3l8 3v6c0 5-3.5 8-8 9-4.5-1-8-4-8-9V6z"/>`,
  out: svg`<path d="M10 4H5v16h5M15 8l4 4-4 4M9 12h10"/>`,
} satisfies Record<string, SVGTemplateResult>;

export type IconName = keyof typeof paths;

/** A drawn icon of 20 px in the colour of its text; hidden from assistive technology, so its button needs a name. */
export function icon(name: IconName): TemplateResult {
  return html`<svg
    width="20"
    height="20"
    viewBox="0 0 24 24"
    fill="none"
    stroke="currentColor"
    stroke-width="1.8"
    stroke-linecap="round"
    stroke-linejoin="round"
    aria-hidden="true"
  >
    ${paths[name]}
  </svg>`;
}

export function logo(size = 30): TemplateResult {
  return html`<svg width=${size} height=${size} viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="8" fill="var(--accent)" />
    <g fill="none" stroke="#fff" stroke-width="2.2" stroke-linejoin="round" stroke-linecap="round">
      <path d="M7 24V14l9-6 9 6v10" />
      <path d="M16 8v16M7 17h18M5 24h22" />
    </g>
  </svg>`;
}
