import { css } from "lit";

export const shellStyles = css`
  :host {
    display: flex;
    flex-direction: column;
    height: 100dvh;
    background: #14161c;
  }
  .toolbar {
    display: flex;
    align-items: center;
    gap: 8px;
    height: 46px;
    flex: none;
    padding: 0 8px;
    background: var(--surface);
    border-bottom: 1px solid var(--line);
  }
  .toolbar .name {
    font-weight: 650;
    min-width: 0;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
  .toolbar .chip {
    flex: none;
  }
  .viewers {
    display: inline-flex;
    gap: 4px;
    align-items: center;
    font-size: 13px;
    color: var(--muted);
  }
  .tools {
    display: flex;
    align-items: center;
    gap: 2px;
  }
  .square {
    width: 36px;
    min-height: 36px;
    padding: 0;
    flex: none;
  }
  button[aria-pressed="true"] {
    color: var(--accent-strong);
    background: var(--accent-soft);
  }
  .touch-only {
    display: none;
  }
  @media (pointer: coarse) {
    .touch-only {
      display: inline-flex;
    }
  }
  .menu-box {
    position: relative;
  }
  .menu {
    position: absolute;
    right: 0;
    top: 42px;
    z-index: 5;
    width: 250px;
    padding: 8px;
    display: grid;
    box-shadow: var(--shadow-high);
    background: var(--raised);
  }
  .menu button {
    justify-content: flex-start;
    font-weight: 500;
  }
  .menu p {
    padding: 8px 14px 4px;
    border-top: 1px solid var(--line);
    margin-top: 6px;
  }
  .strip {
    display: flex;
    align-items: center;
    gap: 10px;
    padding: 4px 8px 4px 16px;
    background: var(--warn-soft);
    color: var(--warn);
    font-size: 13.5px;
    flex: none;
  }
  .strip button:not(.square) {
    flex: none;
    min-height: 32px;
    padding: 3px 12px;
    font-size: 13px;
    color: inherit;
    background: transparent;
    border-color: currentColor;
  }
  .work {
    position: relative;
    flex: 1;
    min-height: 0;
    display: flex;
  }
  .picture {
    position: relative;
    flex: 1;
    min-width: 0;
    min-height: 0;
    display: flex;
  }
  oriel-desktop {
    flex: 1;
    min-width: 0;
  }
  paused-sign {
    position: absolute;
    z-index: 1;
    left: 50%;
    top: 50%;
    transform: translate(-50%, -50%);
    width: min(380px, calc(100% - 24px));
  }
  aside {
    width: min(440px, 45vw);
    flex: none;
    display: flex;
    flex-direction: column;
    min-height: 0;
    background: var(--surface);
    border-left: 1px solid var(--line);
  }
  aside > :last-child {
    flex: 1;
    min-height: 0;
    overflow: auto;
  }
  /* As wide as the picture: a terminal has 80 columns and more. */
  .work.stacked {
    flex-direction: column;
  }
  .work.stacked aside {
    width: 100%;
    height: 45%;
    border-left: 0;
    border-top: 1px solid var(--line);
  }
  .side-head {
    display: flex;
    align-items: center;
    padding: 8px 8px 8px 16px;
    border-bottom: 1px solid var(--line);
  }
  /* In full screen the toolbar waits behind the upper edge. */
  :host([fullscreen]) .toolbar {
    position: fixed;
    z-index: 6;
    top: 0;
    left: 0;
    right: 0;
    transform: translateY(calc(-100% + var(--edge)));
    transition: transform 0.18s;
    opacity: 0.02;
  }
  :host([fullscreen]) .toolbar:is(:hover, :focus-within) {
    transform: none;
    opacity: 1;
    box-shadow: var(--shadow-high);
  }
  :host {
    --edge: 3px;
  }
  @media (pointer: coarse) {
    :host {
      --edge: 18px;
    }
  }
  @media (max-width: 700px) {
    .toolbar {
      flex-wrap: wrap;
      height: auto;
      padding: 4px 6px;
      gap: 2px 8px;
    }
    .tools {
      width: 100%;
      justify-content: space-between;
      overflow-x: auto;
    }
    .tools .square {
      width: auto;
      flex: 1 1 0;
      min-width: 28px;
    }
    .menu-box {
      flex: 1 1 0;
      display: flex;
    }
    .work {
      flex-direction: column;
    }
    aside {
      width: 100%;
      height: 55%;
      border-left: 0;
      border-top: 1px solid var(--line);
    }
    .menu {
      position: fixed;
      right: 8px;
      left: 8px;
      top: 90px;
      width: auto;
      grid-template-columns: 1fr 1fr;
    }
    .menu p {
      grid-column: 1 / -1;
    }
  }
`;
