import { css } from "lit";

/** What every page's shadow tree shares: type, buttons, fields, cards. The colours come from styles/tokens.css. */
export const base = css`
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  :host {
    display: block;
  }
  [hidden] {
    display: none !important;
  }
  h1,
  h2,
  h3,
  p {
    margin: 0;
  }
  h1 {
    font-size: 26px;
    line-height: 1.2;
    letter-spacing: -0.02em;
  }
  h2 {
    font-size: 17px;
    letter-spacing: -0.01em;
  }
  a {
    color: var(--accent-strong);
  }
  code,
  pre,
  .mono {
    font-family: var(--mono);
    font-size: 12.5px;
  }
  code {
    padding: 1px 5px;
    border-radius: 5px;
    background: var(--sunken);
  }
  .muted {
    color: var(--muted);
  }
  .small {
    font-size: 13px;
  }
  .row {
    display: flex;
    align-items: center;
    gap: 10px;
    flex-wrap: wrap;
  }
  .grow {
    flex: 1;
    min-width: 0;
  }
  .visually-hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  :focus-visible {
    outline: 2px solid var(--focus);
    outline-offset: 2px;
    border-radius: 6px;
  }

  button,
  .button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 8px;
    min-height: 38px;
    padding: 7px 14px;
    font: 600 14px var(--font);
    color: var(--text);
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: var(--radius-small);
    cursor: pointer;
    text-decoration: none;
    transition:
      background 0.12s,
      border-color 0.12s;
  }
  button:hover,
  .button:hover {
    background: var(--sunken);
  }
  button:disabled {
    opacity: 0.55;
    cursor: default;
  }
  button.primary,
  .button.primary {
    color: var(--on-accent);
    background: var(--accent);
    border-color: transparent;
  }
  button.primary:hover:not(:disabled),
  .button.primary:hover {
    background: var(--accent-hover);
  }
  button.danger {
    color: var(--bad);
  }
  button.danger:hover {
    background: var(--bad-soft);
    border-color: transparent;
  }
  button.danger.solid {
    color: #fff;
    background: #b3261e;
    border-color: transparent;
  }
  .quiet,
  .button.quiet {
    background: transparent;
    border-color: transparent;
  }
  .quiet:hover,
  .button.quiet:hover {
    background: var(--sunken);
  }

  input,
  select,
  textarea {
    width: 100%;
    min-height: 40px;
    padding: 8px 11px;
    font: 14px var(--font);
    color: var(--text);
    background: var(--bg);
    border: 1px solid var(--line);
    border-radius: var(--radius-small);
  }
  textarea {
    min-height: 76px;
    font-family: var(--mono);
    font-size: 12.5px;
    resize: vertical;
  }
  input[type="checkbox"],
  input[type="radio"] {
    width: auto;
    min-height: 0;
    accent-color: var(--accent);
  }
  label {
    font-size: 13px;
    font-weight: 600;
  }
  .field {
    display: grid;
    gap: 5px;
    align-content: start;
  }
  .field small {
    color: var(--muted);
    font-weight: 400;
  }

  .card {
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: var(--radius);
    box-shadow: var(--shadow);
  }
  .chip {
    display: inline-flex;
    align-items: center;
    gap: 6px;
    padding: 2px 10px;
    font-size: 12.5px;
    font-weight: 600;
    border-radius: 999px;
    color: var(--muted);
    background: var(--sunken);
    white-space: nowrap;
  }
  .chip::before {
    content: "";
    width: 7px;
    height: 7px;
    border-radius: 50%;
    background: currentColor;
  }
  .chip.good {
    color: var(--good);
    background: var(--good-soft);
  }
  .chip.warn {
    color: var(--warn);
    background: var(--warn-soft);
  }
  .chip.bad {
    color: var(--bad);
    background: var(--bad-soft);
  }
  .chip.busy::before {
    animation: pulse 1.2s ease-in-out infinite;
  }
  @keyframes pulse {
    50% {
      opacity: 0.25;
    }
  }
  @media (prefers-reduced-motion: reduce) {
    *,
    *::before,
    *::after {
      animation-duration: 0s !important;
      transition-duration: 0s !important;
    }
  }
`;
